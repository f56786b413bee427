"""Items of a batch: what of a change is sent to Mautic, and what it cannot take (sheets 4 and 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.core.types import Change, FieldSpec, FieldType
from connectors.mautic.catalogue import Catalogue
from connectors.mautic.marks import MARK, mark_of
from connectors.mautic.wire import EMAIL, encode, is_zero

OVERWRITE = "overwriteWithBlank"


@dataclass(frozen=True, slots=True)
class Row:
    """A change as it is sent. `left_out` are fields whose values were refused, `zeros` those whose are dropped.

    `found`: an edit of a contact that a creation met there, `created` by an attempt of ours whose answer was lost.
    """

    change: Change
    body: Mapping[str, Any]
    left_out: tuple[str, ...] = ()
    zeros: tuple[str, ...] = ()
    found: bool = False
    created: bool = False

    @property
    def warning(self) -> str:
        sentences = []
        if self.left_out:
            sentences.append(f"Mautic does not have these values in its lists, left out: {', '.join(self.left_out)}.")
        if self.zeros:
            sentences.append(f"Mautic's API cannot set a value to 0 or No, left as it was: {', '.join(self.zeros)}.")
        return " ".join(sentences)


def email_of(change: Change) -> str:
    """The address by which Mautic tells this contact from others, "" when there is none."""
    if change.key is not None and change.key.name == EMAIL:
        return change.key.value.strip()
    return str({**(change.all_values or {}), **change.values}.get(EMAIL) or "").strip()


class RowBuilder:
    """`site` is the address that marks are made for."""

    def __init__(self, catalogue: Catalogue, site: str) -> None:
        self._catalogue, self._site = catalogue, site

    @property
    def _specs(self) -> Mapping[str, FieldSpec]:
        return self._catalogue.specs

    def creation(self, change: Change) -> Row:
        """All that we own, with our mark; what we lack is not cleared unless asked."""
        known = {key: value for key, value in (change.all_values or {}).items() if value is not None}
        body, zeros = self._encoded({**known, **change.values, EMAIL: email_of(change)})
        if self._catalogue.marks:
            body[MARK] = mark_of(self._site, change)
        return Row(change, body, zeros=zeros)

    def edit(self, change: Change, number: str) -> Row:
        body, zeros = self._encoded(change.values)
        return Row(change, {"id": int(number), **body}, zeros=zeros)

    def again(self, row: Row, number: str) -> Row:
        """A creation as an edit of the contact that is there: without the mark, which is its own or another's."""
        body = {key: value for key, value in row.body.items() if key != MARK}
        return replace(row, body={"id": int(number), **body}, found=True)

    def without(self, row: Row, refused: Sequence[str]) -> Row | None:
        """The row without values that are not among the site's choices; None where that is not what was refused."""
        choices = [name for name in refused if name in row.body and self._is_choice(name)]
        if not choices or len(choices) < len(refused):
            return None
        body = {key: value for key, value in row.body.items() if key not in choices}
        return replace(row, body=body, left_out=(*row.left_out, *choices))

    def _is_choice(self, name: str) -> bool:
        spec = self._specs.get(name)
        return spec is not None and spec.type in (FieldType.CHOICE, FieldType.CHOICES)

    def _encoded(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        specs = self._specs
        body = {key: encode(value, specs.get(key)) for key, value in values.items()}
        zeros = tuple([key for key, value in body.items() if is_zero(value)])
        for key in zeros:
            del body[key]
        if "" in body.values():
            # Without it blanks are skipped; only fields that are sent are blanked in a batch.
            body[OVERWRITE] = True
        return body, zeros
