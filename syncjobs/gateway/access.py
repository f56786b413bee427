"""A connector for one question that somebody waits for, and its errors as refusals of the API."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.utils.translation import gettext as _

from connectors import services as connections
from connectors.core.base import Connector
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import Capabilities
from connectors.models import Connection
from syncjobs.errors import Refused
from syncjobs.sentences import translated
from syncjobs.services import refuse_disabled

# Of everything else, the remote system is the cause.
_REFUSALS: dict[ErrorKind, tuple[str, int]] = {
    # Not 401: that would tell the caller to renew the token of the hub.
    ErrorKind.AUTH: ("crm_needs_attention", 503),
    ErrorKind.CONFIG: ("crm_refuses_access", 503),
    ErrorKind.RATE_LIMITED: ("crm_rate_limited", 429),
    ErrorKind.DATA: ("refused_by_crm", 400),
    ErrorKind.CONFLICT: ("refused_by_crm", 409),
    ErrorKind.GONE: ("record_not_found", 404),
}
_UNAVAILABLE = ("crm_unavailable", 503)


@contextmanager
def opened(connection: Connection) -> Iterator[Connector]:
    """A connector that nobody waits for longer than HTTP_TIMEOUT, whatever is asked of it. Raises Refused.

    It claims its requests from the same limit as the syncs; an account that no longer lets us in is parked.
    """
    refuse_disabled(connection)
    try:
        connector = connections.open_connector(connection, patient=False)
        connector.context.deadline = connector.context.clock.monotonic() + settings.HTTP_TIMEOUT
        try:
            yield connector
        finally:
            connector.close()
    except ApiError as e:
        if e.kind is ErrorKind.AUTH:
            connections.park(connection, e.message)
        raise refusal(e) from e


def refusal(error: ApiError) -> Refused:
    """The remote system's refusal as ours, with Retry-After where it told how long to wait."""
    code, status = _REFUSALS.get(error.kind, _UNAVAILABLE)
    extra = {"fields": {error.field: [error.message]}} if error.field and status == 400 else {}
    refused = Refused(translated(error.message), code, status, **extra)
    if error.kind is ErrorKind.RATE_LIMITED:
        refused.headers["Retry-After"] = str(math.ceil(error.retry_after or 1.0))
    return refused


def capabilities(connection: Connection, entity: str) -> Capabilities:
    """Raises Refused (400) that lists the entities there are."""
    known = connection.spec.entities
    if entity not in known:
        sentence = _("Unknown entity. Known are: %(known)s.") % {"known": ", ".join(known)}
        raise Refused(sentence, "unknown_entity", known=list(known))
    return known[entity]
