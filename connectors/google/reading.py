"""Contacts from Google: all, the changed ones, or some by their resource names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.core.errors import ApiError, CursorExpired, ErrorKind
from connectors.core.fanout import batched
from connectors.core.types import Page, ReadMode, ReadQuery
from connectors.google.client import CONNECTIONS, CONTACT_SOURCE, GoogleClient
from connectors.google.fields import PERSON_FIELDS
from connectors.google.refusals import EXPIRED_SYNC_TOKEN
from connectors.google.wire import decode, former_names, is_deleted, name_of

PAGE = 1000
IDS_AT_ONCE = 200
NAME_PREFIX = "people/"


@dataclass(frozen=True, slots=True)
class Listing:
    """One answer of connections.list; `sync_token` is on the last page only."""

    people: list[dict[str, Any]]
    next_page: str
    sync_token: str


class Reader:
    """The pages of `read`, and people as they are now for whoever needs them before writing."""

    def __init__(self, client: GoogleClient) -> None:
        self._client = client

    def read(self, query: ReadQuery) -> Iterator[Page]:
        match query.mode:
            case ReadMode.IDS:
                return self._by_ids(query)
            case ReadMode.CHANGES:
                return self._listed(query, query.since)
        return self._listed(query, None)

    def pages(
        self, fields: str, *, size: int = PAGE, sync_token: str = "", page_token: str = "", synced: bool = True
    ) -> Iterator[Listing]:
        """Every page of a list from `page_token` on; with `sync_token`, only of what changed.

        `synced` asks for a sync token. Raises CursorExpired for a token that Google no longer takes; whoever comes
        back with a token has to come with the same parameters (sheet 4.4).
        """
        params = [("personFields", fields), ("sources", CONTACT_SOURCE), ("pageSize", str(size))]
        params += [("requestSyncToken", "true")] if synced else []
        params += [("syncToken", sync_token)] if sync_token else []
        first = True
        while True:
            try:
                listing = self._page(params, page_token)
            except ApiError as e:
                brought = first and bool(sync_token or page_token) and e.status == 400
                if e.detail == EXPIRED_SYNC_TOKEN or brought:
                    raise CursorExpired from e
                raise
            # A list that breaks off must not be taken for a whole one.
            if not listing.next_page and synced and not listing.sync_token:
                raise ApiError(ErrorKind.TRANSIENT, "Google's list ended without saying so; it is read again.")
            if listing.next_page and listing.next_page == page_token:
                raise ApiError(ErrorKind.TRANSIENT, "Google answered with the same page twice; it is read again.")
            yield listing
            if not listing.next_page:
                return
            page_token, first = listing.next_page, False

    def newest(self, fields: str) -> list[dict[str, Any]]:
        """The contacts that were made or changed last, a page of them."""
        params = [("personFields", fields), ("sources", CONTACT_SOURCE), ("pageSize", str(PAGE))]
        return self._page([*params, ("sortOrder", "LAST_MODIFIED_DESCENDING")], "").people

    def people(self, names: Sequence[str], fields: str = PERSON_FIELDS) -> dict[str, dict[str, Any]]:
        """Those that exist, by the names they were asked for; the answer may name them otherwise (sheet 4.3)."""
        found: dict[str, dict[str, Any]] = {}
        wanted = [name for name in dict.fromkeys(names) if name.startswith(NAME_PREFIX)]
        for some in batched(wanted, IDS_AT_ONCE):
            params = [("personFields", fields), ("sources", CONTACT_SOURCE)]
            reply = self._client.ask("/v1/people:batchGet", params + [("resourceNames", name) for name in some])
            answers = reply.member("responses")
            if not isinstance(answers, list):
                raise ApiError(ErrorKind.TRANSIENT, "Google's answer does not list contacts.")
            found |= _existing(answers, some)
        return found

    def _page(self, params: list[tuple[str, str]], page_token: str) -> Listing:
        reply = self._client.ask(CONNECTIONS, params + ([("pageToken", page_token)] if page_token else []))
        body = reply.json
        people = body.get("connections", []) if isinstance(body, dict) else None
        if not isinstance(people, list):
            raise ApiError(ErrorKind.TRANSIENT, "Google's answer does not list contacts.")
        named = [person for person in people if isinstance(person, dict) and name_of(person)]
        return Listing(named, str(body.get("nextPageToken") or ""), str(body.get("nextSyncToken") or ""))

    def _listed(self, query: ReadQuery, since: datetime | None) -> Iterator[Page]:
        """Everything, or what changed since the cursor's sync token.

        Google has no filter by time: changes without a cursor are everything, of which only those since are kept.
        """
        held = dict(query.cursor or {})
        sync_token, size = str(held.get("sync_token") or ""), int(held.get("size") or min(query.limit or PAGE, PAGE))
        listings = self.pages(
            PERSON_FIELDS, size=size, sync_token=sync_token, page_token=str(held.get("page_token") or "")
        )
        for listing in listings:
            cursor: dict[str, Any] = {"size": size, "sync_token": listing.sync_token}
            if listing.next_page:
                cursor = {"size": size, "sync_token": sync_token, "page_token": listing.next_page}
            yield _page_of(listing, cursor, None if sync_token else since)

    def _by_ids(self, query: ReadQuery) -> Iterator[Page]:
        batches = list(batched(query.ids, IDS_AT_ONCE))
        for number, some in enumerate(batches, 1):
            found = self.people(some)
            records = [decode({**person, "metadata": _with_former(person, name)}) for name, person in found.items()]
            absent = [name for name in some if name not in found]
            yield Page(records, last=number == len(batches), deleted_ids=absent)


def _page_of(listing: Listing, cursor: Mapping[str, Any], since: datetime | None) -> Page:
    alive = [decode(person) for person in listing.people if not is_deleted(person)]
    moved = {former for person in listing.people for former in former_names(person)}
    # Merged into another contact is not deleted: the link moves on with it.
    deleted = [name_of(p) for p in listing.people if is_deleted(p) and name_of(p) not in moved]
    recent = [r for r in alive if since is None or r.updated_at is None or r.updated_at >= since]
    return Page(recent, cursor, last=not listing.next_page, deleted_ids=deleted)


def _existing(answers: list[Any], asked: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Raises ApiError (TRANSIENT) unless every name asked for is answered: a gap must not look like a deletion."""
    rows = {str(row.get("requestedResourceName")): row for row in answers if isinstance(row, dict)}
    found: dict[str, dict[str, Any]] = {}
    for name in asked:
        row = rows.get(name, {})
        person, status = row.get("person"), row.get("httpStatusCode")
        if status == 200 and isinstance(person, dict) and name_of(person):
            if not is_deleted(person):
                found[name] = person
        elif status != 404:
            raise ApiError(ErrorKind.TRANSIENT, f"Google did not say how a contact is doing ({status}).")
    return found


def _with_former(person: Mapping[str, Any], asked: str) -> dict[str, Any]:
    """The metadata, which tells of a name that was asked for and is no longer the contact's."""
    metadata = dict(person.get("metadata") or {})
    if asked != name_of(person):
        metadata["previousResourceNames"] = [*former_names(person), asked]
    return metadata
