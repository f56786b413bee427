"""What is wrong and has to be told: found by the schedule, closed by it once it is over."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connectors.models import Connection


class AlertKind(models.TextChoices):
    ATTENTION = "attention", _("needs attention")
    FAILURES = "failures", _("many failures")
    STUCK = "stuck", _("the queue stands still")
    SILENCE = "silence", _("unusual silence")


class Alert(models.Model):
    """Something wrong with a connection, from `opened_at` until `closed_at`; one of a kind at a time.

    `facts` are what the sentence is made of when somebody reads it. `told_at` is when people were last told of it,
    `closing_told` whether they were told that it is over. Until `quiet_until` they are left alone.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, verbose_name=_("connection"))
    kind = models.CharField(_("kind"), max_length=10, choices=AlertKind.choices)
    facts = models.JSONField(default=dict)
    opened_at = models.DateTimeField(_("since"), default=timezone.now)
    seen_at = models.DateTimeField(_("last seen"), default=timezone.now)
    closed_at = models.DateTimeField(_("over since"), null=True, blank=True)
    told_at = models.DateTimeField(_("told"), null=True, blank=True)
    closing_told = models.BooleanField(default=False)
    quiet_until = models.DateTimeField(_("quiet until"), null=True, blank=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "kind"], condition=Q(closed_at__isnull=True), name="alert_open_once_per_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.connection} {self.kind}"

    @property
    def subject(self) -> tuple[Any, str]:
        return self.connection_id, self.kind
