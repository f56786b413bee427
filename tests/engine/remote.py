"""A person at the other end: creates, edits and deletes records as somebody in the remote system would."""

from __future__ import annotations

from typing import Any

import pytest

from connectors import services
from connectors.core.types import CONTACTS, Change, MatchKey, MultiValue, Op, ReadMode, ReadQuery, RemoteRecord
from tests.engine.conftest import Destination


class Remote:
    """Writes through the connector itself, past the hub; tests that need one are skipped where nothing can be read."""

    def __init__(self, destination: Destination) -> None:
        if not destination.connection.spec.entities[CONTACTS].read:
            pytest.skip("cannot be read")
        self.destination = destination
        self.connector = services.open_connector(destination.connection)
        rules = destination.connection.rules.all()
        self.theirs = {rule.ours: rule.theirs for rule in reversed(rules)}
        self.connector.prepare(CONTACTS, list(self.theirs.values()))
        self._made = 0

    def values(self, **ours: Any) -> dict[str, Any]:
        """Values by their field keys; `email` and `phone` stand for the lists where the system has lists."""
        found = {}
        for name, value in ours.items():
            plural = f"{name}s"
            if name in ("email", "phone") and plural in self.theirs:
                many = value if isinstance(value, list) else [value]
                found[self.theirs[plural]] = [MultiValue(v, primary=i == 0) for i, v in enumerate(many)]
            else:
                found[self.theirs[name]] = value
        return found

    def create(self, email: str, **ours: Any) -> str:
        self._made += 1
        values = self.values(email=email, **ours)
        upserts = self.connector.capabilities().upsert_key
        key = MatchKey(upserts or "email", email)
        op = Op.UPSERT if upserts else Op.CREATE
        return self._write(Change(self._made, op, values, key=key, all_values=values))

    def edit(self, external_id: str, email: str, **ours: Any) -> None:
        self._made += 1
        values = self.values(**ours)
        every = {**self.values(email=email), **values}
        key = MatchKey("email", email)
        self._write(Change(self._made, Op.UPDATE, values, external_id=external_id, key=key, all_values=every))

    def get(self, external_id: str) -> RemoteRecord:
        query = ReadQuery(CONTACTS, ReadMode.IDS, ids=[external_id])
        return next(r for page in self.connector.read(query) for r in page.records)

    def _write(self, change: Change) -> str:
        self.destination.sandbox.clock.sleep(1)
        (outcome,) = self.connector.write(CONTACTS, [change])
        assert outcome.ok, outcome.error
        return outcome.external_id or change.external_id
