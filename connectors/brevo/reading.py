"""Contacts from Brevo: pages by creation, single ones, and the ids of many addresses at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from connectors.brevo.catalogue import Catalogue
from connectors.brevo.client import BrevoClient
from connectors.brevo.wire import decode_record, moment, same_email, stamp
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.fanout import batched
from connectors.core.http import Call
from connectors.core.replies import Reply
from connectors.core.types import MatchKey, Page, ReadMode, ReadQuery, RemoteRecord

PAGE = 1000
# The most that the list takes by id (sheet 8).
IDS_AT_ONCE = 20
# One request each is quicker than counting the account first.
FEW = 3
# There is no cursor: a deletion while we page pulls the rest forward, so pages overlap by some rows.
OVERLAP_ROWS = 10
OVERLAP_TIME = timedelta(minutes=2)
ONE = "/contacts/{identifier}"
Raw = Mapping[str, Any]


class Reader:
    """The pages of `read` and the answers of `find`."""

    def __init__(self, client: BrevoClient, catalogue: Catalogue) -> None:
        self._client, self._catalogue = client, catalogue

    def _decode(self, raw: Raw) -> RemoteRecord:
        return decode_record(raw, self._catalogue.ours, self._catalogue.specs)

    def page(self, offset: int, limit: int = PAGE, since: datetime | None = None) -> tuple[list[Raw], int]:
        """One page of contacts in the order of their creation, and how many there are. Raises ApiError."""
        params: dict[str, Any] = {"limit": limit, "offset": offset, "sort": "asc"}
        if since is not None:
            params["modifiedSince"] = stamp(since)
        return _listed(self._client.get("/contacts", params=params))

    def one(self, identifier: str, kind: str) -> Raw | None:
        """A contact by its `email_id` or `contact_id`, None when there is none."""
        path = f"/contacts/{quote(identifier, safe='')}"
        try:
            reply: Reply = self._client.send(Call("GET", path, endpoint=ONE, params={"identifierType": kind}))
        except ApiError as e:
            if e.kind is ErrorKind.GONE:
                return None
            raise
        return reply.json if isinstance(reply.json, dict) and "id" in reply.json else None

    def read(self, query: ReadQuery) -> Iterator[Page]:
        if query.mode is ReadMode.IDS:
            return self._by_ids(query)
        return self._pages(query)

    def _by_ids(self, query: ReadQuery) -> Iterator[Page]:
        batches = list(batched(query.ids, IDS_AT_ONCE))
        for number, ids in enumerate(batches, 1):
            found = self._several(ids)
            absent = [i for i in ids if i not in found]
            yield Page([self._decode(r) for r in found.values()], last=number == len(batches), deleted_ids=absent)

    def _several(self, ids: Sequence[str]) -> dict[str, Raw]:
        """The contacts that exist, by id. Only a 404 proves that one is gone: what a list leaves out is asked for."""
        found: dict[str, Raw] = {}
        if len(ids) > 1:
            reply = self._client.get("/contacts", params={"ids": list(ids), "limit": IDS_AT_ONCE})
            found = {str(raw["id"]): raw for raw in _listed(reply)[0] if str(raw["id"]) in ids}
        for identifier in ids:
            raw = None if identifier in found else self.one(identifier, "contact_id")
            if raw is not None:
                found[identifier] = raw
        return found

    def _pages(self, query: ReadQuery) -> Iterator[Page]:
        at = dict(query.cursor or {})
        changes = query.mode is ReadMode.CHANGES
        since = (moment(at.get("since")) or query.since) if changes else None
        started = str(at.get("started") or stamp(self._client.context.clock.now()))
        offset, known = int(at.get("offset") or 0), set(at.get("known") or ())
        limit = min(query.limit or PAGE, PAGE)
        overlap = min(OVERLAP_ROWS, limit // 2)
        while True:
            raw, count = self.page(offset, limit, since)
            last = len(raw) < limit or offset + len(raw) >= count
            fresh = [self._decode(r) for r in raw if r["id"] not in known]
            known = {r["id"] for r in raw[-overlap:]} if overlap else set()
            offset += max(len(raw) - overlap, 0)
            cursor = _cursor(since, started, offset, known)
            yield Page(fresh, _next_time(started) if last and changes else None if last else cursor, last, total=count)
            if last:
                return

    def find(self, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        emails = [key.value for key in keys if key.name == "email"]
        found = {("email", email): raw for email, raw in self._with_emails(emails)}
        ids = [key.value for key in keys if key.name != "email"]
        for some in batched(ids, IDS_AT_ONCE):
            found |= {("id", number): raw for number, raw in self._several(some).items()}
        hits = {key: found.get((key.name, same_email(key.value))) for key in keys}
        return {key: [self._decode(raw)] if raw is not None else [] for key, raw in hits.items()}

    def _with_emails(self, emails: Sequence[str]) -> Iterator[tuple[str, Raw]]:
        """(lower-cased address, contact) of those that exist: asked for singly, or met in a read of the account.

        Nothing finds several addresses at once, so the way that takes fewer requests is gone.
        """
        wanted = {same_email(email) for email in emails}
        if len(wanted) > FEW and len(wanted) > self.page(0, 1)[1] / PAGE + 1:
            yield from self._scan(wanted, None)
            return
        for email in sorted(wanted):
            raw = self.one(email, "email_id")
            if raw is not None:
                yield email, raw

    def by_email(self, emails: Iterable[str], since: datetime | None) -> Iterator[tuple[str, Raw]]:
        """(lower-cased address, contact) for every address that has one, in as few requests as can be.

        `since` is when they were last written, by Brevo's clock; those it does not show are looked for otherwise.
        """
        wanted = {same_email(e) for e in emails}
        if since is not None and len(wanted) > 1:
            yield from self._scan(wanted, since)
        if not wanted:
            return
        _first, count = self.page(0, 1)
        if len(wanted) > count / PAGE + 1:
            yield from self._scan(wanted, None)
        for email in sorted(wanted):
            raw = self.one(email, "email_id")
            if raw is not None:
                yield email, raw

    def _scan(self, wanted: set[str], since: datetime | None) -> Iterator[tuple[str, Raw]]:
        """Pages until every wanted address is found; takes the found ones out of `wanted`."""
        offset = 0
        while wanted:
            raw, count = self.page(offset, PAGE, since)
            for contact in raw:
                email = same_email(str(contact.get("email") or ""))
                if email in wanted:
                    wanted.discard(email)
                    yield email, contact
            offset += max(len(raw) - OVERLAP_ROWS, 0)
            if len(raw) < PAGE or offset + OVERLAP_ROWS >= count:
                return


def _listed(reply: Reply) -> tuple[list[Raw], int]:
    """The contacts of a list's answer, and how many match. Raises ApiError (TRANSIENT) for anything else."""
    listed, count = reply.member("contacts"), reply.member("count")
    if not isinstance(listed, list):
        raise ApiError(ErrorKind.TRANSIENT, "Brevo's answer does not list contacts.")
    return [c for c in listed if isinstance(c, dict) and "id" in c], count if isinstance(count, int) else 0


def _cursor(since: datetime | None, started: str, offset: int, known: set[int]) -> dict[str, Any]:
    return {
        "since": stamp(since) if since is not None else None,
        "started": started,
        "offset": offset,
        "known": sorted(known),
    }


def _next_time(started: str) -> dict[str, Any]:
    """Where the next read of changes begins: when this one began, with some overlap."""
    began = moment(started)
    return {"since": stamp(began - OVERLAP_TIME) if began is not None else None, "offset": 0}
