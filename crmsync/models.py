"""API tokens, the audit trail, and the signs of life that workers leave."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

TOKEN_MARK = "crmsync_"  # noqa: S105 - the beginning that tells our tokens from other bearers
PREFIX_LENGTH = 8
USED_RESOLUTION = timedelta(minutes=1)


class ApiTokenManager(models.Manager["ApiToken"]):
    def issue(self, user: User, name: str, expires_at: datetime | None = None) -> tuple["ApiToken", str]:
        """A new token and its plain text, which is never to be had again."""
        plain = f"{TOKEN_MARK}{secrets.token_hex(PREFIX_LENGTH // 2)}_{secrets.token_urlsafe(32)}"
        token = self.create(
            user=user,
            name=name,
            expires_at=expires_at,
            prefix=plain.removeprefix(TOKEN_MARK)[:PREFIX_LENGTH],
            sha256=digest(plain),
        )
        return token, plain

    def find(self, plain: str) -> "ApiToken | None":
        """The living token of this plain text, with its user; None when unknown or expired."""
        living = self.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), sha256=digest(plain))
        return living.select_related("user").first()


class ApiToken(models.Model):
    """A revocable key for programs, with the rights of its user. Only a digest of its 256 random bits is stored."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens", verbose_name=_("user")
    )
    name = models.CharField(_("name"), max_length=100, help_text=_("What uses it, for instance “nightly import”."))
    prefix = models.CharField(_("begins with"), max_length=PREFIX_LENGTH, editable=False)
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = ApiTokenManager()

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({TOKEN_MARK}{self.prefix}…)"

    def note_use(self) -> None:
        """Stores the time of use, at most once a minute: a busy program must not cost a write per request."""
        now = timezone.now()
        if self.last_used_at is None or now - self.last_used_at >= USED_RESOLUTION:
            ApiToken.objects.filter(pk=self.pk).update(last_used_at=now)
            self.last_used_at = now


class Heartbeat(models.Model):
    """When a part of the background work was last seen: one row per worker, and one for the scheduler."""

    SCHEDULER = "scheduler"

    name = models.CharField(_("name"), max_length=200, primary_key=True)
    seen_at = models.DateTimeField(_("last seen"))

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def beat(cls, name: str) -> None:
        cls.objects.update_or_create(name=name, defaults={"seen_at": timezone.now()})


class AuditEntry(models.Model):
    """One change of a setting, or one decision, with who made it. Append-only: a trigger refuses to change or delete.

    `before` and `after` are the columns that differ, secrets as ***; `object_type` is a model's label such as
    "connectors.connection". `actor` is a username, or the command where `via` says so; "" is nobody known.
    """

    class Via(models.TextChoices):
        PAGE = "page", _("page")
        API = "api", _("API")
        TOKEN = "token", _("API token")
        COMMAND = "command", _("command")

    class Action(models.TextChoices):
        CREATED = "created", _("created")
        CHANGED = "changed", _("changed")
        DELETED = "deleted", _("deleted")
        DECIDED = "decided", _("decided")
        MERGED = "merged", _("merged")
        PARTED = "parted", _("parted again")
        ERASED = "erased", _("person erased")
        EXPORTED = "exported", _("person exported")
        ROTATED = "rotated", _("keys rotated")
        SIGNED_IN = "signed_in", _("access given")

    at = models.DateTimeField(_("time"), default=timezone.now)
    actor = models.CharField(_("by"), max_length=150, blank=True, default="")
    via = models.CharField(_("way"), max_length=10, choices=Via.choices)
    token = models.CharField(_("API token"), max_length=100, blank=True, default="")
    action = models.CharField(_("action"), max_length=10, choices=Action.choices)
    object_type = models.CharField(_("kind of object"), max_length=60)
    object_id = models.CharField(_("object's id"), max_length=64, blank=True, default="")
    object_name = models.CharField(_("object"), max_length=200, blank=True, default="")
    before = models.JSONField(_("before"), null=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(_("after"), null=True, encoder=DjangoJSONEncoder)
    request_id = models.CharField(_("request"), max_length=32, blank=True, default="")

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit trail")
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["actor", "-id"], name="audit_of_actor"),
            models.Index(fields=["object_type", "object_id", "-id"], name="audit_of_object"),
            models.Index(fields=["at"], name="audit_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}"


def digest(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()
