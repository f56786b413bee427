"""Numbers of links and of runs, kept by the database itself."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from connectors.models import Connection


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


class RunCount(models.Model):
    """Finished runs of a connection, dry ones left out, and what became of their records; written by a trigger."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10)
    status = models.CharField(max_length=10)
    runs = models.BigIntegerField()
    created = models.BigIntegerField()
    updated = models.BigIntegerField()
    unchanged = models.BigIntegerField()
    skipped = models.BigIntegerField()
    failed = models.BigIntegerField()
    conflicts = models.BigIntegerField()
    deleted = models.BigIntegerField()

    class Meta:
        verbose_name = _("run count")
        verbose_name_plural = _("run counts")
        constraints = [
            models.UniqueConstraint(fields=["connection", "kind", "status"], name="run_count_once_per_status")
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.kind} {self.status} {self.runs}"
