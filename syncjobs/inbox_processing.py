"""Processes what the inbox holds: reads which records the webhooks name, and has those read through the API.

One worker at a time works on a connection: of two that read the same record, the one that read earlier could store
later. The lock is the database session's and ends with its process; events stay waiting until what they name was read,
so a worker that is killed has lost nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection as database
from django.utils import timezone

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.webhooks import Malformed, WebhookAdapter
from connectors.models import Connection, ConnectionState
from syncjobs import inbox_consumers
from syncjobs.errors import Refused
from syncjobs.inbox import ALL_EVENTS
from syncjobs.models import EventStatus, InboundEvent, Run, RunStatus, Subscription

log = logging.getLogger(__name__)

TAKEN_AT_ONCE = 500
MAX_ATTEMPTS = 5
FIRST_PAUSE, PAUSE_GROWTH = 30.0, 4.0
PARKED_PAUSE, REFUSED_PAUSE = 300.0, 60.0
_BODIES_AT_ONCE = 10
_LOCK_SPACE = 0x696E6278

NO_RECORD = "It names no record."
OTHER_ACCOUNT = "It comes from another account."
NO_WEBHOOKS = "This system is not known to send webhooks."
OWN_ERROR = "An error of our own; see the log."
CANCELLED = "The run that read the records was cancelled."

_TAKE = """
UPDATE syncjobs_inboundevent SET taken = true WHERE id IN (
    SELECT id FROM syncjobs_inboundevent
    WHERE connection_id = %s AND status = 'new' AND due_at <= clock_timestamp()
    ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id
"""

_SETTLE = """
UPDATE syncjobs_inboundevent e SET status = s.status, message = s.message, entities = s.entities::jsonb,
    attempts = s.attempts, due_at = coalesce(s.due_at, e.due_at), run_id = s.run_id,
    event_type = coalesce(nullif(s.event_type, ''), e.event_type),
    processed_at = CASE WHEN s.status <> 'new' THEN clock_timestamp() END
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::int[], %s::timestamptz[], %s::bigint[], %s::text[])
    AS s (id, status, message, entities, attempts, due_at, run_id, event_type)
WHERE e.id = s.id
"""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why records could not be read just now."""

    message: str
    counts: bool = True
    seconds: float | None = None


@dataclass
class Reading:
    """What one event says, and what came of it."""

    id: int
    attempts: int
    records: list[tuple[str, str, str]] = field(default_factory=list)
    status: EventStatus = EventStatus.DONE
    message: str = ""
    due_at: datetime | None = None
    run_id: int | None = None
    event_type: str = ""


def process(connection: Connection) -> int:
    """Works until nothing is due and answers how many events were looked at; 0 while another worker is at it."""
    looked_at = 0
    with _alone(connection) as alone:
        while alone and (taken := _take(connection)):
            readings = _read(connection, taken)
            goes_on = _hand_over(connection, [r for r in readings if r.status == EventStatus.DONE])
            _settle(readings)
            looked_at += len(readings)
            if not goes_on:
                break
    return looked_at


@contextmanager
def _alone(connection: Connection) -> Iterator[bool]:
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK_SPACE, connection.pk])
        got = bool(cursor.fetchone()[0])
    try:
        yield got
    finally:
        # A session that broke has dropped its locks by itself.
        if got and database.is_usable():
            with database.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK_SPACE, connection.pk])


def _take(connection: Connection) -> list[int]:
    with database.cursor() as cursor:
        cursor.execute(_TAKE, [connection.pk, TAKEN_AT_ONCE])
        return [row[0] for row in cursor.fetchall()]


def _read(connection: Connection, ids: Sequence[int]) -> list[Reading]:
    adapter = connection.connector_class.webhooks
    account = Subscription.objects.filter(connection=connection).values_list("account", flat=True).first() or ""
    events = InboundEvent.objects.filter(pk__in=ids).order_by("pk")
    return [_reading(adapter, account, event) for event in events.iterator(chunk_size=_BODIES_AT_ONCE)]


def _reading(adapter: type[WebhookAdapter] | None, account: str, event: InboundEvent) -> Reading:
    reading = Reading(event.pk, event.attempts)
    if adapter is None:
        reading.status, reading.message = EventStatus.IGNORED, NO_WEBHOOKS
        return reading
    try:
        found = adapter.parse(event.event_type, event.content_type, bytes(event.body))
    except Malformed as e:
        reading.status, reading.message = EventStatus.IGNORED, str(e)
        return reading
    except Exception:
        log.exception("webhook %s could not be read", event.pk)
        reading.status, reading.message = EventStatus.FAILED, OWN_ERROR
        return reading
    ours = [e for e in found if adapter.verify(e, account)]
    reading.records = list(dict.fromkeys((e.entity, e.action, e.id) for e in ours))
    if event.event_type == ALL_EVENTS:
        # Where one address receives everything, it says nothing; what the body names does.
        reading.event_type = ", ".join(dict.fromkeys(f"{e.entity} {e.action}" for e in ours))[:100]
    if not ours:
        reading.status, reading.message = EventStatus.IGNORED, OTHER_ACCOUNT if found else NO_RECORD
    return reading


def _hand_over(connection: Connection, readings: Sequence[Reading]) -> bool:
    """Every record once, whatever number of webhooks named it; what came of them is written into the readings.

    False when the whole account is out of reach for now, so that asking for more would be in vain.
    """
    wanted: dict[str, dict[str, None]] = {}
    for reading in readings:
        for entity, _action, record_id in reading.records:
            wanted.setdefault(entity, {})[record_id] = None
    unfollowed: set[str] = set()
    troubles: dict[tuple[str, str], Trouble] = {}
    run_ids: dict[str, int] = {}
    for entity, ids in wanted.items():
        consumers = inbox_consumers.consumers_of(connection, entity)
        if not consumers:
            unfollowed.add(entity)
        for consumer in consumers:
            for part, run, trouble in _consume(connection, consumer, list(ids)):
                if run is not None:
                    run_ids[entity] = run.pk
                if trouble is not None:
                    troubles |= {(entity, record_id): trouble for record_id in part}
    for reading in readings:
        _conclude(reading, unfollowed, troubles, run_ids)
    return all(trouble.counts for trouble in troubles.values())


Consumed = tuple[Sequence[str], Run | None, Trouble | None]


def _consume(connection: Connection, consumer: inbox_consumers.Consumer, ids: Sequence[str]) -> Iterator[Consumed]:
    """(ids, run, trouble). An error of our own is narrowed down to the records that cause it."""
    waiting = [ids]
    while waiting:
        part = waiting.pop()
        try:
            run = consumer.consume(connection, part, inbox_consumers.TRIGGER)
        except ApiError as e:
            yield part, None, Trouble(e.message, e.recovery.counts_attempt, _pause(e))
        except Refused as e:
            yield part, None, Trouble(e.message, counts=False, seconds=REFUSED_PAUSE)
        except Exception:
            if len(part) > 1:
                half = len(part) // 2
                waiting += [part[half:], part[:half]]
                continue
            log.exception("a record named by webhooks of %s could not be processed", connection.key)
            yield part, None, Trouble(OWN_ERROR)
        else:
            yield part, run, _trouble_of(connection, run)


def _pause(error: ApiError) -> float | None:
    if error.recovery.parks_connection:
        return PARKED_PAUSE
    return error.retry_after if error.kind is ErrorKind.RATE_LIMITED else None


def _trouble_of(connection: Connection, run: Run | None) -> Trouble | None:
    """A run that ended before its work did is tried again; records that failed in it have their own outcomes."""
    if run is None or run.status in (RunStatus.DONE, RunStatus.FAILED):
        return None
    if run.status == RunStatus.CANCELLED:
        return Trouble(CANCELLED)
    connection.refresh_from_db(fields=["state"])
    parked = connection.state == ConnectionState.NEEDS_ATTENTION
    return Trouble(run.message or OWN_ERROR, counts=not parked, seconds=PARKED_PAUSE if parked else None)


def _conclude(
    reading: Reading, unfollowed: set[str], troubles: dict[tuple[str, str], Trouble], run_ids: dict[str, int]
) -> None:
    entities = list(dict.fromkeys(entity for entity, _action, _id in reading.records))
    reading.run_id = next((run_ids[entity] for entity in entities if entity in run_ids), None)
    found = [troubles[key] for entity, _a, number in reading.records if (key := (entity, number)) in troubles]
    if not found:
        reading.message = "\n".join(f"Nothing follows {e} of this connection." for e in entities if e in unfollowed)
        return
    worst = max(found, key=lambda t: t.counts)
    reading.message = worst.message
    reading.attempts += worst.counts
    if reading.attempts >= MAX_ATTEMPTS:
        reading.status = EventStatus.FAILED
        return
    seconds = worst.seconds or FIRST_PAUSE * PAUSE_GROWTH ** max(reading.attempts - 1, 0)
    reading.status, reading.due_at = EventStatus.NEW, timezone.now() + timedelta(seconds=seconds)


def _settle(readings: Sequence[Reading]) -> None:
    kept = InboundEvent.ENTITIES_KEPT
    columns: list[Any] = [
        [r.id for r in readings],
        [r.status.value for r in readings],
        [r.message for r in readings],
        [orjson.dumps(r.records[:kept]).decode() for r in readings],
        [r.attempts for r in readings],
        [r.due_at for r in readings],
        [r.run_id for r in readings],
        [r.event_type for r in readings],
    ]
    with database.cursor() as cursor:
        cursor.execute(_SETTLE, columns)
