"""What keeps syncing from working, or people from hearing of it, for `manage.py doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Info, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils.translation import gettext as _

from connectors.models import Connection, ConnectionState
from syncjobs import subscriptions
from syncjobs.alerts import telling
from syncjobs.sentences import translated


@register(Tags.database)
def connections_work(app_configs: Any, databases: Sequence[str] | None, **__: Any) -> list[CheckMessage]:
    return [
        Warning(
            _("%(crm)s needs attention: %(problem)s")
            % {"crm": connection.key, "problem": translated(connection.state_message)},
            hint=_("Open the connection in the admin and test its credentials."),
            id="syncjobs.W001",
        )
        for connection in _enabled(databases)
        if connection.state == ConnectionState.NEEDS_ATTENTION
    ]


@register(Tags.database)
def webhooks_can_arrive(app_configs: Any, databases: Sequence[str] | None, **__: Any) -> list[CheckMessage]:
    deaf = [
        connection.key
        for connection in _enabled(databases)
        if subscriptions.has_webhooks(connection) and subscriptions.why_off(connection)
    ]
    if not deaf:
        return []
    text = _("%(connections)s could send webhooks, but SITE_URL is not a public https:// address.")
    hint = _("Changes are read at intervals until it is set.")
    return [Info(text % {"connections": ", ".join(deaf)}, hint=hint, id="syncjobs.I002")]


@register(Tags.database)
def somebody_hears_of_alerts(app_configs: Any, databases: Sequence[str] | None, **__: Any) -> list[CheckMessage]:
    if settings.ALERT_EMAILS and not settings.EMAIL_URL:
        text = _("ALERT_EMAILS is set, but EMAIL_URL is not: no e-mail can go out.")
        return [Warning(text, hint=_("Set EMAIL_URL, then run `manage.py alerts --test`."), id="syncjobs.W003")]
    if telling.channels() or not any(not connection.is_sandbox for connection in _enabled(databases)):
        return []
    hint = _("Set EMAIL_URL and ALERT_EMAILS, or ALERT_WEBHOOK_URL, then run `manage.py alerts --test`.")
    return [Info(_("Alerts are shown on the dashboard only."), hint=hint, id="syncjobs.I004")]


def _enabled(databases: Sequence[str] | None) -> list[Connection]:
    """The connections in use; none where the database is not asked, or has no tables yet."""
    if not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    database = connections[DEFAULT_DB_ALIAS]
    with database.cursor() as cursor:
        if Connection._meta.db_table not in database.introspection.table_names(cursor):
            return []
    # Without secrets, which may be unreadable: connectors.E001 tells of those.
    return list(Connection.objects.filter(enabled=True).defer("secrets").order_by("key"))
