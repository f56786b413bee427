"""The stand-in's connections.list: pages, sync tokens that end after seven days, and parameters that have to match."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson

from connectors.core.clock import Clock
from connectors.core.sandbox import SandboxRequest
from connectors.google import sandbox_refusals as refusals
from connectors.google.sandbox_examination import mask
from connectors.google.sandbox_people import Book, Contact, shown

MOST, USUAL = 1000, 100
TOKEN_LIFE = timedelta(days=7).total_seconds()
_ORDERS = ("LAST_MODIFIED_ASCENDING", "LAST_MODIFIED_DESCENDING", "FIRST_NAME_ASCENDING", "LAST_NAME_ASCENDING")


class Lists:
    """`lag` is how many seconds a change takes to show up in the answer to a sync token."""

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book, self._clock = book, clock
        self.lag = 0.0

    def answer(self, request: SandboxRequest) -> dict[str, Any]:
        query = request.query
        members = mask(query.get("personFields"), "personFields")
        size = int(query.get("pageSize") or USUAL)
        synced = query.get("requestSyncToken") == "true" or "syncToken" in query
        order = query.get("sortOrder", _ORDERS[0])
        if not 1 <= size <= MOST or order not in _ORDERS or (synced and "sortOrder" in query):
            raise refusals.invalid()
        parameters = sorted((k, v) for k, v in request.query_lists.items() if k not in ("pageToken", "syncToken"))
        told = self._sync_token(query, parameters)
        at = _opened(query["pageToken"]) if query.get("pageToken") else {}
        if at and at["asked"] != [_plain(parameters), query.get("syncToken", "")]:
            raise refusals.invalid()
        start = at.get("start", self._book.revision)
        found = self._found(told, at.get("after", told["revision"] if told else 0))
        if order == _ORDERS[1]:
            found.reverse()
        page, rest = found[:size], found[size:]
        body: dict[str, Any] = {"connections": [shown(contact, members) for contact in page]} if page else {}
        if rest:
            asked = [_plain(parameters), query.get("syncToken", "")]
            body["nextPageToken"] = _sealed({"after": page[-1].revision, "start": start, "asked": asked})
        elif synced:
            body["nextSyncToken"] = self._next_sync_token(told, parameters, start)
        total = len(self._book.living())
        return {**body, **({"totalPeople": total, "totalItems": total} if total and not told else {})}

    def _found(self, told: Mapping[str, Any] | None, after: int) -> list[Contact]:
        found = self._book.since(after)
        if told is None:
            return [contact for contact in found if not contact.deleted]
        late = self._clock.now() - timedelta(seconds=self.lag)
        return [contact for contact in found if not self.lag or contact.changed <= late]

    def _sync_token(self, query: Mapping[str, str], parameters: Any) -> dict[str, Any] | None:
        if "syncToken" not in query:
            return None
        told = _opened(query["syncToken"])
        if told.get("parameters") != _plain(parameters):
            raise refusals.invalid()
        if self._clock.monotonic() - told["born"] > TOKEN_LIFE:
            raise refusals.expired_sync_token()
        return told

    def _next_sync_token(self, told: Mapping[str, Any] | None, parameters: Any, start: int) -> str:
        """It lives from the full read on; what has not shown up yet is told the next time."""
        seen = start
        if told is not None and self.lag:
            seen = max((c.revision for c in self._found(told, told["revision"])), default=told["revision"])
        born = told["born"] if told is not None else self._clock.monotonic()
        return _sealed({"revision": seen, "parameters": _plain(parameters), "born": born})


def _plain(parameters: Any) -> str:
    return orjson.dumps(parameters).decode()


def _sealed(held: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(held)).decode()


def _opened(token: str) -> dict[str, Any]:
    try:
        held = orjson.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError):
        raise refusals.invalid() from None
    return held if isinstance(held, dict) else {}
