"""Links of contacts with connections, what both sides last agreed on, runs, and counts kept by the database."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from connectors.models import Connection
from contacts.models import Contact
from syncjobs.inbox_models import EventStatus, InboundEvent, Subscription, SubscriptionState
from syncjobs.states import LEGAL_PAIRS, ProcessingStatus, SyncStatus

__all__ = [
    "ContactSync",
    "EventStatus",
    "InboundEvent",
    "LinkCount",
    "Run",
    "RunItem",
    "RunKind",
    "RunStatus",
    "Subscription",
    "SubscriptionState",
    "SyncSnapshot",
]


def _legal() -> Q:
    legal = Q()
    for pair in LEGAL_PAIRS:
        # Compared with a value, NULL is neither true nor false, and a check lets that pass: so it is asked for.
        absent = pair.processing is None
        legal |= Q(sync_status=pair.sync, processing_status__isnull=absent) & (
            Q() if absent else Q(processing_status=pair.processing)
        )
    return legal


class ContactSync(models.Model):
    """One contact on one connection: the link. Made when something first happens to the pair.

    `due_at` says when the link wants work, null when it wants none. `remote_hash` is the last state we know their
    record to be in. `run` claims the link while it is being processed. `pushed_version` is the contact's version sent.
    """

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="links", verbose_name=_("contact"))
    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, related_name="links", verbose_name=_("connection"), db_index=False
    )
    sync_status = models.CharField(
        _("sync status"), max_length=10, choices=SyncStatus.choices, default=SyncStatus.SELECTED
    )
    processing_status = models.CharField(
        _("processing status"), max_length=10, choices=ProcessingStatus.choices, null=True, blank=True
    )
    processing_error = models.TextField(_("what is wrong"), blank=True, default="", db_default="")
    error_kind = models.CharField(max_length=20, blank=True, default="", db_default="")
    external_id = models.CharField(_("remote id"), max_length=255, blank=True, default="", db_default="")
    external_ref = models.CharField(_("remote reference"), max_length=255, blank=True, default="", db_default="")
    external_version = models.CharField(max_length=255, blank=True, default="", db_default="")
    remote_hash = models.BinaryField(null=True, editable=False)
    pushed_version = models.PositiveIntegerField(null=True, editable=False)
    synced_at = models.DateTimeField(_("synced"), null=True, blank=True)
    retry_count = models.PositiveSmallIntegerField(_("attempts failed"), default=0, db_default=0)
    next_retry_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    last_retry_at = models.DateTimeField(_("last attempt"), null=True, blank=True)
    priority = models.SmallIntegerField(default=0, db_default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    run = models.ForeignKey(
        # Without a constraint: it would be checked anew for every claimed row, always for the same run.
        "Run",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="claims",
        db_index=False,
        db_constraint=False,
    )
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("link")
        verbose_name_plural = _("links")
        constraints = [
            models.UniqueConstraint(fields=["contact", "connection"], name="link_once_per_pair"),
            models.UniqueConstraint(
                fields=["connection", "external_id"], condition=~Q(external_id=""), name="link_once_per_remote_record"
            ),
            models.CheckConstraint(condition=_legal(), name="link_statuses_agree"),
        ]
        indexes = [
            models.Index(
                F("connection"), F("priority").desc(), F("due_at"), name="link_due", condition=Q(due_at__isnull=False)
            ),
            models.Index(
                F("connection"),
                F("last_retry_at").desc(nulls_last=True),
                F("id").desc(),
                name="link_failed",
                condition=Q(sync_status=SyncStatus.ERROR.value),
            ),
            models.Index(
                fields=["connection", "sync_status"],
                name="link_unfinished",
                condition=~Q(sync_status=SyncStatus.COMPLETE.value),
            ),
            models.Index(fields=["run"], name="link_claimed", condition=Q(run__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.contact_id} × {self.connection_id}"


class SyncSnapshot(models.Model):
    """The values of a link that both sides last agreed on, by their field keys. Apart, to keep queue rows small."""

    # Without a constraint: snapshots are only ever stored beside the update of their link.
    link = models.OneToOneField(
        ContactSync, primary_key=True, on_delete=models.CASCADE, related_name="snapshot", db_constraint=False
    )
    values = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")

    def __str__(self) -> str:
        return str(self.link_id)


class RunKind(models.TextChoices):
    PUSH = "push", _("push")
    PULL = "pull", _("pull")


class RunStatus(models.TextChoices):
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("some records failed")
    STOPPED = "stopped", _("stopped")
    CANCELLED = "cancelled", _("cancelled")


class Run(models.Model):
    """One execution. `stopped` means it ended before its work did; `message` says why, what was left stays queued."""

    kind = models.CharField(_("kind"), max_length=10, choices=RunKind.choices)
    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, related_name="runs", verbose_name=_("connection")
    )
    status = models.CharField(_("status"), max_length=10, choices=RunStatus.choices, default=RunStatus.RUNNING)
    trigger = models.CharField(_("started by"), max_length=100, blank=True, default="", db_default="")
    dry_run = models.BooleanField(_("dry run"), default=False)
    cancel_requested = models.BooleanField(default=False)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    heartbeat_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    message = models.TextField(_("message"), blank=True, default="", db_default="")
    total = models.PositiveIntegerField(_("due at the start"), default=0)
    created = models.PositiveIntegerField(_("created"), default=0, db_default=0)
    updated = models.PositiveIntegerField(_("updated"), default=0, db_default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0, db_default=0)
    skipped = models.PositiveIntegerField(_("skipped"), default=0, db_default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0, db_default=0)
    conflicts = models.PositiveIntegerField(_("conflicts"), default=0, db_default=0)
    requests = models.PositiveIntegerField(_("requests"), default=0, db_default=0)
    retries = models.PositiveIntegerField(_("retries"), default=0, db_default=0)
    rate_limit_hits = models.PositiveIntegerField(_("times over the limit"), default=0, db_default=0)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-id"]
        indexes = [
            models.Index(F("connection"), F("id").desc(), name="run_recent"),
            models.Index(fields=["connection"], name="run_live", condition=Q(status=RunStatus.RUNNING.value)),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} #{self.pk}"

    @property
    def pk_text(self) -> str:
        return str(self.pk)

    @property
    def done_count(self) -> int:
        return self.created + self.updated + self.unchanged + self.skipped + self.failed + self.conflicts


class RunItem(models.Model):
    """What happened to one record in a run, or, in a dry run, what would. Unchanged records are only counted."""

    class Action(models.TextChoices):
        CREATE = "create", _("create")
        UPDATE = "update", _("update")
        LINK = "link", pgettext_lazy("action", "link")
        SKIP = "skip", _("skip")
        CONFLICT = "conflict", _("conflict")
        FAIL = "fail", _("failed")

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="items", db_index=False, db_constraint=False)
    contact_id = models.UUIDField(_("contact"), null=True)
    external_id = models.CharField(_("remote id"), max_length=255, blank=True, default="", db_default="")
    action = models.CharField(_("action"), max_length=10, choices=Action.choices)
    message = models.TextField(_("in words"), blank=True, default="", db_default="")
    fields = models.JSONField(_("fields"), default=list)
    at = models.DateTimeField(_("time"), default=timezone.now)

    class Meta:
        verbose_name = _("outcome")
        verbose_name_plural = _("outcomes")
        ordering = ["id"]
        indexes = [
            models.Index(fields=["run", "action", "id"], name="item_of_run"),
            models.Index(fields=["contact_id", "id"], name="item_of_contact"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.contact_id}"


class LinkCount(models.Model):
    """Changes in the number of links per connection, status and time slot, written by triggers, summed when asked.

    Rows are differences, so that workers only ever add rows and never wait for one another; a task folds them. `slot`
    is the start of five minutes: those of synced_at for Complete, of last_retry_at for Error; null for all others.
    """

    connection_id = models.BigIntegerField()
    sync_status = models.CharField(max_length=10)
    slot = models.DateTimeField(null=True)
    n = models.BigIntegerField()

    class Meta:
        verbose_name = _("link count")
        verbose_name_plural = _("link counts")
        indexes = [models.Index(fields=["connection_id", "sync_status"], name="count_of_connection")]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.sync_status} {self.n}"
