"""The connection's settings: what is asked for, and how it is read for use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import ConfigField, ConfigKind

ISOLATION = ("READ COMMITTED", "SNAPSHOT", "READ UNCOMMITTED")
LONGEST_VISITS = 250
CONFIG = (
    ConfigField(
        "database_url",
        "Database address",
        ConfigKind.SECRET,
        help="mssql://user:password@host:1433/IDENT, or the single settings below.",
    ),
    ConfigField(
        "host", "Server", env="IDENT_DB_HOST", env_aliases=("DB_HOST", "DB_SERVER"), help="HOST or HOST\\INSTANCE."
    ),
    ConfigField("port", "Port", ConfigKind.INTEGER, env="IDENT_DB_PORT", env_aliases=("DB_PORT",)),
    ConfigField("name", "Database", env="IDENT_DB_NAME", env_aliases=("DB_NAME", "DB_DATABASE")),
    ConfigField("user", "User", env="IDENT_DB_USER", env_aliases=("DB_USER", "DB_USERNAME")),
    ConfigField("password", "Password", ConfigKind.SECRET, env="IDENT_DB_PASSWORD", env_aliases=("DB_PASSWORD",)),
    ConfigField(
        "driver",
        "Driver",
        env="IDENT_DB_DRIVER",
        env_aliases=("DB_DRIVER",),
        help="Empty: mssql-python. FreeTDS for old servers, or the name of an installed ODBC driver.",
    ),
    ConfigField("time_zone", "Time zone of the clinic", default="Europe/Moscow", help="Its times carry no zone."),
    ConfigField("branch", "Branch", help="For every patient whose branch the database does not tell."),
    ConfigField("area_code", "Area code", help="For local numbers of 5 to 7 digits, such as 343."),
    ConfigField("only_active", "Active patients only", ConfigKind.BOOLEAN, default=False),
    ConfigField("schema", "Schema", default="dbo", advanced=True),
    ConfigField("patients_view", "View of patients", default="crmsync_patients", advanced=True),
    ConfigField("receptions_view", "View of visits", default="crmsync_receptions", advanced=True),
    ConfigField("changes_view", "View of changes", default="crmsync_changes", advanced=True),
    ConfigField(
        "overlap_minutes",
        "Overlap in minutes",
        ConfigKind.INTEGER,
        default=10,
        advanced=True,
        help="How far each look at the changes reaches back: clocks differ, and some changes are saved late.",
    ),
    ConfigField(
        "visits_limit",
        "Longest list of visits",
        ConfigKind.INTEGER,
        default=LONGEST_VISITS,
        advanced=True,
        help="In characters. Text fields of some systems take 256.",
    ),
    ConfigField(
        "field_ids",
        "Field ids in the destination",
        advanced=True,
        help="age=123, sex=456: for fields that are not called there as they are here.",
    ),
    ConfigField("phone_region", "Phone region", default="RU", env="PHONE_REGION", advanced=True),
    ConfigField(
        "isolation",
        "Isolation level",
        ConfigKind.CHOICE,
        choices=tuple((level, level) for level in ISOLATION),
        advanced=True,
        help="Empty: as the server has it.",
    ),
    ConfigField("lock_timeout", "Seconds to wait for a lock", ConfigKind.INTEGER, default=5, advanced=True),
    ConfigField("query_timeout", "Seconds for a statement", ConfigKind.INTEGER, default=60, advanced=True),
    ConfigField("connect_timeout", "Seconds for connecting", ConfigKind.INTEGER, default=10, advanced=True),
    ConfigField("encrypt", "Encrypted connection", ConfigKind.BOOLEAN, default=True, advanced=True),
    ConfigField(
        "trust_certificate",
        "Trust the server's own certificate",
        ConfigKind.BOOLEAN,
        default=True,
        advanced=True,
        help="No: it must come from an authority that this machine knows.",
    ),
    ConfigField("driver_options", "Further driver options", advanced=True, help="KEY=value;KEY=value"),
    ConfigField(
        "refuse_rights",
        "Refuse a login that may write",
        ConfigKind.BOOLEAN,
        default=False,
        advanced=True,
        help="No: a warning only.",
    ),
)
_NAME = re.compile(r"[^\W\d][\w$#@ -]{0,127}")


@dataclass(frozen=True, slots=True)
class Source:
    """The settings as reading needs them."""

    schema: str
    patients: str
    receptions: str
    changes: str
    zone: ZoneInfo
    overlap: timedelta
    visits_limit: int
    branch: str
    area_code: str
    region: str
    only_active: bool

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Source:
        """Raises ApiError (CONFIG) that names the setting at fault."""
        return cls(
            schema=_name(config, "schema"),
            patients=_name(config, "patients_view"),
            receptions=_name(config, "receptions_view"),
            changes=_name(config, "changes_view"),
            zone=_zone(str(setting(config, "time_zone"))),
            overlap=timedelta(minutes=whole_number(config, "overlap_minutes", 1, 1440)),
            visits_limit=whole_number(config, "visits_limit", 20, 60_000),
            branch=str(setting(config, "branch") or ""),
            area_code=re.sub(r"\D", "", str(setting(config, "area_code") or "")),
            region=str(setting(config, "phone_region")).upper(),
            only_active=bool(setting(config, "only_active")),
        )


_FIELDS = {f.name: f for f in CONFIG}


def setting(config: Mapping[str, Any], name: str) -> Any:
    """The setting, or its default where it is empty."""
    value = config.get(name)
    return _FIELDS[name].default if value in (None, "") else value


def whole_number(config: Mapping[str, Any], name: str, least: int, most: int) -> int:
    """Raises ApiError (CONFIG) outside of `least` to `most`."""
    try:
        number = int(setting(config, name))
    except (TypeError, ValueError):
        number = least - 1
    if not least <= number <= most:
        raise refused(f"{_FIELDS[name].label} must be a number from {least} to {most}.")
    return number


def refused(message: str) -> ApiError:
    return ApiError(ErrorKind.CONFIG, message)


def _name(config: Mapping[str, Any], name: str) -> str:
    text = str(setting(config, name)).strip()
    if not _NAME.fullmatch(text):
        raise refused(f"{_FIELDS[name].label} is not a name that a database object can have.")
    return text


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise refused(
            f"{_FIELDS['time_zone'].label} must be a name such as Europe/Moscow or Asia/Yekaterinburg."
        ) from None
