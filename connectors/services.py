"""What views, commands and the engine do with connections: find, open, test, park, make."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import requests.adapters
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from connectors.core import registry
from connectors.core.auth import TokenStore
from connectors.core.base import Connector, Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.metrics import Recorder
from connectors.core.types import Auth, ConfigKind, ConnectorSpec, Health, Secret
from connectors.environment import parse_setting, values_from_environment
from connectors.limits import limiter
from connectors.models import Connection, ConnectionState, FieldRule, OAuthGrant
from connectors.signals import connection_works, sandbox_left
from connectors.token_store import PostgresTokenStore
from connectors.traffic import meter
from connectors.turns import turns

# Where the stand-ins of this machine are, which every process may call.
LOOPBACK = "127.0.0.1"


class ConnectionProblem(Exception):
    """A connection cannot be used as asked; the message is for people. Carries an HTTP status and a code."""

    def __init__(self, message: str, code: str, status_code: int = 400, **extra: Any) -> None:
        super().__init__(message)
        self.message, self.code, self.status_code, self.extra = message, code, status_code, extra


def known_keys() -> list[str]:
    """Keys of all connections and slugs of connectors without one, in order."""
    keys = list(Connection.objects.values_list("key", flat=True))
    used = set(Connection.objects.values_list("connector", flat=True))
    return sorted({*keys, *(slug for slug in registry.all_connectors() if slug not in used)})


def by_key(key: Any) -> Connection:
    """The connection of a public key. Raises ConnectionProblem (400) that lists the known ones."""
    found = Connection.objects.filter(key=key).first() if isinstance(key, str) and "\0" not in key else None
    if found is None and isinstance(key, str) and key in registry.all_connectors():
        label = registry.get(key).spec.label
        raise ConnectionProblem(
            _("%(crm)s is not connected yet: add a connection first.") % {"crm": label}, "crm_not_connected"
        )
    if found is None:
        known = known_keys()
        raise ConnectionProblem(
            _("Unknown crm. Known are: %(known)s.") % {"known": ", ".join(known)}, "unknown_crm", known=known
        )
    return found


def open_connector(
    connection: Connection,
    *,
    recorder: Recorder | None = None,
    adapter: requests.adapters.BaseAdapter | None = None,
    overrides: Mapping[str, Any] | None = None,
    patient: bool = True,
) -> Connector:
    """A connector ready to call the connection's account. Raises ApiError (CONFIG) when settings are missing.

    `overrides` replace stored settings for this use only; with `patient` false nothing is tried twice, as somebody is
    waiting for the answer.
    """
    values = connection.settings_and_secrets() | dict(overrides or {})
    missing = connection.spec.missing(values)
    if missing:
        raise ApiError(ErrorKind.CONFIG, _("Settings are missing: %(names)s.") % {"names": ", ".join(missing)})
    counted = meter.recorder(connection.key, recorder)
    context = make_context(connection.spec, connection.key, values, recorder=counted, adapter=adapter, patient=patient)
    if connection.is_sandbox:
        context.allow_private_hosts = [*context.allow_private_hosts, LOOPBACK]
    if connection.spec.auth is Auth.OAUTH2 and connection.pk is not None:
        context.tokens = token_store(connection)
    return connection.connector_class(context)


def token_store(connection: Connection) -> TokenStore:
    """Where the tokens of an OAuth2 connection are kept."""
    return PostgresTokenStore(connection.pk)


def make_context(
    spec: ConnectorSpec,
    key: str,
    values: Mapping[str, Any],
    *,
    recorder: Recorder | None = None,
    adapter: requests.adapters.BaseAdapter | None = None,
    patient: bool = True,
) -> Context:
    secret_names = {f.name for f in spec.config if f.kind is ConfigKind.SECRET}
    secrets = {name: Secret(str(values[name])) for name in secret_names if values.get(name)}
    return Context(
        config={k: v for k, v in values.items() if k not in secret_names},
        secrets=secrets,
        key=account_key(spec, values),
        limiter=limiter,
        turns=turns,
        timeout=settings.HTTP_TIMEOUT,
        allow_private_hosts=settings.ALLOW_PRIVATE_HOSTS,
        max_tries=4 if patient else 1,
        adapter=adapter,
        recorder=recorder,
    )


def account_key(spec: ConnectorSpec, values: Mapping[str, Any]) -> str:
    """What two connections to one remote account have in common: rate limits are counted under it."""
    identity = [str(values.get(f.name) or "") for f in spec.config if f.signs_in or f.kind is ConfigKind.URL]
    digest = hashlib.blake2b("\0".join(identity).encode(), digest_size=8).hexdigest()
    return f"{spec.slug}:{digest}"


def check_credentials(connection: Connection, overrides: Mapping[str, Any] | None = None) -> Health:
    """Asks the remote system by a read whether it accepts us. Raises ApiError.

    The answer is remembered on the connection unless settings were overridden.
    """
    try:
        connector = open_connector(connection, overrides=overrides, patient=False)
        try:
            health = connector.check()
        finally:
            connector.close()
    except ApiError as e:
        if not overrides and e.recovery.parks_connection:
            park(connection, e.message)
        raise
    if not overrides:
        unpark(connection, health.account)
    return health


def park(connection: Connection, message: str) -> None:
    """The connection waits for a person; its links stay queued."""
    Connection.objects.filter(pk=connection.pk).update(
        state=ConnectionState.NEEDS_ATTENTION, state_message=message, state_at=timezone.now()
    )
    connection.refresh_from_db(fields=["state", "state_message", "state_at"])


def unpark(connection: Connection, account: str = "") -> None:
    """The connection works (again)."""
    changes: dict[str, Any] = {"account": account} if account and account != connection.account else {}
    if connection.state != ConnectionState.OK:
        changes |= {"state": ConnectionState.OK, "state_message": "", "state_at": timezone.now()}
    if changes:
        Connection.objects.filter(pk=connection.pk).update(**changes)
        connection.refresh_from_db(fields=["state", "state_message", "state_at", "account"])
    if "state" in changes:
        connection_works.send(Connection, connection=connection)


@transaction.atomic
def create_connection(connector: str, key: str, values: Mapping[str, Any], **columns: Any) -> Connection:
    """A new connection with its default field rules. Raises UnknownConnector and SettingInvalid."""
    spec = registry.get(connector).spec
    connection = Connection(key=key, connector=spec.slug, label=columns.pop("label", "") or spec.label, **columns)
    set_values(connection, values)
    connection.save()
    add_default_rules(connection)
    return connection


def set_values(connection: Connection, values: Mapping[str, Any]) -> None:
    """Puts settings and secrets where they belong; an absent or *** secret keeps the stored one, null removes it."""
    config: dict[str, Any] = dict(connection.config)
    secrets: dict[str, Any] = dict(connection.secrets)
    for field in connection.spec.config:
        if field.name not in values:
            continue
        value = parse_setting(field, values[field.name])
        if field.kind is not ConfigKind.SECRET:
            config[field.name] = value
        elif value != "***":
            secrets[field.name] = value
    connection.config = {k: v for k, v in config.items() if v is not None}
    connection.secrets = {k: v for k, v in secrets.items() if v is not None}


def add_default_rules(connection: Connection) -> None:
    """The connector's own field rules; rules that are there already stay as they are."""
    rules = connection.connector_class.default_rules(connection.settings_and_secrets())
    FieldRule.objects.bulk_create(
        [
            FieldRule(
                connection=connection,
                ours=rule.ours,
                theirs=rule.theirs,
                direction=rule.direction,
                mode=rule.mode,
                transform=rule.transform,
                position=position,
            )
            for position, rule in enumerate(rules)
        ],
        ignore_conflicts=True,
    )


def connect_from_environment() -> list[Connection]:
    """Makes the first connection of every connector that the environment configures; answers the new ones."""
    made = []
    for slug, connector in registry.all_connectors().items():
        values = values_from_environment(connector.spec)
        if not connector.spec.is_configured({f.name: f.default for f in connector.spec.config} | values):
            continue
        existing = Connection.objects.filter(key=slug).first()
        if existing is None:
            made.append(create_connection(slug, slug, {}, from_environment=True))
        elif existing.is_sandbox or (not existing.from_environment and not existing.is_configured()):
            made.append(_hand_to_environment(existing))
    return made


def _hand_to_environment(connection: Connection) -> Connection:
    """A sandbox's connection becomes the real one: what it knew of the sandbox's records is void."""
    connection.from_environment, connection.is_sandbox = True, False
    connection.label, connection.config, connection.secrets = connection.spec.label, {}, {}
    connection.state, connection.account = ConnectionState.NEW, ""
    connection.save()
    forget_access(connection)
    sandbox_left.send(Connection, connection=connection)
    return connection


def forget_access(connection: Connection) -> None:
    """Drops the tokens that a person's sign-in gave: the account they belong to is no longer the connection's."""
    OAuthGrant.objects.filter(connection=connection).delete()


def usable(connections: Iterable[Connection]) -> list[Connection]:
    """Those whose connector is still installed."""
    installed = registry.all_connectors()
    return [c for c in connections if c.connector in installed]
