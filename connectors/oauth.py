"""Giving access by OAuth2, for every connector that knows it: start, callback, typed-in codes, renewal ahead."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from connectors import services
from connectors.core.auth import OAuth2
from connectors.core.base import Connector
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import Auth
from connectors.models import Connection, OAuthGrant, OAuthState
from connectors.signals import access_given

STATE_LIFE = timedelta(minutes=20)


class StateInvalid(Exception):
    """The state of a callback is unknown, used already, too old, or another person's. Its text says what to do."""

    def __init__(self) -> None:
        super().__init__(_("This sign-in was not started here, or is used or too old: press Connect again."))


def can_connect(connection: Connection) -> bool:
    """Whether a person gives access to this connection in a browser."""
    return connection.spec.auth is Auth.OAUTH2


@dataclass(frozen=True, slots=True)
class Access:
    """What is known of a connection's access, without a secret. `usable`: no person has to give it first."""

    usable: bool
    expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()


def access(connection: Connection) -> Access:
    """Asks nobody but the hub's own store."""
    if connection.spec.missing(connection.settings_and_secrets()):
        return Access(usable=False)
    if can_connect(connection) and not _is_typed_in(connection):
        grant = services.token_store(connection).peek()
        if grant.tokens is None:
            return Access(usable=False)
        lasts = bool(grant.tokens.refresh) or not grant.tokens.expires_within(timedelta(0), timezone.now())
        scopes = tuple(grant.tokens.scope.split())
        return Access(lasts and not grant.broken, grant.tokens.expires_at, scopes)
    return Access(usable=True)


def _is_typed_in(connection: Connection) -> bool:
    """Whether a token of the settings takes the place of the one that a person gives in a browser."""
    key = connection.spec.api_key()
    return key is not None and bool(connection.settings_and_secrets().get(key.name))


def start(connection: Connection, *, user_id: int, session_key: str = "") -> str:
    """The address of the page on which the person gives access. Raises ApiError (CONFIG) when settings are missing.

    The state in it is good once, for 20 minutes, and for this person only; with `session_key`, in that session only.
    """
    with _opened(connection) as connector:
        state = secrets.token_urlsafe(32)
        OAuthState.objects.filter(created_at__lt=timezone.now() - STATE_LIFE).delete()
        OAuthState.objects.create(
            digest=_digest(state), connection=connection, user_id=user_id, session_digest=_digest(session_key)
        )
        return _oauth(connector).authorize_url(state)


def finish(params: Mapping[str, str], *, user_id: int | None, session_key: str = "") -> Connection:
    """Takes a callback: spends the state and the code, stores the tokens. Raises StateInvalid and ApiError."""
    connection = _spend_state(params.get("state", ""), user_id, session_key)
    with _opened(connection) as connector:
        oauth = _oauth(connector)
        tokens = oauth.exchange_code(oauth.check_callback(params), params["state"])
    services.token_store(connection).put(tokens)
    access_given.send(Connection, connection=connection)
    services.unpark(connection)
    return connection


def use_code(connection: Connection) -> bool:
    """Exchanges an authorization code from the settings, once; True when it gave tokens.

    A code that was refused is remembered as well, and the connection says why it did not work. Raises ApiError.
    """
    code = str(connection.settings_and_secrets().get("auth_code") or "")
    spent = OAuthGrant.objects.filter(connection=connection).values_list("spent_code", flat=True).first()
    if not code or not can_connect(connection) or spent == _digest(code):
        return False
    with _opened(connection) as connector:
        try:
            tokens = _oauth(connector).exchange_code(code)
        except ApiError as e:
            if e.recovery.parks_connection:
                _remember_code(connection, code)
                services.park(connection, e.message)
            raise
    services.token_store(connection).put(tokens)
    access_given.send(Connection, connection=connection)
    _remember_code(connection, code)
    services.unpark(connection)
    return True


def use_codes() -> list[str]:
    """The codes of all connections, for a start: a line for each that was tried."""
    lines = []
    for connection in services.usable(Connection.objects.filter(enabled=True)):
        try:
            if use_code(connection):
                lines.append(f"{connection.label}: the authorization code was exchanged for tokens.")
        except ApiError as e:
            lines.append(f"{connection.label}: {e.message}")
    return lines


def renew_ahead() -> None:
    """Renews tokens that expire soon; a connection whose access is over waits for a person."""
    # Longer than the schedule's own period, so that idle accounts are renewed before they expire.
    ahead = 2 * timedelta(seconds=settings.TOKEN_REFRESH_INTERVAL)
    soon = OAuthGrant.objects.filter(
        expires_at__lte=timezone.now() + ahead, broken="", connection__enabled=True
    ).select_related("connection")
    for grant in soon:
        if not services.usable([grant.connection]):
            continue
        try:
            _renew(grant.connection)
        except ApiError as e:
            if e.recovery.parks_connection:
                services.park(grant.connection, e.message)


def _renew(connection: Connection) -> None:
    store = services.token_store(connection)
    with _opened(connection) as connector:
        oauth = _oauth(connector)
        store.renew(store.current(), oauth.refresh, single_use=oauth.single_use)


def _oauth(connector: Connector) -> OAuth2:
    if connector.oauth is None:
        sentence = _("%(crm)s is not connected in a browser.") % {"crm": connector.spec.label}
        raise ApiError(ErrorKind.CONFIG, sentence)
    return connector.oauth


class _opened:
    """An open connector that is closed afterwards."""

    def __init__(self, connection: Connection) -> None:
        self._connector = services.open_connector(connection)

    def __enter__(self) -> Connector:
        return self._connector

    def __exit__(self, *exc: Any) -> None:
        self._connector.close()


@transaction.atomic
def _spend_state(state: str, user_id: int | None, session_key: str) -> Connection:
    """The connection a state was made for; the state is gone afterwards. Somebody else's stays theirs."""
    found = OAuthState.objects.select_for_update().select_related("connection").filter(digest=_digest(state)).first()
    if not state or found is None:
        raise StateInvalid
    wrong_session = found.session_digest and found.session_digest != _digest(session_key)
    wrong_person = user_id is not None and found.user_id != user_id
    if wrong_session or wrong_person or found.created_at < timezone.now() - STATE_LIFE:
        raise StateInvalid
    connection: Connection = found.connection
    found.delete()
    return connection


def _remember_code(connection: Connection, code: str) -> None:
    OAuthGrant.objects.update_or_create(connection=connection, defaults={"spent_code": _digest(code)})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest() if text else ""
