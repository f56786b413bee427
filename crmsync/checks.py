"""Misconfigurations that can be seen without running anything, as Django system checks with stable ids.

`manage.py check` shows those of the configuration, `manage.py doctor` also those that ask the database.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

from connectors import rotation
from crmsync.health import LATE, LATE_AFTER, NEVER, health
from crmsync.roles import ROLES

CLOCK_TOLERANCE_SECONDS = 5


@register(Tags.security, deploy=True)
def secrets_are_set(app_configs: Any, **_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.SECRET_KEY == settings.INSECURE_SECRET_KEY:
        hint = "Set SECRET_KEY, or let `manage.py setup` make one."
        found.append(Error("SECRET_KEY is the well-known one of development.", hint=hint, id="crmsync.E001"))
    if not settings.CREDENTIAL_KEYS:
        hint = "Set CREDENTIAL_KEYS, or let `manage.py setup` make one."
        found.append(Error("There is no key to encrypt credentials with.", hint=hint, id="crmsync.E002"))
    if not settings.SITE_URL.startswith("https://"):
        hint = "Set SITE_URL to the public address, for instance https://crm.example.com."
        found.append(Warning("SITE_URL is not an https:// address.", hint=hint, id="crmsync.W003"))
    return found


@register(Tags.security)
def values_are_valid(app_configs: Any, **_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for number, key in enumerate(settings.CREDENTIAL_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            text = f"Key {number} of CREDENTIAL_KEYS is not 32 bytes in URL-safe base64."
            found.append(Error(text, hint="`manage.py setup` makes valid keys.", id="crmsync.E004"))
    if settings.SUPABASE_DEFAULT_ROLE not in ROLES:
        text = f"SUPABASE_DEFAULT_ROLE is “{settings.SUPABASE_DEFAULT_ROLE}”."
        found.append(Error(text, hint=f"Use one of {', '.join(ROLES)}.", id="crmsync.E005"))
    return found


@register(Tags.database)
def migrations_are_applied(app_configs: Any, databases: Sequence[str] | None, **_: Any) -> list[CheckMessage]:
    if not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    plan = _waiting_migrations()
    if not plan:
        return []
    return [Warning(f"{len(plan)} migrations are not applied.", hint="Run `manage.py setup`.", id="crmsync.W006")]


@register(Tags.database)
def worker_is_alive(app_configs: Any, databases: Sequence[str] | None, **_: Any) -> list[CheckMessage]:
    if not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    report = health()
    hint = "Start `manage.py worker`, or look into its log."
    found: list[CheckMessage] = []
    if report["worker"] == NEVER:
        found.append(Warning("No worker has ever been seen.", hint=hint, id="crmsync.W008"))
    elif report["worker"] == LATE:
        text = f"No worker has been seen for {report['worker_age_seconds'] // 60} minutes."
        found.append(Warning(text, hint=hint, id="crmsync.W008"))
    elif (report["scheduler_age_seconds"] or 0) > LATE_AFTER.total_seconds():
        hint = "One schedule that cannot be read stops them all: look for its error in the worker's log."
        found.append(Warning("A worker runs, but schedules do not.", hint=hint, id="crmsync.W009"))
    return found


@register(Tags.database)
def clocks_agree(app_configs: Any, databases: Sequence[str] | None, **_: Any) -> list[CheckMessage]:
    if not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        difference = abs((cursor.fetchone()[0] - datetime.now(UTC)).total_seconds())
    if difference <= CLOCK_TOLERANCE_SECONDS:
        return []
    text = f"The clocks of this machine and of the database differ by {difference:.0f} seconds."
    return [Warning(text, hint="Let both follow a time server.", id="crmsync.W007")]


@register(Tags.database)
def keys_are_rotated(app_configs: Any, databases: Sequence[str] | None, **_: Any) -> list[CheckMessage]:
    if not databases or DEFAULT_DB_ALIAS not in databases or _waiting_migrations():
        return []
    report = rotation.look()
    found: list[CheckMessage] = []
    for number in range(1, len(settings.CREDENTIAL_KEYS)):
        held = report.by_key[number]
        text = f"Key {number + 1} of CREDENTIAL_KEYS still encrypts {held} secrets."
        if held:
            found.append(Warning(text, hint="Run `manage.py rotate_keys`.", id="crmsync.W010"))
        else:
            text = f"Key {number + 1} of CREDENTIAL_KEYS encrypts nothing any more: it may be dropped."
            found.append(Info(text, id="crmsync.I012"))
    if report.unreadable:
        text = f"{report.unreadable} stored secrets cannot be read with any key of CREDENTIAL_KEYS."
        hint = "Add the key that they were stored with, or enter them anew."
        found.append(Warning(text, hint=hint, id="crmsync.W011"))
    return found


def _waiting_migrations() -> list[Any]:
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    return executor.migration_plan(executor.loader.graph.leaf_nodes())
