"""What belongs to the account and not to one record: its time zone, people and pipelines, each read once."""

from __future__ import annotations

from datetime import UTC, tzinfo
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.amocrm.client import AmoClient
from connectors.amocrm.lists import listed, pages
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import Options


class Account:
    """The facts of one account, for as long as its connector lives."""

    def __init__(self, client: AmoClient) -> None:
        self._client = client

    @cached_property
    def zone(self) -> tzinfo:
        """The account's time zone, in which its dates begin; UTC where it is not told."""
        reply = self._client.get("/api/v4/account", params={"with": "datetime_settings"})
        name = reply.member("_embedded", "datetime_settings", "timezone")
        try:
            return ZoneInfo(str(name)) if name else UTC
        except (ZoneInfoNotFoundError, ValueError):
            return UTC

    @cached_property
    def users(self) -> Options:
        """(id, name) of everybody; nothing where only an administrator may see them (sheet 8)."""
        try:
            found = [user for page in pages(self._client, "/api/v4/users", "users", {}) for user in page]
        except ApiError as e:
            if e.kind is not ErrorKind.CONFIG or e.status != 403:
                raise
            return ()
        return tuple((str(user["id"]), str(user.get("name") or user["id"])) for user in found)

    @cached_property
    def _pipelines(self) -> list[dict[str, Any]]:
        # Not in pages, unlike every other list (sheet 8).
        reply = self._client.get("/api/v4/leads/pipelines")
        return [] if reply.status == 204 else listed(reply.json, "pipelines")

    @property
    def pipelines(self) -> Options:
        """(id, name) of each."""
        return tuple((str(p["id"]), str(p.get("name") or p["id"])) for p in self._pipelines)

    @property
    def statuses(self) -> tuple[tuple[str, Options], ...]:
        """For each pipeline's id its statuses as (id, name). The last two, won and lost, are the same ones in all."""
        return tuple((str(p["id"]), _statuses(p)) for p in self._pipelines)


def _statuses(pipeline: dict[str, Any]) -> Options:
    if not isinstance(pipeline.get("_embedded"), dict):
        return ()
    return tuple((str(s["id"]), str(s.get("name") or s["id"])) for s in listed(pipeline, "statuses"))
