"""The paths of the seed that mirrors Bitrix24 into PostgreSQL, and what a first set-up switches on."""

from __future__ import annotations

from django.urls import path
from django.utils.translation import gettext as _

from connectors.models import Connection
from syncjobs.compat import seed_003_views as views
from syncjobs.compat.seed_003_forms import SLUG
from syncjobs.mirror import schedule
from syncjobs.models import MirrorEntity


def prepare() -> list[str]:
    """Mirrors every entity of the first portal from the environment on; answers a line where that was begun."""
    found = Connection.objects.filter(connector=SLUG, key=SLUG, enabled=True).first()
    if found is None or not found.is_configured() or MirrorEntity.objects.filter(connection=found).exists():
        return []
    schedule.entities(found, enabled=True)
    return [_("%(crm)s is mirrored into the schema %(schema)s.") % {"crm": found.label, "schema": found.key}]


API = [
    path("v1/sync/start/<str:entity>", views.StartView.as_view()),
    path("v1/sync/status", views.StatusView.as_view()),
    path("v1/sync/config", views.ConfigView.as_view()),
    path("v1/webhooks/register", views.RegisterView.as_view()),
    path("v1/webhooks/unregister", views.UnregisterView.as_view()),
    path("v1/webhooks/registered", views.RegisteredView.as_view()),
]
