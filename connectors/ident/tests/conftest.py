"""The stand-in of a clinic in the test's own database, and short words for reading it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.core.clock import ManualClock
from connectors.core.testing import sandbox_context
from connectors.core.types import Page, ReadMode, ReadQuery
from connectors.ident.connector import Ident
from connectors.ident.database import Database
from connectors.ident.sandbox import IdentSandbox


@dataclass
class Clinic:
    """The stand-in, whose time is the database's own, and a connector that reads it."""

    ident: IdentSandbox
    asked: list[str]
    config: dict[str, Any] = field(default_factory=dict)
    cursor: dict[str, Any] | None = None
    open: list[Ident] = field(default_factory=list)

    def connector(self, **options: Any) -> Ident:
        config = self.config | options.pop("config", {})
        self.open.append(Ident(sandbox_context(Ident, self.ident, config=config, **options)))
        return self.open[-1]

    def pages(self, mode: ReadMode, **query: Any) -> list[Page]:
        connector = self.connector()
        try:
            return list(connector.read(ReadQuery(mode=mode, **query)))
        finally:
            connector.close()

    def full(self, **query: Any) -> list[str]:
        """Reads everything, and remembers where the changes begin."""
        return self._ids(self.pages(ReadMode.FULL, **query))

    def changes(self, **query: Any) -> list[str]:
        """The ids of the patients that changed since the last look, and of those that vanished with a minus."""
        return self._ids(self.pages(ReadMode.CHANGES, cursor=self.cursor, **query))

    def _ids(self, pages: Sequence[Page]) -> list[str]:
        self.cursor = dict(pages[-1].cursor or {})
        return [i for page in pages for i in (*(r.id for r in page.records), *(f"-{i}" for i in page.deleted_ids))]

    def at(self, **ago: float) -> datetime:
        """A naive time of the clinic's, so long ago."""
        return self.ident.now() - timedelta(**ago)

    def patient(self, last_name: str = "Белова", **columns: Any) -> str:
        return str(self.ident.add_patient(last_name=last_name, **columns))


@pytest.fixture
def clinic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clinic]:
    """Empty, with the clock of now. What is in it is committed, since the connector reads it by another connection."""
    request.getfixturevalue("django_db_setup")
    asked: list[str] = []
    rows = Database.rows

    def noted(self: Database, what: str, *rest: Any) -> Any:
        asked.append(what)
        return rows(self, what, *rest)

    monkeypatch.setattr(Database, "rows", noted)
    with request.getfixturevalue("django_db_blocker").unblock():
        ident = IdentSandbox(ManualClock(datetime.now(UTC)))
        ident.reset()
        made = Clinic(ident, asked)
        yield made
        for connector in made.open:
            connector.close()
        ident.reset()
