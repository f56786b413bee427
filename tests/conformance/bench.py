"""What every case needs: a connector on its sandbox, changes to write, and how to send them again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.core.base import Connector
from connectors.core.clock import Clock, ManualClock
from connectors.core.errors import ApiError
from connectors.core.sandbox import Sandbox
from connectors.core.testing import sandbox_context
from connectors.core.types import CONTACTS, Capabilities, Change, MatchKey, Op, Outcome, Page, ReadQuery, RemoteRecord


@dataclass
class Bench:
    kind: type[Connector]
    sandbox_kind: type[Sandbox]
    entity: str = CONTACTS
    sandbox: Sandbox = field(init=False)
    connector: Connector = field(init=False)
    _opened: list[Connector] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.start(enforce_limits=False)

    def start(self, clock: Clock | None = None, **options: Any) -> None:
        self.sandbox = self.sandbox_kind(clock or ManualClock(), **options)
        self.sandbox.reset()
        self.connector = self.connect()

    def connect(self, **options: Any) -> Connector:
        config = {**self.sandbox.short, **options.pop("config", {})}
        self._opened.append(self.kind(sandbox_context(self.kind, self.sandbox, config=config, **options)))
        return self._opened[-1]

    def close(self) -> None:
        """Closes every connector that was opened."""
        for connector in self._opened:
            connector.close()

    @property
    def capabilities(self) -> Capabilities:
        return self.kind.spec.entities[self.entity]

    @property
    def key_field(self) -> str:
        """The field by which the entity's records are told apart."""
        return self.sandbox.key_field if self.entity == CONTACTS else next(iter(self.sample(0)))

    def sample(self, number: int) -> dict[str, Any]:
        return self.sandbox.sample_of(self.entity, number)

    def stored(self) -> list[dict[str, Any]]:
        return self.sandbox.stored(self.entity)

    def change(self, number: int, values: dict[str, Any] | None = None) -> Change:
        """The first write of a record, as the engine asks for it."""
        values = values or self.sample(number)
        name = self.capabilities.upsert_key
        key_name = name or next(iter(self.capabilities.find_keys), "")
        key = MatchKey(key_name, str(values[self.key_field])) if key_name else None
        op = Op.UPSERT if name else Op.CREATE
        return Change(number, op, values, key=key, idempotency_key=f"k{number}", all_values=values)

    def changes(self, count: int) -> Iterator[Change]:
        return (self.change(number) for number in range(count))

    def prepare(self) -> None:
        self.connector.prepare(self.entity, list(self.sample(0)))

    def write(self, changes: Iterable[Change]) -> tuple[dict[int, Outcome], list[Change], ApiError | None]:
        """Outcomes by ref, what was pulled, what was raised; no change has two outcomes or none."""
        pulled: list[Change] = []

        def noting() -> Iterator[Change]:
            for change in changes:
                pulled.append(change)
                yield change

        outcomes: list[Outcome] = []
        raised: ApiError | None = None
        try:
            outcomes.extend(self.connector.write(self.entity, noting()))
        except ApiError as e:
            raised = e
        assert sorted(o.ref for o in outcomes) == sorted(c.ref for c in pulled)
        return {o.ref: o for o in outcomes}, pulled, raised

    def fill(self, numbers: Iterable[int]) -> None:
        """Puts contacts in: over the connector, or past it where it never writes."""
        if not self.capabilities.write:
            for number in numbers:
                self.sandbox.store(self.sandbox.sample_values(number))
            return
        outcomes, _pulled, raised = self.write(self.change(number) for number in numbers)
        assert raised is None
        assert all(o.ok for o in outcomes.values())

    def again(self, count: int, outcomes: dict[int, Outcome]) -> Iterator[Change]:
        """What the engine sends next time: contacts without an id once more, looked for first where that is needed."""
        for number in range(count):
            outcome = outcomes.get(number)
            if outcome is not None and outcome.ok:
                continue
            change = self.change(number)
            if not self.capabilities.upsert_key and self.capabilities.find_keys and change.key is not None:
                found = self.connector.find(self.entity, [change.key])[change.key]
                if found:
                    change = replace(change, op=Op.UPDATE, external_id=found[0].id)
            yield change

    @staticmethod
    def plain(value: Any) -> str:
        """A value in lower case; of a list of several, the first."""
        return str(value[0].value if isinstance(value, list) else value).lower()

    def stored_keys(self) -> list[str]:
        name = self.key_field
        return sorted(str(p.get(name) or p.get(name.lower())).lower() for p in self.stored())

    def expected_keys(self, count: int) -> list[str]:
        return sorted(str(self.sample(n)[self.key_field]).lower() for n in range(count))

    def read_all(self, query: ReadQuery) -> list[RemoteRecord]:
        return [record for page in self.pages(query) for record in page.records]

    def pages(self, query: ReadQuery) -> list[Page]:
        """Of this bench's entity, whatever the query says."""
        return list(self.connector.read(replace(query, entity=self.entity)))
