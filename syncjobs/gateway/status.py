"""How a connection is doing, in one answer: access, account, token, limit, last run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import caches
from django.utils import timezone

from connectors import limits, remote_fields
from connectors import services as connections
from connectors.core.errors import ApiError
from connectors.models import Connection, ConnectionState, OAuthGrant
from syncjobs import overview
from syncjobs.models import Run
from syncjobs.sentences import translated

# Whoever asks often is answered from memory: each look costs a request of the account's limit.
CHECKED_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Access:
    """What the account said when it was last asked."""

    connected: bool
    message: str
    account: str
    warnings: tuple[str, ...] = ()


def status(connection: Connection) -> dict[str, Any]:
    """The facts by their names in the API. Raises nothing for the remote system: its refusal is part of the answer."""
    access = _access(connection)
    connection.refresh_from_db(fields=["state", "state_message", "account"])
    runs = overview.recent_runs([connection.pk], 1)[connection.pk]
    return {
        "connection": connection.key,
        "connected": access.connected,
        "enabled": connection.enabled,
        "state": connection.state,
        "message": translated(access.message),
        "account": access.account or connection.account,
        "warnings": [translated(warning) for warning in access.warnings],
        "token": _token(connection),
        "rate_limit": _rate_limit(connection),
        "last_run": _run(runs[0]) if runs else None,
        "fields_synced_at": {name: remote_fields.seen_at(connection, name) for name in connection.spec.entities},
    }


def not_connected(key: str, message: str) -> dict[str, Any]:
    """The same facts of a connection that nobody has made yet."""
    return {
        "connection": key, "connected": False, "enabled": False, "state": ConnectionState.NEW.value, "message": message,
        "account": "", "warnings": [], "token": {"expires_at": None, "seconds_left": None}, "rate_limit": None,
        "last_run": None, "fields_synced_at": {},
    }  # fmt: skip


def _access(connection: Connection) -> Access:
    cache, key = caches["process"], f"syncjobs.gateway.access.{connection.pk}"
    held: Access | None = cache.get(key)
    if held is None:
        try:
            health = connections.check_credentials(connection)
            held = Access(True, health.message, health.account, health.warnings)
        except ApiError as e:
            held = Access(False, e.message, "")
        cache.set(key, held, CHECKED_SECONDS)
    return held


def _token(connection: Connection) -> dict[str, Any]:
    """Of a token that is typed in, nobody tells when it ends."""
    grant = OAuthGrant.objects.filter(connection=connection).values_list("expires_at", flat=True)
    until: datetime | None = grant.first()
    left = None if until is None else max(int((until - timezone.now()).total_seconds()), 0)
    return {"expires_at": until, "seconds_left": left}


def _rate_limit(connection: Connection) -> dict[str, Any] | None:
    values = connection.settings_and_secrets()
    limit = next(iter(connection.spec.limits), None)
    rps = values.get("rps")
    if limit is None or rps == 0:
        return None
    wait = limits.seconds_to_wait(f"{connections.account_key(connection.spec, values)}:{limit.name}")
    requests, seconds = (limit.requests, limit.seconds) if rps in (None, "") else (float(rps), 1.0)
    return {"requests": requests, "seconds": seconds, "wait_seconds": round(wait, 3)}


def _run(run: Run) -> dict[str, Any]:
    names = ("id", "kind", "status", "started_at", "finished_at", "message", "created", "updated", "failed")
    return {name: getattr(run, name) for name in names}
