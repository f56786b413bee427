from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.core.clock import ManualClock
from connectors.core.sandbox import SandboxReply, SandboxRequest
from connectors.core.testing import sandbox_context
from connectors.core.types import CONTACTS, Change, MatchKey, Op, Outcome
from connectors.google.connector import GoogleContacts
from connectors.google.sandbox import GoogleSandbox


class Account:
    """A sandbox, and short words for what tests do with it. `options` are the sandbox's."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("enforce_limits", False)
        self.sandbox = GoogleSandbox(ManualClock(), **options)
        self.connector = self.connect()

    def connect(self, **options: Any) -> GoogleContacts:
        config = {"rps": "" if self.sandbox.enforce_limits else 0} | options.pop("config", {})
        return GoogleContacts(sandbox_context(GoogleContacts, self.sandbox, config=config, **options))

    def add(self, **lists: list[dict[str, Any]]) -> str:
        return self.sandbox.person_adds(**lists)

    def held(self, name: str, member: str, part: str = "value") -> list[Any]:
        rows = self.sandbox.book.everybody[name].lists.get(member, [])
        return [row.get(part) for row in rows]

    def update(self, name: str, values: dict[str, Any], before: dict[str, Any] | None = None) -> Outcome:
        (outcome,) = self.write([Change(1, Op.UPDATE, values, external_id=name, before=before)])
        return outcome

    def write(self, changes: list[Change]) -> list[Outcome]:
        return sorted(self.connector.write(CONTACTS, changes), key=lambda o: o.ref)

    def create(self, count: int, bad: tuple[int, ...] = ()) -> list[Outcome]:
        return self.write([self.new(n, good=n not in bad) for n in range(count)])

    def new(self, number: int, *, good: bool = True) -> Change:
        values = self.sandbox.sample_values(number) if good else self.sandbox.bad_values(number)
        key = MatchKey("email", values["emailAddresses"])
        return Change(number, Op.CREATE, values, key=key, idempotency_key=str(number), all_values=values)

    def asked(self, path: str) -> int:
        return sum(path in seen.path for seen in self.sandbox.seen)

    def meanwhile(self, path: str, act: Callable[[], None], times: int = 1) -> None:
        """Somebody acts just before each of the next `times` requests to a path is carried out."""
        handle, left = self.sandbox.handle, [times]

        def handled(request: SandboxRequest) -> SandboxReply:
            if path in request.path and left[0] > 0:
                left[0] -= 1
                act()
            return handle(request)

        self.sandbox.handle = handled  # type: ignore[method-assign]


@pytest.fixture
def account() -> Account:
    return Account()
