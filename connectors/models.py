"""Configured accounts of remote systems, their field rules, and their rate-limit slots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from connectors.core import registry
from connectors.core.base import Connector
from connectors.core.types import CONTACTS, ConnectorSpec
from connectors.environment import values_from_environment
from connectors.fields import EncryptedJSONField


class ConnectionState(models.TextChoices):
    NEW = "new", _("not tested")
    OK = "ok", _("working")
    NEEDS_ATTENTION = "needs_attention", _("needs attention")


class Connection(models.Model):
    """One account of a remote system. `key` is the public {crm} of API and commands.

    Where `from_environment` is true, settings given in the environment take the place of the stored ones.
    """

    key = models.SlugField(_("key"), max_length=50, unique=True)
    connector = models.CharField(_("system"), max_length=50)
    label = models.CharField(_("name"), max_length=100, blank=True, default="")
    enabled = models.BooleanField(_("enabled"), default=True)
    from_environment = models.BooleanField(_("set by the environment"), default=False, editable=False)
    is_sandbox = models.BooleanField(_("sandbox"), default=False, editable=False)
    config = models.JSONField(_("settings"), default=dict, blank=True)
    secrets = EncryptedJSONField(_("secrets"), default=dict, blank=True, editable=False)
    state = models.CharField(
        _("state"), max_length=20, choices=ConnectionState.choices, default=ConnectionState.NEW, editable=False
    )
    state_message = models.TextField(_("what is wrong"), blank=True, default="", editable=False)
    state_at = models.DateTimeField(_("state since"), null=True, editable=False)
    account = models.CharField(_("account"), max_length=255, blank=True, default="", editable=False)
    interval_minutes = models.PositiveIntegerField(
        _("minutes between pushes"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(10080)]
    )
    batch_size = models.PositiveIntegerField(
        _("contacts claimed at once"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(5000)],
    )
    follow_changes = models.BooleanField(
        _("push again when a contact changes"),
        default=True,
        help_text=_("Contacts that were synced once are queued again when the hub learns something new about them."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.label or self.key

    @property
    def connector_class(self) -> type[Connector]:
        """Raises UnknownConnector when its folder is gone."""
        return registry.get(self.connector)

    @property
    def spec(self) -> ConnectorSpec:
        return self.connector_class.spec

    @property
    def interval(self) -> int:
        """Minutes between two scheduled pushes."""
        default = self.spec.default_interval_minutes or settings.SYNC_DEFAULT_INTERVAL_MINUTES
        return self.interval_minutes or int(default)

    @property
    def claim_size(self) -> int:
        return self.batch_size or int(settings.SYNC_BATCH_SIZE)

    def settings_and_secrets(self) -> dict[str, Any]:
        """Every setting by name: stored, else the default; the environment's where the connection comes from there."""
        spec = self.spec
        values = {f.name: f.default for f in spec.config}
        values |= {k: v for k, v in {**self.config, **self.secrets}.items() if v not in (None, "")}
        if self.from_environment:
            values |= values_from_environment(spec)
        return values

    def is_configured(self) -> bool:
        return self.spec.is_configured(self.settings_and_secrets())


class FieldRule(models.Model):
    """How one of our fields and one of theirs go together on a connection."""

    class Direction(models.TextChoices):
        PUSH = "push", _("hub → system")
        PULL = "pull", _("system → hub")
        BOTH = "both", _("both ways")

    class Mode(models.TextChoices):
        OVERWRITE = "overwrite", _("overwrite")
        IF_NEW = "if_new", _("only in new records")
        IF_EMPTY = "if_empty", _("only where empty")
        APPEND = "append", _("add to the list")

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="rules")
    entity = models.CharField(_("entity"), max_length=50, default="contacts")
    ours = models.CharField(_("our field"), max_length=100)
    theirs = models.CharField(_("their field"), max_length=200)
    direction = models.CharField(_("direction"), max_length=4, choices=Direction.choices, default=Direction.BOTH)
    mode = models.CharField(_("mode"), max_length=10, choices=Mode.choices, default=Mode.OVERWRITE)
    transform = models.CharField(_("transform"), max_length=50, blank=True, default="")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("field rule")
        verbose_name_plural = _("field rules")
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "entity", "ours", "theirs"], name="rule_once_per_pair")
        ]

    def __str__(self) -> str:
        return f"{self.ours} → {self.theirs}"

    def clean(self) -> None:
        """Raises ValidationError for a mode that yields to values which cannot be read."""
        if not self.can_be_kept(self.connection, self.direction, self.mode):
            raise ValidationError({"mode": self.refusal(self.connection)})

    @classmethod
    def can_be_kept(cls, connection: Connection, direction: str, mode: str) -> bool:
        """Whether the connection's system can be asked what the mode depends on."""
        looks = direction != cls.Direction.PULL and mode in (cls.Mode.IF_EMPTY, cls.Mode.APPEND)
        held = connection.spec.entities.get(CONTACTS)
        return not looks or (held is not None and held.read)

    @staticmethod
    def refusal(connection: Connection) -> str:
        return _("%(crm)s cannot be read, so nobody knows what its fields hold: choose another mode.") % {
            "crm": connection.spec.label
        }


class RemoteField(models.Model):
    """One field of a remote account's entity as it was at `seen_at`. The columns are those of FieldSpec."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="remote_fields")
    entity = models.CharField(_("entity"), max_length=50)
    key = models.CharField(_("key"), max_length=200)
    position = models.PositiveIntegerField(default=0)
    label = models.TextField(_("name"), blank=True, default="")
    type = models.CharField(_("type"), max_length=20)
    read_only = models.BooleanField(default=False)
    required = models.BooleanField(default=False)
    multiple = models.BooleanField(default=False)
    custom = models.BooleanField(default=False)
    max_length = models.PositiveIntegerField(null=True)
    options = models.JSONField(default=list)
    depends_on = models.CharField(max_length=200, blank=True, default="")
    options_by = models.JSONField(default=list)
    remote_id = models.CharField(max_length=100, blank=True, default="")
    seen_at = models.DateTimeField(_("read"))

    class Meta:
        verbose_name = _("remote field")
        verbose_name_plural = _("remote fields")
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["connection", "entity", "key"], name="remote_field_once")]

    def __str__(self) -> str:
        return f"{self.entity}.{self.key}"


class OAuthGrant(models.Model):
    """The tokens of a connection. Written by the token store alone, on a database session of its own.

    `renewing_since` is set while a refresh token is being spent; `broken` says why only a person can help;
    `spent_code` is the digest of the last authorization code taken from the settings.
    """

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, primary_key=True, related_name="grant")
    tokens = EncryptedJSONField(_("tokens"), default=dict, blank=True, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True)
    renewing_since = models.DateTimeField(_("being renewed since"), null=True)
    broken = models.TextField(_("what is wrong"), blank=True, default="")
    spent_code = models.CharField(max_length=64, blank=True, default="")
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("access")
        verbose_name_plural = _("accesses")

    def __str__(self) -> str:
        return str(self.connection)


class OAuthState(models.Model):
    """A sign-in that a person has started: good once, and for that person only. Digests, never the state itself."""

    digest = models.CharField(primary_key=True, max_length=64)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE)
    user_id = models.BigIntegerField()
    session_digest = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("sign-in")
        verbose_name_plural = _("sign-ins")

    def __str__(self) -> str:
        return str(self.connection)


class RateSlot(models.Model):
    """The next free moment of one rate limit, in seconds since 1970 by the database's clock.

    `spent` are the moments of a rolling limit's latest units, oldest first, as many as it allows.
    """

    key = models.CharField(primary_key=True, max_length=200)
    next_at = models.FloatField(default=0)
    spent = ArrayField(models.FloatField(), default=list, db_default=[])

    class Meta:
        verbose_name = _("rate-limit slot")
        verbose_name_plural = _("rate-limit slots")

    def __str__(self) -> str:
        return self.key


class Traffic(models.Model):
    """Requests of a connection to one endpoint, by method and answer, since counting began. Written by the meter alone.

    `status` is 0 where no answer came. `buckets` count the requests by their time, as the meter's bounds divide it.
    """

    connection_key = models.CharField(max_length=50)
    endpoint = models.CharField(max_length=200)
    method = models.CharField(max_length=10)
    status = models.PositiveSmallIntegerField()
    requests = models.BigIntegerField()
    seconds = models.FloatField()
    buckets = ArrayField(models.BigIntegerField())
    retries = models.BigIntegerField()
    waits = models.BigIntegerField()
    waited = models.FloatField()
    auth_errors = models.BigIntegerField()

    class Meta:
        verbose_name = _("requests of a kind")
        verbose_name_plural = _("requests by kind")
        constraints = [
            models.UniqueConstraint(
                fields=["connection_key", "endpoint", "method", "status"], name="traffic_once_per_series"
            )
        ]

    def __str__(self) -> str:
        return f"{self.connection_key} {self.method} {self.endpoint} {self.status}"


def public_settings(spec: ConnectorSpec, values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they may be shown: secrets as *** where set, else null."""
    secret = {f.name for f in spec.secrets()}
    return {f.name: _shown(values.get(f.name), f.name in secret) for f in spec.config}


def _shown(value: Any, is_secret: bool) -> Any:
    if not is_secret:
        return value
    return "***" if value else None
