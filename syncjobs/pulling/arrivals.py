"""Records on their way in: what can be told of them without the database, in the thread that reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from connectors.core.types import RemoteRecord
from contacts.matching import Keys
from contacts.records import ContactRecord
from syncjobs.pulling.agreement import Agreement
from syncjobs.pulling.merging import as_record
from syncjobs.pulling.rules import PullRules, Taken


@dataclass(slots=True)
class Contents:
    """What the rules read in a record: the contact made of it, what that can be told by, and the snapshot of it."""

    taken: Taken
    contact: ContactRecord
    keys: Keys
    snapshot: dict[str, object]


@dataclass(slots=True)
class Arrival:
    """A record with its digest; `contents` once somebody has asked for it, as unchanged ones are not read."""

    record: RemoteRecord
    digest: bytes
    contents: Contents | None = None


@dataclass(slots=True)
class Batch:
    """Records as they were read. `asked_at`: they were asked for no earlier than this."""

    arrivals: list[Arrival] = field(default_factory=list)
    deleted_ids: list[str] = field(default_factory=list)
    asked_at: datetime | None = None


class Arrivals:
    """Makes records ready. While `eager`, as when most of the last batch were new, all of them are read ahead."""

    def __init__(self, rules: PullRules, agreement: Agreement) -> None:
        self._rules, self._agreement = rules, agreement
        self.eager = False

    def of(self, records: Iterable[RemoteRecord]) -> list[Arrival]:
        found = [Arrival(record, self._rules.digest(record.values)) for record in records]
        if self.eager:
            for arrival in found:
                self.read(arrival)
        return found

    def read(self, arrival: Arrival) -> Contents:
        """What the rules read in the record."""
        if arrival.contents is None:
            record = arrival.record
            taken = self._rules.read(record.values)
            contact = as_record(taken)
            snapshot = self._agreement.snapshot(taken, record.values)
            arrival.contents = Contents(taken, contact, Keys.of(contact, record.id), snapshot)
        return arrival.contents
