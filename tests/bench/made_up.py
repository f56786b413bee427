"""A connector whose pages are made in the process that pulls them: the hub's own pace, without HTTP and decoding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from connectors import services
from connectors.core.base import Connector
from connectors.core.types import (
    CONTACTS,
    Change,
    FieldSpec,
    Health,
    MatchKey,
    MultiValue,
    Outcome,
    Page,
    ReadQuery,
    RemoteRecord,
)
from connectors.models import Connection

PAGE = 250
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


class MadeUp(Connector):
    """Reads `people` people who do not exist, at their state number `edition`, from whatever connection it stands for.

    Their next edition differs by the first name of everybody.
    """

    people: ClassVar[int]
    edition: ClassVar[int]

    def __init__(self, connection: Connection) -> None:
        self.spec = connection.spec  # type: ignore[misc]
        self._rules = list(connection.rules.filter(entity=CONTACTS))

    def check(self) -> Health:
        return Health("made up")

    def describe(self, entity: str = CONTACTS) -> list[FieldSpec]:
        return [FieldSpec(rule.theirs, rule.theirs) for rule in self._rules]

    def read(self, query: ReadQuery) -> Iterator[Page]:
        theirs = {rule.ours: rule.theirs for rule in self._rules}
        for first in range(0, self.people, PAGE):
            last = first + PAGE >= self.people
            records = [_record(i, theirs, self.edition) for i in range(first, min(first + PAGE, self.people))]
            yield Page(records, None if last else {"page": first // PAGE + 2}, last=last)

    def find(self, entity: str, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        return {}

    def write(self, entity: str, changes: Iterable[Change]) -> Iterator[Outcome]:
        yield from ()

    def close(self) -> None:
        """There is nothing to close."""


def _record(i: int, theirs: Mapping[str, str], edition: int) -> RemoteRecord:
    ours: dict[str, Any] = {
        "first_name": f"Имя{i}" + "а" * edition,
        "last_name": f"Фамилия{i}",
        "emails": [MultiValue(f"made{i}@example.com", "work", True)],
        "phones": [MultiValue(f"8 926 {i // 10000:03d}-{i // 100 % 100:02d}-{i % 100:02d}", "work", True)],
        "job_title": "Buyer",
    }
    values = {theirs[name]: value for name, value in ours.items() if name in theirs}
    changed = SINCE + timedelta(seconds=i, days=edition)
    return RemoteRecord(str(1_000_000 + i), values, str(edition), changed, SINCE, str(1_000_000 + i))


def install(people: int, edition: int = 0) -> None:
    """From now on every connection of this process is made up."""
    MadeUp.people, MadeUp.edition = people, edition

    def made_up(connection: Connection, **options: Any) -> Connector:
        return MadeUp(connection)

    services.open_connector = made_up
