"""Links of contacts with connections, and what both sides last agreed on."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connectors.models import Connection
from contacts.models import Contact
from syncjobs.states import LEGAL_PAIRS, ProcessingStatus, SyncStatus


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

    `seen_hash` is the digest of their record as a pull last saw it, null after every write of ours; `remote_updated_at`
    is that record's own time. `gone_at` makes the link a tombstone: their record was deleted; without an `external_id`
    the pair was separated then, and only a person joins it again. `delete_version` asks a push to delete their record
    as long as the contact has this version.
    """

    # The unique constraint below begins with the contact: an index of its own would only slow every update.
    contact = models.ForeignKey(
        Contact, on_delete=models.CASCADE, related_name="links", verbose_name=_("contact"), db_index=False
    )
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
    seen_hash = models.BinaryField(null=True, editable=False)
    remote_updated_at = models.DateTimeField(null=True, editable=False)
    gone_at = models.DateTimeField(_("deleted there"), null=True, blank=True, editable=False)
    pushed_version = models.PositiveIntegerField(null=True, editable=False)
    delete_version = models.PositiveIntegerField(null=True, editable=False)
    synced_at = models.DateTimeField(_("synced"), null=True, blank=True)
    retry_count = models.PositiveSmallIntegerField(_("attempts failed"), default=0, db_default=0)
    next_retry_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    last_retry_at = models.DateTimeField(_("last attempt"), null=True, blank=True)
    priority = models.SmallIntegerField(default=0, db_default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    run = models.ForeignKey(
        # Without a constraint: it would be checked anew for every claimed row, always for the same run.
        "syncjobs.Run",
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
                F("connection"),
                F("sync_status"),
                F("id").desc(),
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
