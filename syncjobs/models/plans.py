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


class Plan(models.Model):
    """What a route would do with some records.

    `legs` is a list of {"reverse": against the route's direction, "runs": the dry runs, "records": {id: what was to
    happen to the record, as `plans.steps_of` tells it}}. `applied_at` is set once: a plan is carried out one time.
    """

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="plans", verbose_name=_("route"))
    direction = models.CharField(_("direction"), max_length=14, choices=PlanDirection.choices)
    legs = models.JSONField(default=list)
    created_at = models.DateTimeField(_("made"), default=timezone.now)
    applied_at = models.DateTimeField(_("carried out"), null=True)

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.route} #{self.pk}"
