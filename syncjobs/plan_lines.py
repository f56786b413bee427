"""What a rehearsal says, for people: each record's action in words and the values before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from syncjobs.models import RunItem
from syncjobs.route_runs import RouteRun
from syncjobs.sentences import translated
from syncjobs.sourcefields import label_of

SHOWN = 50


def plan_of(done: RouteRun) -> list[dict[str, Any]]:
    """What the runs of a rehearsal say about each record, in order."""
    keys = {run.pk: run.connection.key for run in done.runs}
    return [
        {
            "connection": keys[item.run_id],
            "action": item.get_action_display(),
            "external_id": item.external_id,
            "message": translated(item.message),
            "changes": item.changes or {},
        }
        for item in RunItem.objects.filter(run__in=keys)
    ]


def lines(done: RouteRun) -> Iterator[str]:
    """The plan as a terminal shows it, the first records of it; nothing where the rehearsal could not end."""
    if done.stopped is not None:
        return
    plan = plan_of(done)
    for item in plan[:SHOWN]:
        yield f"{item['connection']}: {item['action']} {item['external_id']} {item['message']}".rstrip()
        for name, (before, after) in item["changes"].items():
            yield f"    {name}: {text_of(before)} → {text_of(after)}"
    if len(plan) > SHOWN:
        yield _("… and %(count)d more; the run's page has all.") % {"count": len(plan) - SHOWN}
    if not plan:
        yield _("Nothing would change.")


def differences_of(changes: Mapping[str, Sequence[Any]]) -> list[tuple[str, str, str]]:
    """(field, before, after) for people; a field of ours by its name in the active language."""
    return [(label_of(name), shown(before), shown(after)) for name, (before, after) in changes.items()]


def shown(value: Any) -> str:
    """One value in one line, "—" for none."""
    return text_of(None if value in ("", [], {}) else value)


def text_of(value: Any) -> str:
    """One value, or several of a kind, in one line."""
    if value is None:
        return "—"
    if isinstance(value, list):
        return ", ".join(str(item.get("value")) if isinstance(item, dict) else str(item) for item in value)
    return str(value)
