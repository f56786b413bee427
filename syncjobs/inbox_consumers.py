"""Who wants to know that remote records changed: consumers by entity, and the hub's own for contacts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connectors.core.types import CONTACTS
from connectors.models import Connection
from syncjobs import pull
from syncjobs.models import Run, RunStatus
from syncjobs.sources import feeds_the_hub

Consume = Callable[[Connection, Sequence[str], str], Run | None]
Follows = Callable[[Connection], bool]
TRIGGER = "webhook"


@dataclass(frozen=True, slots=True)
class Consumer:
    """`consume(connection, ids, trigger)` reads those records through the API and answers its run, if it has one.

    It may be called twice with the same ids. To be tried again it raises ApiError or Refused, or answers a stopped run.
    `follows` says whether the records of a connection interest it at all.
    """

    consume: Consume
    follows: Follows


class ReadFailed(Exception):
    """An error of our own stopped a run; its log tells more."""

    def __init__(self, run_id: int) -> None:
        super().__init__(f"run {run_id} was stopped by an error of our own")


@dataclass(frozen=True, slots=True)
class Universal:
    """A consumer of every entity: as Consumer, and told which entity it is."""

    consume: Callable[[Connection, str, Sequence[str], str], Run | None]
    follows: Callable[[Connection, str], bool]

    def of(self, entity: str) -> Consumer:
        return Consumer(
            lambda connection, ids, trigger: self.consume(connection, entity, ids, trigger),
            lambda connection: self.follows(connection, entity),
        )


_consumers: dict[str, dict[str, Consumer]] = {}
_universal: dict[str, Universal] = {}


def register(name: str, entity: str, consume: Consume, follows: Follows) -> None:
    """Adds a consumer of an entity's changes; one of the same name is replaced."""
    _consumers.setdefault(entity, {})[name] = Consumer(consume, follows)


def register_for_all(
    name: str,
    consume: Callable[[Connection, str, Sequence[str], str], Run | None],
    follows: Callable[[Connection, str], bool],
) -> None:
    """Adds a consumer of every entity's changes."""
    _universal[name] = Universal(consume, follows)


def unregister(name: str, entity: str) -> None:
    _consumers.get(entity, {}).pop(name, None)


def consumers_of(connection: Connection, entity: str) -> list[Consumer]:
    """Those that follow this entity of the connection."""
    known = [*_consumers.get(entity, {}).values(), *(u.of(entity) for u in _universal.values())]
    return [c for c in known if c.follows(connection)]


def _read_into_the_hub(connection: Connection, ids: Sequence[str], trigger: str) -> Run:
    """Raises ReadFailed where the fault is ours, so that it can be narrowed down to the records that cause it."""
    run = pull.pull_ids(connection, ids, trigger=trigger)
    if run.status == RunStatus.STOPPED and pull.OWN_ERROR in run.message:
        raise ReadFailed(run.pk)
    return run


register("hub", CONTACTS, _read_into_the_hub, feeds_the_hub)
