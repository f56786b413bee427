"""New contacts on their way: encoded once, then counted in bytes until they fill an import or remain few."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import orjson

from connectors.brevo.catalogue import Catalogue
from connectors.brevo.wire import EMAIL, PHONES, same_email
from connectors.core.batches import Batch, Batcher, Place
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import Change, FieldType, Op

NEW, SINGLE, IMPORT, UPDATE, DELETE = "new", "single", "import", "update", "delete"
BATCH = 100
SINGLES = 25
# What surrounds the rows of an import.
ENVELOPE_BYTES = 1024
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(slots=True)
class Row:
    """A contact as it goes out. `change` is without its values: tens of thousands of rows wait for an import."""

    change: Change
    email: str
    content: bytes
    warning: str = ""

    def body(self) -> dict[str, Any]:
        decoded: dict[str, Any] = orjson.loads(self.content)
        return decoded


@dataclass(slots=True)
class RowBatch(Batch):
    """A batch of new contacts. `clears` and `booleans` tell whether any row empties or carries such a value."""

    rows: list[Row] = field(default_factory=list)
    bytes: int = 0
    clears: bool = False
    booleans: bool = False

    def append(self, row: Row, keys: tuple[str, ...]) -> None:
        self.rows.append(row)
        self.changes.append(row.change)
        self.keys.extend(keys)
        self.bytes += len(row.content) + 1


def email_of(change: Change) -> str:
    """The address by which Brevo tells this contact from others, "" when there is none."""
    if change.key is not None and change.key.name == "email":
        return change.key.value.strip()
    return str({**(change.all_values or {}), **change.values}.get(EMAIL) or "").strip()


def row_of(change: Change, catalogue: Catalogue) -> tuple[Row, dict[str, Any]]:
    """A change as a row with its attributes. What the contact lacks is not cleared there, unless asked."""
    known = {key: value for key, value in (change.all_values or {}).items() if value not in (None, "")}
    attributes, unfit = catalogue.attributes({**known, **change.values})
    email = email_of(change)
    # Copied, because orjson leaves the whole of its buffer, kilobytes, with the bytes it gives.
    content = bytes(memoryview(orjson.dumps({"email": email, "attributes": attributes})))
    light = Change(change.ref, change.op, _NOTHING, external_id=change.external_id)
    return Row(light, email, content, unfit_warning(unfit)), attributes


def unfit_warning(fields: list[str]) -> str:
    return f"Left out, as the value does not fit the attribute's type: {', '.join(fields)}." if fields else ""


def without_phones(row: Row, warning: str) -> Row:
    """The same contact without its phones, of which Brevo is particular: well formed, and nobody else's."""
    body = row.body()
    body["attributes"] = {k: v for k, v in body["attributes"].items() if k not in PHONES}
    return Row(row.change, row.email, orjson.dumps(body), " ".join(filter(None, (row.warning, warning))))


class RowBatcher(Batcher):
    """Few new contacts go singly, many by import; how many there are is known when they have filled `threshold`.

    Imports run one at a time: giving the next one waits until `finished` of the one before, so that no more than two
    are in memory.
    """

    def __init__(self, catalogue: Catalogue, *, threshold: int, import_bytes: int, import_rows: int) -> None:
        super().__init__(place, BATCH, {DELETE: SINGLES})
        self._catalogue = catalogue
        self._threshold, self._most_bytes, self._most_rows = threshold, import_bytes - ENVELOPE_BYTES, import_rows
        self._rows = RowBatch(NEW)
        self._importing = False
        self._turn = threading.Semaphore(1)

    def put(self, change: Change, place: Place) -> Iterator[Batch]:
        if place.lane != NEW:
            yield from super().put(change, place)
            return
        row, attributes = row_of(change, self._catalogue)
        full = self._rows.bytes + len(row.content) > self._most_bytes or len(self._rows.rows) >= self._most_rows
        if full and self._rows.rows:
            yield self._import()
        self._rows.append(row, place.keys)
        self._rows.clears = self._rows.clears or "" in attributes.values()
        self._rows.booleans = self._rows.booleans or any(isinstance(v, bool) for v in attributes.values())

    def flush(self) -> Iterator[Batch]:
        rows = self._rows.rows
        if rows and (self._importing or len(rows) >= self._threshold):
            yield self._import()
        elif rows:
            keys = iter(self._rows.keys)
            for start in range(0, len(rows), SINGLES):
                batch = RowBatch(SINGLE)
                for row in rows[start : start + SINGLES]:
                    batch.append(row, (next(keys),))
                yield batch
        yield from super().flush()

    def _import(self) -> Batch:
        batch, self._rows = self._rows, RowBatch(NEW)
        batch.lane = IMPORT
        batch.refused, self._refused = self._refused, []
        self._importing = True
        self._turn.acquire()
        batch.finished = self._turn.release
        return batch


def place(change: Change) -> Place:
    """Raises ApiError (DATA) for a change that cannot be sent."""
    email = same_email(email_of(change))
    if change.op in (Op.UPSERT, Op.CREATE):
        if not email:
            raise ApiError(ErrorKind.DATA, "The contact has no e-mail address; Brevo needs one.", field=EMAIL)
        return Place(NEW, (f"email:{email}",))
    if not change.external_id:
        raise ApiError(ErrorKind.BUG, "A change of a linked contact came without Brevo's id.")
    by_id = f"id:{change.external_id}"
    if change.op is Op.DELETE:
        return Place(DELETE, (by_id,))
    return Place(UPDATE, (by_id, f"email:{email}") if email else (by_id,))


def booleans_of(row: Row, catalogue: Catalogue) -> dict[str, bool]:
    """The boolean attributes of a row: imports are reported to drop them."""
    kinds = {catalogue.theirs.get(key, key): spec.type for key, spec in catalogue.specs.items()}
    attributes: Mapping[str, Any] = row.body()["attributes"]
    return {
        name: value
        for name, value in attributes.items()
        if isinstance(value, bool) and kinds.get(name) is FieldType.BOOLEAN
    }
