"""Routes between connections, where the next pull of one starts, and what it met without a contact."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connectors.models import Connection
from syncjobs.daytimes import validate_times, validate_zone


class Policy(models.TextChoices):
    """Who decides about a field that both sides changed."""

    NEWEST = "newest", _("the newer change")
    SOURCE = "source", _("the source")
    DESTINATION = "destination", _("the destination")
    ASK = "ask", _("a person")


class OnDelete(models.TextChoices):
    """What a deletion on one side means for the other."""

    IGNORE = "ignore", _("nothing")
    UNLINK = "unlink", _("forget the link")
    DELETE = "delete", _("delete there too")
    ASK = "ask", _("ask a person")


class Route(models.Model):
    """Contacts of the source go to the destination, and come back where `two_way` is set.

    `recreate` lets a push make a record anew that was deleted in the destination. `full_times` are times of the day in
    `time_zone` ("" is the hub's) at which both sides are read in full.
    """

    source = models.ForeignKey(
        Connection, on_delete=models.CASCADE, related_name="routes_out", verbose_name=_("source"), db_index=False
    )
    destination = models.ForeignKey(
        Connection, on_delete=models.CASCADE, related_name="routes_in", verbose_name=_("destination")
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    two_way = models.BooleanField(_("both ways"), default=False)
    policy = models.CharField(_("decides"), max_length=12, choices=Policy.choices, default=Policy.NEWEST)
    on_delete = models.CharField(_("on deletion"), max_length=6, choices=OnDelete.choices, default=OnDelete.IGNORE)
    recreate = models.BooleanField(_("create deleted records anew"), default=False)
    interval_minutes = models.PositiveIntegerField(
        _("minutes between runs"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(10080)]
    )
    full_times = models.CharField(
        _("full runs at"),
        max_length=100,
        blank=True,
        default="",
        validators=[validate_times],
        help_text=_("Times of the day at which everything is compared, such as 08:00, 20:00."),
    )
    time_zone = models.CharField(_("time zone"), max_length=50, blank=True, default="", validators=[validate_zone])
    started_at = models.DateTimeField(_("last run"), null=True, editable=False)
    full_started_at = models.DateTimeField(_("last full run"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("route")
        verbose_name_plural = _("routes")
        ordering = ["source__key", "destination__key"]
        constraints = [
            models.UniqueConstraint(fields=["source", "destination"], name="route_once_per_pair"),
            models.CheckConstraint(condition=~Q(source=F("destination")), name="route_between_two"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {'↔' if self.two_way else '→'} {self.destination}"


class Cursor(models.Model):
    """Where the next pull of a connection's entity starts. Stored in the transaction that stores the page's records.

    `position` is the connector's own: of the full read under way since `full_since`, else of the changes read last.
    `full_at` is the start of the last full read that finished, null before the first. `scan` numbers the full reads.
    `keeps_strays`: the last full read took contacts in, and kept the records that it found none for.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="cursors", db_index=False)
    entity = models.CharField(_("entity"), max_length=50)
    position = models.JSONField(null=True)
    full_since = models.DateTimeField(null=True)
    full_at = models.DateTimeField(_("read in full"), null=True)
    scan = models.PositiveIntegerField(default=0)
    keeps_strays = models.BooleanField(default=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("cursor")
        verbose_name_plural = _("cursors")
        constraints = [models.UniqueConstraint(fields=["connection", "entity"], name="cursor_once_per_entity")]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.entity}"


class Scanned(models.Model):
    """A remote record that the full read under way has met: what is missing in the end was deleted there."""

    cursor = models.ForeignKey(Cursor, on_delete=models.CASCADE, db_index=False, db_constraint=False)
    scan = models.PositiveIntegerField()
    external_id = models.CharField(max_length=255)

    class Meta:
        verbose_name = _("scanned record")
        verbose_name_plural = _("scanned records")
        indexes = [models.Index(fields=["cursor", "scan"], name="scanned_by_cursor")]

    def __str__(self) -> str:
        return self.external_id


class Stray(models.Model):
    """A remote record without a contact, on a connection that is only looked at: a push may find it.

    `values` are the record's as a snapshot keeps them, `name` its full name for comparing, `reference` the id that it
    carries of a record in the route's source. `keys` are "phone:+7916…", "email:…" and "reference:…".
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, db_index=False)
    external_id = models.CharField(max_length=255)
    version = models.CharField(max_length=255, blank=True, default="")
    name = models.CharField(max_length=800, blank=True, default="")
    reference = models.CharField(max_length=255, blank=True, default="")
    values = models.JSONField(default=dict)
    seen_hash = models.BinaryField(editable=False)

    class Meta:
        verbose_name = _("unlinked record")
        verbose_name_plural = _("unlinked records")
        constraints = [models.UniqueConstraint(fields=["connection", "external_id"], name="stray_once_per_record")]

    def __str__(self) -> str:
        return self.external_id


class StrayKey(models.Model):
    """One of the keys by which a stray is found."""

    connection_id = models.BigIntegerField()
    key = models.CharField(max_length=300)
    external_id = models.CharField(max_length=255)

    class Meta:
        verbose_name = _("key of an unlinked record")
        verbose_name_plural = _("keys of unlinked records")
        indexes = [
            models.Index(fields=["connection_id", "key"], name="stray_by_key"),
            models.Index(fields=["connection_id", "external_id"], name="keys_of_stray"),
        ]

    def __str__(self) -> str:
        return self.key
