"""Records to amoCRM in batches of up to 250: what became of each, and what to do about refused ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from connectors.amocrm.catalogue import Catalogue
from connectors.amocrm.client import AmoClient, complaints, refused_value
from connectors.amocrm.finding import Finder
from connectors.amocrm.points import comparer, merged, rows, same_email
from connectors.amocrm.reading import Reader
from connectors.amocrm.wire import MULTI, encode, encode_own, whole_name
from connectors.core.batches import Batcher, Place
from connectors.core.delivery import Ledger
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import Call
from connectors.core.replies import Reply
from connectors.core.types import Change, Op, Outcome, Result

BATCH = 250
SMALLEST_BATCH = 10
CREATE, UPDATE = "create", "update"
GATEWAY_TIMEOUT = 504

Row = tuple[Change, dict[str, Any]]


class Writer:
    """`place` and `send` of a Delivery for one entity; `batcher` forms its batches, smaller ones after a 504.

    The finder is told of what was created, so that it need not read that again.
    """

    def __init__(self, client: AmoClient, catalogue: Catalogue, reader: Reader, finder: Finder, region: str) -> None:
        self._client, self._catalogue, self._reader, self._finder = client, catalogue, reader, finder
        self._entity, self._region = catalogue.entity, region
        self.batcher = Batcher(self.place, BATCH)

    def place(self, change: Change) -> Place:
        """Raises ApiError (DATA) for a change that cannot be sent."""
        if change.op is Op.UPDATE:
            if not change.external_id:
                raise ApiError(ErrorKind.BUG, f"A change of a linked {self._entity.noun} came without amoCRM's id.")
            return Place(UPDATE, (f"id:{change.external_id}",))
        if change.op is not Op.CREATE:
            raise ApiError(ErrorKind.BUG, "amoCRM has neither upserts nor deletions.")
        if change.key is None:
            raise ApiError(ErrorKind.DATA, _NAMELESS.format(self._entity.noun))
        # People who share a phone are different people; of one address there is only one.
        keys = (f"email:{same_email(change.key.value)}",) if change.key.name == "email" else ()
        return Place(CREATE, keys)

    def send(self, ledger: Ledger) -> None:
        prepared = self._created(ledger) if ledger.batch.lane == CREATE else self._updated(ledger)
        if prepared:
            self._write(ledger, prepared, ledger.batch.lane)

    def _created(self, ledger: Ledger) -> list[Row]:
        zone = self._zone(ledger.open)
        return self._encoded(ledger, {change.ref: change.values for change in ledger.open}, zone, {})

    def _updated(self, ledger: Ledger) -> list[Row]:
        """Only what differs. A PATCH replaces all values of a field, so lists are read first, in one request."""
        ids = [c.external_id for c in ledger.open if any(key in c.values for key in MULTI)]
        held = self._reader.raw_by_ids(ids)
        for change in ledger.open:
            if not change.values:
                ledger.settle(_outcome(change, Result.UNCHANGED, change.external_id))
            elif change.external_id in ids and change.external_id not in held:
                ledger.fail(change, self._gone())
        zone = self._zone(ledger.open)
        values = {c.ref: whole_name(c.values, c.all_values, c.before) for c in ledger.open}
        return self._encoded(ledger, values, zone, held)

    def _zone(self, changes: Sequence[Change]) -> tzinfo:
        return self._catalogue.zone_for([key for change in changes for key in change.values])

    def _encoded(
        self, ledger: Ledger, values: Mapping[int, Mapping[str, Any]], zone: tzinfo, held: Mapping[str, dict[str, Any]]
    ) -> list[Row]:
        """The bodies of what has to be sent; a value that fits no field fails its own record."""
        prepared: list[Row] = []
        for change in ledger.open:
            try:
                body = self._body(change, values[change.ref], zone, held.get(change.external_id))
            except ApiError as e:
                ledger.fail(change, e)
                continue
            if not body and change.external_id:
                ledger.settle(_outcome(change, Result.UNCHANGED, change.external_id))
                continue
            named = {"id": int(change.external_id)} if change.external_id else {}
            prepared.append((change, {**named, **body, "request_id": str(change.ref)}))
        return prepared

    def _body(
        self, change: Change, values: Mapping[str, Any], zone: tzinfo, theirs: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        body: dict[str, Any] = {}
        custom: list[dict[str, Any]] = []
        for key, value in values.items():
            own = self._catalogue.own.get(key)
            if own is not None:
                body[key] = encode_own(value, own)
                continue
            known = self._catalogue.custom.get(key)
            if known is None:
                raise ApiError(ErrorKind.DATA, f"amoCRM has no {self._entity.noun} field {key}.", field=key)
            if key in MULTI:
                sent = self._points(key, known.id, value, change.before, theirs)
                if sent is not None:
                    custom.append({"field_id": known.id, "values": sent or None})
            elif change.external_id or value is not None:
                custom.append(encode(value, known, zone))
        return {**body, "custom_fields_values": custom} if custom else body

    def _points(
        self, key: str, number: int, value: Any, before: Mapping[str, Any] | None, theirs: Mapping[str, Any] | None
    ) -> list[dict[str, Any]] | None:
        """The values of a phone or e-mail field, None when there is nothing to send."""
        if theirs is None:
            return rows(key, value) or None
        fields = [f for f in theirs.get("custom_fields_values") or () if f.get("field_id") == number]
        held = fields[0].get("values") or [] if fields else []
        return merged(key, held, value, (before or {}).get(key), comparer(key, self._region))

    def _write(self, ledger: Ledger, prepared: Sequence[Row], lane: str) -> None:
        method = "POST" if lane == CREATE else "PATCH"
        # There is no idempotency key: a create that may have arrived is not repeated but looked up by the engine.
        call = Call(method, self._entity.path, json=[body for _change, body in prepared], repeatable=lane == UPDATE)
        try:
            reply = self._client.send(call)
        except ApiError as e:
            if e.status == GATEWAY_TIMEOUT:
                self.batcher.size = max(self.batcher.size // 2, SMALLEST_BATCH)
                if lane == UPDATE and len(prepared) > SMALLEST_BATCH:
                    self._halve(ledger, prepared, lane)
                    return
            if e.kind is ErrorKind.UNKNOWN:
                self._finder.doubt()
            if e.kind not in (ErrorKind.DATA, ErrorKind.GONE, ErrorKind.CONFLICT):
                raise
            self._refused(ledger, prepared, lane, e)
            return
        self.batcher.size = min(self.batcher.size + SMALLEST_BATCH, BATCH)
        self._settle(ledger, prepared, lane, reply)

    def _refused(self, ledger: Ledger, prepared: Sequence[Row], lane: str, error: ApiError) -> None:
        """One bad item refuses the whole batch: those that the answer names are left out, else the batch is halved."""
        named = complaints(error.body)
        by_trace = {body["request_id"]: change for change, body in prepared}
        by_index = {str(i): change for i, (change, _body) in enumerate(prepared)}
        index = by_trace if named.keys() <= by_trace.keys() else by_index
        culprits = {index[trace].ref: facts for trace, facts in named.items() if trace in index}
        for change, _body in prepared:
            if change.ref in culprits:
                code, path = culprits[change.ref]
                ledger.fail(change, self._gone() if path == "id" else refused_value(code, path))
        rest = [row for row in prepared if row[0].ref not in culprits]
        if culprits:
            if rest:
                self._write(ledger, rest, lane)
        elif len(rest) == 1:
            error.body = None
            ledger.fail(rest[0][0], self._gone() if error.kind is ErrorKind.GONE else error)
        else:
            self._halve(ledger, rest, lane)

    def _halve(self, ledger: Ledger, prepared: Sequence[Row], lane: str) -> None:
        middle = len(prepared) // 2
        for half in (prepared[:middle], prepared[middle:]):
            self._write(ledger, half, lane)

    def _settle(self, ledger: Ledger, prepared: Sequence[Row], lane: str, reply: Reply) -> None:
        """Answers are told apart by request_id (create) or id (update); their order means nothing."""
        embedded = reply.member("_embedded", self._entity.name)
        results = [r for r in embedded if isinstance(r, dict)] if isinstance(embedded, list) else []
        if lane == CREATE:
            self._settle_created(ledger, prepared, results)
            return
        by_id = {str(r.get("id")): r for r in results}
        for change, _body in prepared:
            result = by_id.get(change.external_id)
            if result is None:
                ledger.fail(change, self._gone())
            else:
                version = str(result.get("updated_at") or "")
                ledger.settle(_outcome(change, Result.UPDATED, change.external_id, version))

    def _settle_created(self, ledger: Ledger, prepared: Sequence[Row], results: Sequence[Mapping[str, Any]]) -> None:
        by_trace = {body["request_id"]: change for change, body in prepared}
        by_index = {str(i): change for i, (change, _body) in enumerate(prepared)}
        traces = {str(r.get("request_id")) for r in results}
        index = by_trace if traces <= by_trace.keys() else by_index
        for result in results:
            change = index.get(str(result.get("request_id")))
            if change is not None and result.get("id"):
                self._finder.created(str(result["id"]), change.values)
                ledger.settle(_outcome(change, Result.CREATED, str(result["id"])))
        # Without a word about it, it may have been created: it is looked for before it is sent again.
        silent = ApiError(ErrorKind.UNKNOWN, f"amoCRM did not say what became of this {self._entity.noun}.")
        for change, _body in prepared:
            if ledger.is_open(change):
                self._finder.doubt()
                ledger.fail(change, silent)

    def _gone(self) -> ApiError:
        return ApiError(
            ErrorKind.GONE, f"amoCRM no longer has this {self._entity.noun}: it was deleted or merged there."
        )


_NAMELESS = "The {} has nothing by which amoCRM could tell it from others, such as an e-mail address, phone or name."


def _outcome(change: Change, result: Result, number: str, version: str = "") -> Outcome:
    return Outcome(change.ref, result, external_id=number, external_ref=number, version=version)
