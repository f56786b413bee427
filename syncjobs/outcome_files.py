"""The outcomes of a run as a CSV file, made as it is downloaded: memory does not grow with the run."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC

from django.db.models import QuerySet
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from connectors.core.fanout import batched
from contacts.models import Contact
from syncjobs.models import RunItem
from syncjobs.plan_lines import differences_of
from syncjobs.sentences import translated
from syncjobs.sourcefields import label_of

AT_ONCE = 2000
# Spreadsheets take a cell that begins so for a formula, which may read other cells and call other hosts.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# Tells spreadsheets that the text is UTF-8.
_MARK = "\ufeff"


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def lines(items: QuerySet[RunItem]) -> Iterator[str]:
    """The file line by line, its words in the language that is active now. One statement for every AT_ONCE lines."""
    return _lines(items, get_language())


def _lines(items: QuerySet[RunItem], language: str | None) -> Iterator[str]:
    writer = csv.writer(_Echo())
    with override(language):
        head = [_("time"), _("contact"), _("contact id"), _("remote id"), _("result"), _("in words"), _("differences")]
    yield _MARK + writer.writerow(head)
    for batch in batched(items.iterator(AT_ONCE), AT_ONCE):
        # Whoever reads the file works in between, maybe in another language.
        with override(language):
            rows = _rows(batch)
        for row in rows:
            yield writer.writerow([safe_cell(cell) for cell in row])


def safe_cell(text: str) -> str:
    """The text, and an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def differences(item: RunItem) -> list[tuple[str, str, str]]:
    """(field, before, after) of the item, or its fields alone where no values were kept."""
    if item.changes:
        return differences_of(item.changes)
    return [(label_of(name), "", "") for name in item.fields]


def _rows(batch: Sequence[RunItem]) -> list[list[str]]:
    ids = [item.contact_id for item in batch if item.contact_id]
    names = {contact.pk: str(contact) for contact in Contact.objects.defer("search").filter(pk__in=ids)}
    return [
        [
            item.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            names.get(item.contact_id, "") if item.contact_id else "",
            str(item.contact_id or ""),
            item.external_id,
            str(item.get_action_display()),
            translated(item.message),
            "; ".join(_difference(*told) for told in differences(item)),
        ]
        for item in batch
    ]


def _difference(label: str, before: str, after: str) -> str:
    return f"{label}: {before} → {after}" if before or after else label
