"""The People API over HTTP: its address, quotas and refusals; one write at a time for an account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlencode

from connectors.core.base import Context
from connectors.core.http import ApiClient, Call
from connectors.core.replies import Reply
from connectors.google.quotas import READ, quota_of, quotas
from connectors.google.refusals import info_of, read_refusal

API = "https://people.googleapis.com"
CONNECTIONS = "/v1/people/me/connections"
CONTACT_SOURCE = "READ_SOURCE_TYPE_CONTACT"
# Longer addresses are sent as forms, as Google's own client does.
LONGEST_QUERY = 2_000


class GoogleClient(ApiClient):
    """The HTTP client with Google's address, quotas and error bodies."""

    def __init__(
        self,
        context: Context,
        account: str,
        sign: Callable[[dict[str, str]], None] | None,
        refresh: Callable[[], bool] | None,
    ) -> None:
        super().__init__(
            context,
            str(context.config.get("base_url") or API).rstrip("/").removesuffix("/v1"),
            limits=quotas(context.config),
            account=account,
            sign=sign,
            refresh=refresh,
            classify=read_refusal,
            observe=self._learn,
        )
        self._turn = f"{account}:write"

    def ask(self, path: str, params: list[tuple[str, str]], endpoint: str = "") -> Reply:
        """A read, however long its parameters are."""
        query = urlencode(params)
        if len(query) <= LONGEST_QUERY:
            return self.send(Call("GET", f"{path}?{query}", endpoint=endpoint or path, limits=READ))
        headers = {"X-HTTP-Method-Override": "GET", "Content-Type": "application/x-www-form-urlencoded"}
        return self.send(
            Call("POST", path, endpoint=endpoint or path, body=query.encode(), headers=headers, limits=READ)
        )

    def mutate(self, call: Call) -> Reply:
        """A write, never beside another one of the same account (sheet 1, point 4)."""
        with self.context.turns.taken(self._turn):
            return self.send(call)

    def _learn(self, reply: Reply) -> None:
        """The project's real quota, which only its refusals tell."""
        if reply.status not in (403, 429):
            return
        told = info_of(reply.json).get("metadata")
        metadata = told if isinstance(told, dict) else {}
        value, limit = (
            str(metadata.get("quota_limit_value") or ""),
            self.limit(quota_of(str(metadata.get("quota_metric")))),
        )
        per_minute = str(metadata.get("quota_unit") or "").startswith("1/min")
        if limit is not None and per_minute and value.isdigit() and int(value) > 0:
            self.set_limit(replace(limit, requests=float(value)))
