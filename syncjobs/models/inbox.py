"""The inbox: webhooks as they were received, and the subscriptions that bring them."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connectors.fields import EncryptedJSONField
from connectors.models import Connection


class EventStatus(models.TextChoices):
    NEW = "new", _("waiting")
    DONE = "done", _("processed")
    IGNORED = "ignored", _("ignored")
    FAILED = "failed", _("failed")


class InboundEvent(models.Model):
    """One webhook as it was received. Stored before it is answered, `done` only after what it names was read.

    `digest` is that of the body: until a worker has `taken` an event, the same body again only adds to `repeats`. Later
    the same body is an event of its own: a record deleted, restored and deleted once more sends equal bodies, and one
    more look at a record is cheaper than a lost change. `entities` are its records, ["contacts", "update", "17"] each,
    at most ENTITIES_KEPT of them; `run_id` is the run that read them.
    """

    ENTITIES_KEPT = 100

    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, related_name="events", verbose_name=_("connection"), db_index=False
    )
    event_type = models.CharField(_("event type"), max_length=100)
    received_at = models.DateTimeField(_("received"), default=timezone.now, db_default=Now())
    content_type = models.CharField(max_length=100, blank=True, default="", db_default="")
    body = models.BinaryField(_("body"))
    digest = models.BinaryField(max_length=16)
    repeats = models.PositiveIntegerField(_("repetitions"), default=0, db_default=0)
    entities = models.JSONField(_("records"), default=list, db_default=models.Value([], models.JSONField()))
    status = models.CharField(
        _("status"),
        max_length=10,
        choices=EventStatus.choices,
        default=EventStatus.NEW,
        db_default=EventStatus.NEW.value,
    )
    message = models.TextField(_("in words"), blank=True, default="", db_default="")
    taken = models.BooleanField(default=False, db_default=False)
    attempts = models.PositiveSmallIntegerField(_("attempts failed"), default=0, db_default=0)
    due_at = models.DateTimeField(_("next attempt"), default=timezone.now, db_default=Now())
    processed_at = models.DateTimeField(_("processed at"), null=True, blank=True)
    replays = models.PositiveSmallIntegerField(_("replays"), default=0, db_default=0)
    run_id = models.BigIntegerField(_("run"), null=True, blank=True)

    class Meta:
        verbose_name = _("received event")
        verbose_name_plural = _("received events")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "digest"],
                condition=Q(status=EventStatus.NEW.value, taken=False),
                name="event_once_while_waiting",
            )
        ]
        indexes = [
            models.Index(
                fields=["connection", "due_at", "id"],
                name="event_waiting",
                condition=Q(status=EventStatus.NEW.value),
            ),
            models.Index(F("connection"), F("id").desc(), name="event_recent"),
            models.Index(fields=["received_at"], name="event_received"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} #{self.pk}"


class SubscriptionState(models.TextChoices):
    OK = "ok", _("working")
    MISSING = "missing", _("missing")
    DISABLED = "disabled", _("disabled by the system")
    OFF = "off", _("off")


class Subscription(models.Model):
    """A connection's webhooks: what was asked of the remote system, and how it was found there.

    `secret` holds the token and the whole registered `destination`, of which the token is a part; `token_digest` is
    what arriving requests are compared with. `wanted` is false after a person removed it: it is not made again by
    itself then. `missed` counts records that changed without a webhook. `wake_asked_at` is set while a task that
    processes the inbox is waiting in the queue.
    """

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="subscription")
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    secret = EncryptedJSONField(default=dict, editable=False)
    events = models.JSONField(_("events"), default=list)
    account = models.CharField(_("account"), max_length=100, blank=True, default="")
    state = models.CharField(
        _("state"), max_length=10, choices=SubscriptionState.choices, default=SubscriptionState.OFF
    )
    wanted = models.BooleanField(default=True)
    message = models.TextField(_("message"), blank=True, default="")
    checked_at = models.DateTimeField(_("checked"), null=True, blank=True)
    repairs = models.PositiveIntegerField(_("repaired"), default=0)
    missed = models.PositiveIntegerField(_("changes missed"), default=0)
    swept_at = models.DateTimeField(_("swept"), null=True, blank=True)
    wake_asked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")

    def __str__(self) -> str:
        return str(self.connection)
