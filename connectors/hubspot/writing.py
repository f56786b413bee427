"""Contacts to HubSpot in batches of 100: what each row's answer was, and what to do about refused ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.core.batches import Place
from connectors.core.delivery import Ledger
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import Call
from connectors.core.replies import Reply
from connectors.core.types import Change, Op, Outcome, Result
from connectors.hubspot.client import Addresses, HubSpotClient, existing_id, refusals, value_error
from connectors.hubspot.wire import EMAIL, encode_values, same_email

BATCH = 100
UPSERT, UPDATE, ARCHIVE = "upsert", "update", "archive"


def email_of(change: Change) -> str:
    """The address by which HubSpot tells this contact from others, "" when there is none."""
    if change.key is not None and change.key.name == EMAIL:
        return change.key.value.strip()
    return str({**(change.all_values or {}), **change.values}.get(EMAIL) or "").strip()


def upsert_properties(change: Change) -> dict[str, str]:
    """Everything we own, as HubSpot refuses partial upserts by e-mail; what we lack is not cleared unless asked."""
    known = {key: value for key, value in (change.all_values or {}).items() if value is not None}
    return encode_values({**known, **change.values, EMAIL: email_of(change)})


class Writer:
    """`place` and `send` of a Delivery."""

    def __init__(self, client: HubSpotClient, addresses: Addresses) -> None:
        self._client, self._path = client, addresses.contacts

    def place(self, change: Change) -> Place:
        """Raises ApiError (DATA) for a change that cannot be sent."""
        email = same_email(email_of(change))
        if change.op in (Op.UPSERT, Op.CREATE):
            if not email:
                raise _no_email()
            return Place(UPSERT, (f"email:{email}",))
        if not change.external_id:
            raise ApiError(ErrorKind.BUG, "A change of a linked contact came without HubSpot's id.")
        by_id = f"id:{change.external_id}"
        if change.op is Op.DELETE:
            return Place(ARCHIVE, (by_id,))
        return Place(UPDATE, (by_id, f"email:{email}") if email else (by_id,))

    def send(self, ledger: Ledger) -> None:
        lane = ledger.batch.lane
        if lane == UPDATE:
            for change in ledger.batch.changes:
                if not change.values:
                    ledger.settle(_outcome(change, Result.UNCHANGED, change.external_id))
        if ledger.open:
            self._write(ledger, ledger.open, lane)

    def _write(self, ledger: Ledger, changes: Sequence[Change], lane: str) -> None:
        inputs = [_INPUTS[lane](change) for change in changes]
        expects = lane != ARCHIVE
        try:
            reply = self._client.send(
                Call("POST", f"{self._path}/batch/{lane}", json={"inputs": inputs}, expects_json=expects)
            )
        except ApiError as e:
            if e.kind not in (ErrorKind.DATA, ErrorKind.CONFLICT, ErrorKind.GONE):
                raise
            self._refused(ledger, changes, lane, e)
            return
        if lane == ARCHIVE and reply.json is None:
            for change in changes:
                ledger.settle(_outcome(change, Result.DELETED, change.external_id))
            return
        self._settle(ledger, changes, lane, reply)

    def _refused(self, ledger: Ledger, changes: Sequence[Change], lane: str, error: ApiError) -> None:
        """The request as a whole was refused: halve it until the culprit is alone."""
        if len(changes) == 1:
            self._alone(ledger, changes[0], lane, error)
            return
        _raise_if_everybodys(changes, error)
        if error.kind is ErrorKind.GONE and lane == UPSERT:
            raise ApiError(ErrorKind.CONFIG, "HubSpot does not know this address; check the API version.", status=404)
        middle = len(changes) // 2
        for half in (changes[:middle], changes[middle:]):
            self._write(ledger, half, lane)

    def _alone(self, ledger: Ledger, change: Change, lane: str, error: ApiError) -> None:
        """One refused row: another way in where there is one, else its failure."""
        if lane == UPSERT and error.kind is ErrorKind.CONFLICT and error.existing_id:
            self._update_existing(ledger, change, error.existing_id)
        elif lane == UPDATE and error.kind is ErrorKind.GONE and email_of(change):
            self._write(ledger, [change], UPSERT)
        elif lane == ARCHIVE and error.kind is ErrorKind.GONE:
            ledger.settle(_outcome(change, Result.DELETED, change.external_id))
        else:
            error.body = None
            ledger.fail(change, error)

    def _update_existing(self, ledger: Ledger, change: Change, number: str) -> None:
        """The address is a further one of another record: write that, and leave its main address alone."""
        properties = upsert_properties(change)
        properties.pop(EMAIL)
        try:
            reply = self._client.send(Call("PATCH", f"{self._path}/{number}", json={"properties": properties}))
        except ApiError as e:
            if e.recovery.stops_run:
                raise
            ledger.fail(change, e)
            return
        warning = f"The address is a further one of HubSpot's record {number}, which was updated."
        ledger.settle(
            Outcome(change.ref, Result.UPDATED, number, number, str(reply.member("updatedAt") or ""), warning=warning)
        )

    def _settle(self, ledger: Ledger, changes: Sequence[Change], lane: str, reply: Reply) -> None:
        results = reply.member("results")
        if not isinstance(results, list):
            raise ApiError(ErrorKind.TRANSIENT, "HubSpot's answer does not list what it wrote.", status=reply.status)
        index = _Index(changes, lane)
        for result in results:
            change = index.of_result(result)
            if change is not None:
                ledger.settle(_written(change, result))
        untraced: ApiError | None = None
        for problem in reply.member("errors") or ():
            error = _row_error(problem)
            culprits = index.of_error(problem)
            for change in culprits:
                if ledger.is_open(change):
                    self._alone(ledger, change, lane, error)
            untraced = untraced if culprits else error
        rest = [change for change in changes if ledger.is_open(change)]
        if rest:
            self._settle_rest(ledger, rest, lane, untraced, len(rest) == len(changes))

    def _settle_rest(
        self, ledger: Ledger, rest: Sequence[Change], lane: str, untraced: ApiError | None, nothing_settled: bool
    ) -> None:
        """Rows of which the answer says nothing. They are only sent again in smaller company."""
        if untraced is not None:
            if len(rest) == 1 or nothing_settled:
                self._refused(ledger, rest, lane, untraced)
            else:
                self._write(ledger, rest, lane)
        elif lane == UPDATE:
            # Unknown ids may simply be absent from the answer.
            reachable = [change for change in rest if email_of(change)]
            if reachable:
                self._write(ledger, reachable, UPSERT)
        elif lane == UPSERT:
            for change in rest:
                self._look_up(ledger, change)
        gone = ApiError(ErrorKind.GONE, "HubSpot no longer has this record.")
        for change in rest:
            ledger.fail(change, gone)

    def _look_up(self, ledger: Ledger, change: Change) -> None:
        """Written under another main address, or not at all: ask for the address by itself."""
        address = email_of(change).replace("%", "%25").replace("/", "%2F").replace("?", "%3F").replace("#", "%23")
        path = f"{self._path}/{address}"
        try:
            reply = self._client.send(
                Call("GET", path, endpoint=f"{self._path}/{{email}}", params={"idProperty": EMAIL})
            )
        except ApiError as e:
            if e.recovery.stops_run:
                raise
            missing = ApiError(ErrorKind.TRANSIENT, "HubSpot did not say what became of this contact.")
            ledger.fail(change, missing if e.kind is ErrorKind.GONE else e)
            return
        ledger.settle(_written(change, reply.json if isinstance(reply.json, dict) else {}))


class _Index:
    """Finds the change that a row of the answer speaks of; rows come in any order and any letter case."""

    def __init__(self, changes: Sequence[Change], lane: str) -> None:
        self._by_trace = {str(change.ref): change for change in changes}
        by_email = lane == UPSERT
        self._by_key = {same_email(email_of(c)) if by_email else c.external_id: c for c in changes}
        self._by_email = by_email

    def of_result(self, result: Any) -> Change | None:
        if not isinstance(result, dict):
            return None
        traced = self._by_trace.get(str(result.get("objectWriteTraceId")))
        if traced is not None:
            return traced
        if not self._by_email:
            return self._by_key.get(str(result.get("id")))
        properties = result.get("properties")
        email = properties.get(EMAIL) if isinstance(properties, dict) else None
        return self._by_key.get(same_email(str(email or "")))

    def of_error(self, problem: Any) -> list[Change]:
        context = problem.get("context") if isinstance(problem, dict) else None
        if not isinstance(context, dict):
            return []
        traced = [self._by_trace.get(str(t)) for t in _strings(context.get("objectWriteTraceId"))]
        named = [self._by_key.get(same_email(i)) for i in _strings(context.get("ids"))]
        return list({change.ref: change for change in traced + named if change is not None}.values())


def _strings(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else []


def _row_error(problem: Any) -> ApiError:
    body: Mapping[str, Any] = problem if isinstance(problem, dict) else {}
    category = str(body.get("category") or "")
    if category == "OBJECT_NOT_FOUND":
        return ApiError(ErrorKind.GONE, "HubSpot no longer has this record.", detail=category)
    number = existing_id(body)
    if category == "CONFLICT" or number:
        sentence = f"HubSpot has another contact with this e-mail address (record {number}); merge the two there."
        return ApiError(ErrorKind.CONFLICT, sentence, existing_id=number, detail=category)
    return value_error(body)


def _raise_if_everybodys(changes: Sequence[Change], error: ApiError) -> None:
    """A property that is missing in the account fails every row that carries it: no use in halving."""
    body = error.body if isinstance(error.body, dict) else {}
    for code, name in refusals(body):
        everybody = all(name in change.values or name in (change.all_values or {}) for change in changes)
        if code in ("PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE") and everybody:
            raise ApiError(ErrorKind.CONFIG, error.message, status=error.status, field=name, detail=error.detail)


def _written(change: Change, result: Mapping[str, Any]) -> Outcome:
    how = Result.CREATED if result.get("new") is True else Result.UPDATED
    return _outcome(change, how, str(result.get("id") or change.external_id), str(result.get("updatedAt") or ""))


def _outcome(change: Change, result: Result, number: str, version: str = "") -> Outcome:
    return Outcome(change.ref, result, external_id=number, external_ref=number, version=version)


def _no_email() -> ApiError:
    return ApiError(ErrorKind.DATA, "The contact has no e-mail address; HubSpot needs one.", field=EMAIL)


_INPUTS: dict[str, Any] = {
    UPSERT: lambda c: {
        "id": email_of(c),
        "idProperty": EMAIL,
        "properties": upsert_properties(c),
        "objectWriteTraceId": str(c.ref),
    },
    UPDATE: lambda c: {
        "id": c.external_id,
        "properties": encode_values(c.values),
        "objectWriteTraceId": str(c.ref),
    },
    ARCHIVE: lambda c: {"id": c.external_id},
}
