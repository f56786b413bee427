"""What is mirrored and how often, which column holds which field, and how the tables have grown."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connectors.models import Connection

LONGEST_INTERVAL = 10_080


class MirrorEntity(models.Model):
    """One table of a connection's mirror and its schedule. `started_at` is when the schedule last asked for a run.

    `read_again` is set where the fields have changed since the records were read in full.
    """

    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, related_name="mirrored", verbose_name=_("connection"), db_index=False
    )
    entity = models.CharField(_("entity"), max_length=40)
    enabled = models.BooleanField(_("enabled"), default=False)
    interval_minutes = models.PositiveIntegerField(
        _("minutes between runs"),
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_INTERVAL)],
    )
    webhook_enabled = models.BooleanField(_("follows webhooks"), default=False)
    full_hours = models.PositiveIntegerField(
        _("hours between full reads"),
        default=24,
        validators=[MinValueValidator(1)],
        help_text=_("Only a full read notices every deletion."),
    )
    read_again = models.BooleanField(default=False, editable=False)
    started_at = models.DateTimeField(_("last run"), null=True, editable=False)

    class Meta:
        verbose_name = _("mirrored entity")
        verbose_name_plural = _("mirrored entities")
        ordering = ["connection__key", "entity"]
        constraints = [models.UniqueConstraint(fields=["connection", "entity"], name="mirror_once_per_entity")]

    def __str__(self) -> str:
        return f"{self.connection.key} {self.entity}"


class MirrorColumn(models.Model):
    """The column that holds a field's values, `type` in PostgreSQL's words.

    `gone_at` is when the remote system stopped having the field; `superseded` columns keep the values of a field's
    earlier type. Where `as_it_came` is true the remote's own form is kept, which has more parts than ours.
    """

    mirror = models.ForeignKey(MirrorEntity, on_delete=models.CASCADE, related_name="columns", db_index=False)
    key = models.CharField(_("field"), max_length=255)
    column = models.CharField(_("column"), max_length=63)
    type = models.CharField(_("type"), max_length=20)
    label = models.TextField(_("name"), blank=True, default="")
    remote_id = models.CharField(max_length=100, blank=True, default="")
    as_it_came = models.BooleanField(default=False)
    has_options = models.BooleanField(default=False)
    superseded = models.BooleanField(default=False)
    gone_at = models.DateTimeField(_("gone since"), null=True)

    class Meta:
        verbose_name = _("mirrored field")
        verbose_name_plural = _("mirrored fields")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["mirror", "column"], name="mirror_column_once"),
            models.UniqueConstraint(fields=["mirror", "key"], condition=Q(superseded=False), name="mirror_field_once"),
        ]

    def __str__(self) -> str:
        return self.column


class SchemaChange(models.Model):
    """Something that happened to a mirrored table because the remote system's fields changed."""

    class Kind(models.TextChoices):
        ADDED = "added", _("column added")
        WIDENED = "widened", _("type widened")
        PARKED = "parked", _("new column for a new type")
        REMOVED = "removed", _("field gone, column kept")
        RETURNED = "returned", _("field is back")
        REMADE = "remade", _("field made anew")
        RELABELLED = "relabelled", _("renamed")
        VIEW_KEPT = "view_kept", _("view could not be renewed")

    mirror = models.ForeignKey(MirrorEntity, on_delete=models.CASCADE, related_name="changes", verbose_name=_("mirror"))
    at = models.DateTimeField(_("time"), default=timezone.now)
    kind = models.CharField(_("what happened"), max_length=12, choices=Kind.choices)
    field = models.CharField(_("field"), max_length=255, blank=True, default="")
    column = models.CharField(_("column"), max_length=63, blank=True, default="")
    before = models.TextField(_("before"), blank=True, default="")
    after = models.TextField(_("after"), blank=True, default="")

    class Meta:
        verbose_name = _("schema change")
        verbose_name_plural = _("schema changes")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.column}"
