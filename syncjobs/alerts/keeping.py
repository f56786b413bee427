"""Keeps what was found: one open alert a connection and kind, closed once it is found no more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from syncjobs.alerts.finding import Finding
from syncjobs.models import Alert

# What comes back so soon was never over: nobody is told of its end, nor of its beginning once more.
SETTLING = timedelta(minutes=15)


@transaction.atomic
def keep(found: Sequence[Finding]) -> None:
    """Opens, refreshes and closes alerts, so that the open ones are those found."""
    now = timezone.now()
    held = {a.subject: a for a in Alert.objects.select_for_update().filter(closed_at=None)}
    lately = Alert.objects.select_for_update().filter(closed_at__gt=now - SETTLING, closing_told=False)
    recent = {alert.subject: alert for alert in lately.order_by("id")}
    for one in found:
        subject = (one.connection.pk, one.kind.value)
        alert = held.pop(subject, None) or recent.get(subject)
        if alert is None:
            Alert.objects.create(connection=one.connection, kind=one.kind, facts=one.facts, opened_at=now, seen_at=now)
            continue
        alert.facts, alert.seen_at, alert.closed_at = one.facts, now, None
        alert.save(update_fields=["facts", "seen_at", "closed_at"])
    Alert.objects.filter(pk__in=[alert.pk for alert in held.values()]).update(closed_at=now)


def quieten(alert: Alert, hours: int) -> None:
    """Nobody is told of this alert for some hours; it stays on the dashboard."""
    alert.quiet_until = timezone.now() + timedelta(hours=hours)
    alert.save(update_fields=["quiet_until"])
