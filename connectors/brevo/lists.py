"""The contact list that an import must name: the one chosen, else our own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from connectors.brevo.client import BrevoClient
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import Call
from connectors.core.replies import Reply

NAME = "crmsync"
PAGE = 50


class Lists:
    """`chosen` is the list id of the connection's settings, None when there is none."""

    def __init__(self, client: BrevoClient, chosen: int | None) -> None:
        self._client, self.chosen = client, chosen

    @cached_property
    def for_imports(self) -> int:
        """Raises ApiError."""
        if self.chosen is not None:
            return self.chosen
        for listed in self._all("lists"):
            if listed.get("name") == NAME:
                return int(listed["id"])
        return self._created("lists", {"name": NAME, "folderId": self._folder()})

    def _folder(self) -> int:
        first = next(self._all("folders"), None)
        return int(first["id"]) if first is not None else self._created("folders", {"name": NAME})

    def _all(self, kind: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            listed = self._client.get(f"/contacts/{kind}", params={"limit": PAGE, "offset": offset}).member(kind)
            page = [each for each in listed or () if isinstance(each, dict) and "id" in each]
            yield from page
            offset += PAGE
            if len(page) < PAGE:
                return

    def _created(self, kind: str, body: dict[str, Any]) -> int:
        # A second list of one name would be harmless, but confusing: rather fail and look again in the next run.
        reply: Reply = self._client.send(Call("POST", f"/contacts/{kind}", json=body, repeatable=False))
        number = reply.member("id")
        if not isinstance(number, int):
            raise ApiError(ErrorKind.TRANSIENT, "Brevo did not say which list it created.")
        return number
