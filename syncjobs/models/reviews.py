"""What only a person can decide."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connectors.models import Connection


class ReviewItem(models.Model):
    """A question about one record, asked once: while it is open, finding it again changes nothing.

    `field` is the contact's field in conflict ("" for other kinds), with `ours` and `theirs`. `candidates` are the ids
    of the contacts among which a record is ambiguous; where a contact is ambiguous among records, `theirs` has those
    and `field` the contact's id. A question about deletions that has an `external_id` asks whether that record is to be
    deleted, as another end of its route has lost its own; without one, whether so many may be gone: contacts, or, where
    `field` is mirror:ENTITY, rows of a mirrored table.

    `decision` is what syncjobs.decisions takes, with `used` once a run has carried it out.
    """

    class Kind(models.TextChoices):
        CONFLICT = "conflict", _("both sides changed")
        AMBIGUOUS = "ambiguous", _("several contacts fit")
        DELETIONS = "deletions", _("many deletions at once")

    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, related_name="reviews", verbose_name=_("connection"), db_index=False
    )
    kind = models.CharField(_("question"), max_length=10, choices=Kind.choices)
    external_id = models.CharField(_("remote id"), max_length=255, blank=True, default="")
    contact_id = models.UUIDField(_("contact"), null=True)
    field = models.CharField(_("field"), max_length=200, blank=True, default="")
    ours = models.JSONField(_("ours"), null=True)
    theirs = models.JSONField(_("theirs"), null=True)
    candidates = models.JSONField(_("candidates"), default=list)
    message = models.TextField(_("in words"), blank=True, default="")
    created_at = models.DateTimeField(_("asked"), default=timezone.now)
    decided_at = models.DateTimeField(_("decided"), null=True)
    decided_by = models.CharField(_("by"), max_length=150, blank=True, default="")
    decision = models.JSONField(_("decision"), null=True)

    class Meta:
        verbose_name = _("question")
        verbose_name_plural = _("questions")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "kind", "external_id", "field"],
                condition=Q(decided_at__isnull=True),
                name="asked_once_while_open",
            )
        ]
        indexes = [models.Index(fields=["contact_id"], name="review_of_contact")]

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id}"
