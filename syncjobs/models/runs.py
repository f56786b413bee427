"""Runs, and what happened in them to single records."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from connectors.models import Connection


class RunKind(models.TextChoices):
    PUSH = "push", _("push")
    PULL = "pull", _("pull")
    MIRROR = "mirror", _("mirror")


class RunMode(models.TextChoices):
    """How much a run reads: all there is, what changed, or single records by their ids."""

    FULL = "full", _("full")
    INCREMENTAL = "incremental", _("incremental")
    RECORDS = "records", _("single records")


class RunStatus(models.TextChoices):
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("some records failed")
    STOPPED = "stopped", _("stopped")
    CANCELLED = "cancelled", _("cancelled")


class Run(models.Model):
    """One execution. `stopped` means it ended before its work did; `message` says why, what was left stays queued.

    `entity` and `mode` are those of runs that read something else than contacts into the hub.
    """

    kind = models.CharField(_("kind"), max_length=10, choices=RunKind.choices)
    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, related_name="runs", verbose_name=_("connection")
    )
    entity = models.CharField(_("entity"), max_length=40, blank=True, default="", db_default="")
    mode = models.CharField(_("extent"), max_length=12, choices=RunMode.choices, blank=True, default="", db_default="")
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
    deleted = models.PositiveIntegerField(_("deleted"), default=0, db_default=0)
    requests = models.PositiveIntegerField(_("requests"), default=0, db_default=0)
    retries = models.PositiveIntegerField(_("retries"), default=0, db_default=0)
    rate_limit_hits = models.PositiveIntegerField(_("times over the limit"), default=0, db_default=0)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-id"]
        indexes = [
            models.Index(F("connection"), F("id").desc(), name="run_recent"),
            models.Index(fields=["connection", "started_at"], name="run_by_start"),
            models.Index(fields=["connection"], name="run_live", condition=Q(status=RunStatus.RUNNING.value)),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} #{self.pk}"

    @property
    def pk_text(self) -> str:
        return str(self.pk)

    @property
    def done_count(self) -> int:
        return self.created + self.updated + self.unchanged + self.skipped + self.failed + self.conflicts + self.deleted


class RunItem(models.Model):
    """What happened to one record in a run, or, in a dry run, what would. Unchanged records are only counted.

    `changes` are the values before and after, by field: {"company": ["Acorn", "Oak"]}; of the contact where a pull
    changed it, of the remote record where a push did.
    """

    class Action(models.TextChoices):
        CREATE = "create", _("create")
        UPDATE = "update", _("update")
        LINK = "link", pgettext_lazy("action", "link")
        SKIP = "skip", _("skip")
        CONFLICT = "conflict", _("conflict")
        DELETE = "delete", _("deletion")
        FAIL = "fail", _("failed")

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="items", db_index=False, db_constraint=False)
    contact_id = models.UUIDField(_("contact"), null=True)
    external_id = models.CharField(_("remote id"), max_length=255, blank=True, default="", db_default="")
    action = models.CharField(_("action"), max_length=10, choices=Action.choices)
    message = models.TextField(_("in words"), blank=True, default="", db_default="")
    fields = models.JSONField(_("fields"), default=list)
    changes = models.JSONField(_("differences"), null=True)
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
