"""What a dry run said, kept so that exactly that can be carried out."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from syncjobs.models.routes import Route


class PlanDirection(models.TextChoices):
    TO_DESTINATION = "to_destination", _("to the destination")
    TO_SOURCE = "to_source", _("to the source")
    BOTH = "both", _("both ways")


class PlanStatus(models.TextChoices):
    MAKING = "making", _("being made")
    READY = "ready", _("ready")
    APPLYING = "applying", _("being carried out")
    APPLIED = "applied", _("carried out")
    FAILED = "failed", _("could not be made")


class Plan(models.Model):
    """What a route would do with some records.

    `legs` is a list of {"reverse": against the route's direction, "runs": the dry runs, "records": {id: what was to
    happen to the record, as `plans.steps_of` tells it}}. `applied_at` is set once: a plan is carried out one time.
    Then `runs` are the ids of the runs that did it, and `skipped` are, by id, the records that had changed since, each
    with the sentence that says so. `message` says what kept it from being made or carried out.
    """

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="plans", verbose_name=_("route"))
    direction = models.CharField(_("direction"), max_length=14, choices=PlanDirection.choices)
    status = models.CharField(
        _("status"),
        max_length=8,
        choices=PlanStatus.choices,
        default=PlanStatus.READY,
        db_default=PlanStatus.READY.value,
    )
    message = models.TextField(_("message"), blank=True, default="", db_default="")
    legs = models.JSONField(default=list)
    runs = models.JSONField(default=list)
    skipped = models.JSONField(default=dict)
    created_at = models.DateTimeField(_("made"), default=timezone.now)
    applied_at = models.DateTimeField(_("carried out"), null=True)

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.route} #{self.pk}"
