"""What the routes of a connection mean for a pull: what flows into the hub, who decides, and who is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.utils.translation import gettext as _

from connectors.core.types import CONTACTS
from connectors.models import Connection
from contacts.merge import Policy as MergePolicy
from syncjobs import enqueue
from syncjobs.daytimes import last_before, parse_times, zone
from syncjobs.errors import Refused
from syncjobs.models import OnDelete, Policy, Route

_MIRRORED: dict[str, MergePolicy] = {
    Policy.NEWEST: "newest",
    Policy.SOURCE: "destination",
    Policy.DESTINATION: "source",
    Policy.ASK: "ask",
}
_DIRECT: dict[str, MergePolicy] = {
    Policy.NEWEST: "newest",
    Policy.SOURCE: "source",
    Policy.DESTINATION: "destination",
    Policy.ASK: "ask",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """How a connection's records are taken in.

    `takes`: their values flow into the hub's contacts, and records unknown to the hub become contacts. Where not, a
    pull only learns what their records hold, so that a push puts right what differs. `pushes_back`: what differs from
    the hub after the merge is written there. `policy` is seen from the pull: its source is the remote side. `deletions`
    are the other ends with what a deletion here means for them.
    """

    takes: bool = True
    pushes_back: bool = False
    policy: MergePolicy = "newest"
    recreate: bool = False
    targets: Sequence[Connection] = field(default=())
    deletions: Sequence[tuple[Connection, OnDelete]] = field(default=())


def terms_of(connection: Connection, *, explicit: bool = False) -> Terms:
    """The terms that the enabled routes set; without any, or when a person asked (`explicit`), records are taken in."""
    out = list(Route.objects.filter(source=connection, enabled=True).select_related("destination"))
    into = list(Route.objects.filter(destination=connection, enabled=True).select_related("source"))
    back = [route for route in into if route.two_way]
    leading = next(iter(out or back or into), None)
    policy: MergePolicy = "newest"
    if leading is not None:
        policy = (_DIRECT if out else _MIRRORED)[leading.policy]
    ends = [(route.destination, route) for route in out] + [(route.source, route) for route in back]
    ends = [(end, route) for end, route in ends if end.enabled]
    return Terms(
        takes=explicit or not into or bool(out or back),
        pushes_back=bool(into) or any(route.two_way for route in out),
        policy=policy,
        recreate=any(route.recreate for route in into),
        targets=tuple({end.pk: end for end, _route in ends}.values()),
        deletions=tuple({end.pk: (end, OnDelete(route.on_delete)) for end, route in ends}.values()),
    )


def tell(terms: Terms, contact_ids: Sequence[UUID]) -> None:
    """The contacts are new or changed: their links at the other ends of the routes become due, one statement each."""
    if contact_ids:
        for target in terms.targets:
            enqueue.enqueue_told(target, contact_ids)


def between(source: Connection, destination: Connection, *, two_way: bool = False) -> Route:
    """The route between the two, made if there is none; `two_way` makes it one. Raises Refused."""
    _refuse_ends(source, destination, two_way=two_way)
    route, _created = Route.objects.get_or_create(source=source, destination=destination, defaults={"two_way": two_way})
    if two_way and not route.two_way:
        route.two_way = True
        route.save(update_fields=["two_way"])
    return route


def proposed(source: Connection, destination: Connection, *, two_way: bool = False) -> Route:
    """The route as `between` would make it, for a rehearsal: nothing is stored. Raises Refused."""
    _refuse_ends(source, destination, two_way=two_way)
    stored = Route.objects.filter(source=source, destination=destination).select_related("source", "destination")
    route = stored.first() or Route(source=source, destination=destination)
    route.two_way = route.two_way or two_way
    return route


def _refuse_ends(source: Connection, destination: Connection, *, two_way: bool) -> None:
    if source == destination:
        raise Refused(_("A route needs two different connections."), "same_connection")
    readers, writers = ((source, destination), (destination, source)) if two_way else ((source,), (destination,))
    for end in readers:
        if not end.spec.entities[CONTACTS].read:
            raise Refused(_("%(crm)s cannot be read from.") % {"crm": end.spec.label}, "not_readable")
    for end in writers:
        if not end.spec.entities[CONTACTS].write:
            raise Refused(_("%(crm)s cannot be written to.") % {"crm": end.spec.label}, "not_writable")


def due(now: datetime) -> Iterator[tuple[Route, bool]]:
    """The enabled routes whose time has come, and whether to read both sides in full."""
    enabled = Route.objects.filter(enabled=True, source__enabled=True, destination__enabled=True)
    for route in enabled.select_related("source", "destination"):
        full_at = last_before(now, parse_times(route.full_times), zone(route.time_zone))
        if full_at is not None and (route.full_started_at is None or route.full_started_at < full_at):
            yield route, True
            continue
        minutes = route.interval_minutes or route.source.interval
        # The tick itself comes a little early or late.
        if route.started_at is None or now >= route.started_at + timedelta(minutes=minutes, seconds=-20):
            yield route, False
