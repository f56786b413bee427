"""What django-q2 calls for alerts."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from syncjobs.alerts import finding, keeping, telling
from syncjobs.models import Alert

KEPT = timedelta(days=90)


def tick() -> None:
    """Every minute: finds what is wrong, keeps it, and tells what nobody was told of yet."""
    keeping.keep(finding.find())
    telling.tell_due()
    Alert.objects.filter(closed_at__lt=timezone.now() - KEPT).delete()
