"""What happened to a contact: who set which field and when, and what was sent where, the newest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from contacts import history
from contacts.models import ContactChange
from syncjobs.models import Run, RunItem, RunKind
from syncjobs.plan_lines import text_of
from syncjobs.sentences import translated
from syncjobs.sourcefields import label_of

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """One event. `fields` are (label, before, after); `run` is the run that it happened in."""

    at: datetime
    who: str
    what: str
    fields: Sequence[tuple[str, str, str]] = ()
    message: str = ""
    run: Run | None = None


def of_contact(contact_id: UUID) -> list[Entry]:
    """The last events, however they came about. Two statements."""
    items = RunItem.objects.filter(contact_id=contact_id, run__dry_run=False).select_related("run__connection")
    entries = [_of_run(item) for item in items.order_by("-id")[:SHOWN]]
    entries += [_of_person(change) for change in history.latest(contact_id, SHOWN)]
    return sorted(entries, key=lambda entry: entry.at, reverse=True)[:SHOWN]


def _of_run(item: RunItem) -> Entry:
    pushed = item.run.kind == RunKind.PUSH
    fields = list(_told(item.changes or {}, named=not pushed))
    return Entry(item.at, str(item.run.connection), _action(item, pushed), fields, translated(item.message), item.run)


def _action(item: RunItem, pushed: bool) -> str:
    system = {"crm": item.run.connection}
    match item.action:
        case RunItem.Action.CREATE if pushed:
            return _("A record was made in %(crm)s.") % system
        case RunItem.Action.UPDATE if pushed:
            return _("The record in %(crm)s was changed.") % system
        case RunItem.Action.CREATE:
            return _("The contact was made of a record of %(crm)s.") % system
        case RunItem.Action.UPDATE:
            return _("%(crm)s changed the contact.") % system
        case RunItem.Action.LINK:
            return _("It was linked with a record of %(crm)s.") % system
        case RunItem.Action.DELETE:
            return _("The record in %(crm)s was deleted.") % system
        case RunItem.Action.CONFLICT:
            return _("%(crm)s raised a question.") % system
        case RunItem.Action.FAIL:
            return _("Sending to %(crm)s failed.") % system
    return _("%(crm)s left it out.") % system


def _of_person(change: ContactChange) -> Entry:
    return Entry(change.at, change.by, _("The contact was changed."), list(_told(change.changes, named=True)))


def _told(changes: Mapping[str, Any], *, named: bool) -> Iterator[tuple[str, str, str]]:
    for name, (before, after) in changes.items():
        yield label_of(name) if named else name, text_of(before or None), text_of(after or None)
