"""Bitrix24 over HTTP: single methods and batches, the portal's bucket, and tokens in the body (sheets 1, 2, 6, 7)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import orjson

from connectors.bitrix24.address import Address
from connectors.bitrix24.commands import Answer, Command, answer_of
from connectors.bitrix24.operating import Operating
from connectors.bitrix24.refusals import FIRST_WAIT, OPERATING_LIMIT, QUERY_LIMIT, in_body, meaning, read_refusal
from connectors.core.base import Context
from connectors.core.http import ApiClient, Call
from connectors.core.replies import Reply
from connectors.core.types import RateLimit

# The counter drains by 2 a second and blocks above 50. Ten are left to others behind the same address.
BURST, DRAIN = 40, 2.0
PACE = RateLimit(BURST - 1 + DRAIN * 10, 10.0, burst=BURST, margin=0.03)
BUCKET = "default"
# A method that has used its time up is free again within ten minutes.
LONGEST_WAIT = 660.0
_LONGEST_PAUSE = 30.0
# Longer questions are sent in a body.
LONGEST_QUERY = 2_000


def pace(config: Mapping[str, Any]) -> tuple[RateLimit, ...]:
    """The documented bucket, or what `rps` says in its place; 0 ends it."""
    rps = config.get("rps")
    if rps in (None, ""):
        return (PACE,)
    return (RateLimit(float(rps), 1.0),) if float(rps) > 0 else ()


class BitrixClient(ApiClient):
    """The HTTP client with the portal's address, limits and error bodies."""

    def __init__(
        self,
        context: Context,
        address: Address,
        sign: Callable[[dict[str, str]], None] | None,
        refresh: Callable[[], bool] | None,
    ) -> None:
        limits = pace(context.config)
        super().__init__(
            context,
            address.base,
            limits=limits,
            account=f"bitrix24:{address.portal}",
            sign=sign,
            refresh=refresh,
            classify=read_refusal,
            observe=self._hold_bucket,
        )
        if context.max_tries > 1:
            self.pacing.longest_wait = LONGEST_WAIT
        self.operating = Operating(self.pacing, enforced=bool(limits))
        self._by_token = sign is not None
        self._blocked = 0

    def call(self, method: str, params: Mapping[str, Any] | None = None, *, counted: bool = True) -> Reply:
        """One method by itself. With `counted` false its time is too short to be counted. Raises ApiError."""
        limits = {**(self.operating.cost([method]) if counted else {}), BUCKET: 1}
        reply = self.send(Call("POST", f"/{method}.json", endpoint=method, json=params or {}, limits=limits))
        self.operating.note({"": method} if counted else {}, {"": reply.member("time")})
        return reply

    def batch(self, commands: Sequence[Command]) -> Answer:
        """Up to 50 commands that read, carried out in order, one request. Raises ApiError for the whole of it.

        Commands that failed by themselves are in the answer's errors; one that found its method's time used up holds
        the method back.
        """
        query = urlencode([("halt", "0"), *((f"cmd[{c.key}]", str(c)) for c in commands)])
        if self._by_token or len(query) > LONGEST_QUERY:
            return self._batch(commands, Call("POST", "/batch.json", endpoint="batch read", json=_body(commands)))
        return self._batch(commands, Call("GET", f"/batch.json?{query}", endpoint="batch read"))

    def batch_write(self, commands: Sequence[Command], *, repeatable: bool) -> Answer:
        """Up to 50 commands that write; at an address of its own, so that logs and metrics tell them from reads."""
        call = Call("POST", "/batch", endpoint="batch write", json=_body(commands), repeatable=repeatable)
        return self._batch(commands, call)

    def _batch(self, commands: Sequence[Command], call: Call) -> Answer:
        methods = {command.key: command.method for command in commands}
        limits = {**self.operating.cost(methods.values()), BUCKET: 1}
        reply = self.send(replace(call, limits=limits))
        answer = answer_of(reply.json, list(methods), reply.seconds)
        self.operating.note(methods, answer.times)
        for key, complaint in answer.errors.items():
            error = meaning(complaint)
            if error.detail == OPERATING_LIMIT and key in methods:
                self.operating.hold(methods[key], error.retry_after or FIRST_WAIT)
        return answer

    def send(self, call: Call) -> Reply:
        """Raises ApiError also for a complaint that comes with 200."""
        reply = super().send(call)
        error = in_body(reply) if call.expects_json else None
        if error is not None:
            raise error
        return reply

    def _exchange(self, call: Call, headers: Mapping[str, str], content: bytes | None) -> Reply:
        """Tokens travel in the body (sheet 1.2), where the signer can only reach headers."""
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        if not token:
            return super()._exchange(call, headers, content)
        kept = {name: value for name, value in headers.items() if name != "Authorization"}
        signed = orjson.dumps({**(call.json or {}), "auth": token})
        return super()._exchange(call, {**kept, "Content-Type": "application/json"}, signed)

    def _hold_bucket(self, reply: Reply) -> None:
        """A full bucket holds everybody back, longer each time: hammering is punished (sheet 7)."""
        if reply.status != 503 or reply.member("error") != QUERY_LIMIT:
            self._blocked = 0 if reply.ok else self._blocked
            return
        self._blocked += 1
        longest = min(FIRST_WAIT * 2.0**self._blocked, _LONGEST_PAUSE)
        self.pacing.hold((BUCKET,), random.uniform(longest / 2, longest))  # noqa: S311 - jitter, not a secret


def _body(commands: Sequence[Command]) -> dict[str, Any]:
    return {"halt": 0, "cmd": {command.key: str(command) for command in commands}}
