"""Misconfigurations of the machine and its PostgreSQL, which `manage.py doctor` shows; ids as in crmsync.checks."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils.translation import gettext as _

from crmsync.embedded.location import data_home

LEAST_FREE_BYTES = 1_000_000_000
OLDEST_POSTGRESQL = 15


@register(Tags.database)
def disks_have_room(app_configs: Any, databases: Sequence[str] | None, **__: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not databases:
        return found
    for folder in folders():
        free = shutil.disk_usage(folder).free
        if free < LEAST_FREE_BYTES:
            text = _("Only %(megabytes)d MB are free for %(folder)s.")
            text = text % {"megabytes": free // 1_000_000, "folder": folder}
            found.append(Warning(text, hint=_("Make room, or move it to a larger disk."), id="crmsync.W010"))
    return found


def folders() -> Iterator[Path]:
    """Where this machine writes, as far as it is there: the embedded server's data and the log files."""
    logs = [Path(settings.LOG_DIR)] if settings.LOG_DIR else []
    embedded = [] if settings.ENVIRONMENT.text("DATABASE_URL") else [data_home()]
    yield from (folder for folder in [*embedded, *logs] if folder.exists())


@register(Tags.database)
def postgresql_is_recent(app_configs: Any, databases: Sequence[str] | None, **__: Any) -> list[CheckMessage]:
    if not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000")
        version = cursor.fetchone()[0]
    if version >= OLDEST_POSTGRESQL:
        return []
    text = _("PostgreSQL is %(version)d; %(oldest)d is the oldest that works.")
    text = text % {"version": version, "oldest": OLDEST_POSTGRESQL}
    return [Error(text, hint=_("Move the database to a newer server."), id="crmsync.E011")]


@register(Tags.security, deploy=True)
def a_proxy_speaks_tls(app_configs: Any, **__: Any) -> list[CheckMessage]:
    if not settings.HTTPS or settings.TRUSTED_PROXIES:
        return []
    text = _("SITE_URL is https://, but TRUSTED_PROXIES is 0: every page would redirect to itself.")
    hint = _("Set TRUSTED_PROXIES to the number of reverse proxies in front.")
    return [Warning(text, hint=hint, id="crmsync.W012")]
