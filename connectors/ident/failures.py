"""What went wrong in the database, by the recovery it asks for and in a sentence.

Drivers differ in their exceptions but quote the server's own numbers and ODBC's states, so those are what is looked
for. Their texts are not passed on, except the name of the object or column that is missing.
"""

from __future__ import annotations

import re

from connectors.core.errors import ApiError, ErrorKind

_T, _A, _C = ErrorKind.TRANSIENT, ErrorKind.AUTH, ErrorKind.CONFIG
NOT_INSTALLED = (
    "The driver for SQL Server is not installed: pip install -r requirements/mssql.txt, and Debian's package libodbc2."
)
AWAY = "The clinic's database server does not answer; it is tried again."
REFUSED = "The clinic's database refused the user name or the password."
SLOW = "The clinic's database took too long to answer; it is tried again."
LOCKED = "The clinic's database was busy: a lock was not released in time; it is tried again."
NO_DATABASE = "The clinic's server does not have that database, or the login may not open it."
NO_RIGHT = "The login may not read {name}: run the GRANT lines of the set-up script."
MISSING = "{name} is missing in the clinic's database: run the set-up script, or correct the setting."
MISSING_COLUMN = "The column {name} is missing in a view of the clinic's database: run the set-up script again."
CERTIFICATE = "The server's certificate is not known here: trust it in the settings, or install its authority."
NO_DRIVER = "The driver that the settings name is not installed on this machine."
NO_SNAPSHOT = "The database does not allow the isolation level SNAPSHOT: choose another one in the settings."
ODD = "The clinic's database refused to answer."

# In this order: the first that fits. Numbers are SQL Server's, letters ODBC's or PostgreSQL's states.
_KNOWN: tuple[tuple[str, ErrorKind, str], ...] = (
    (r"\(4060\)|cannot open database|\b3D000\b|database \"[^\"]*\" does not exist", _C, NO_DATABASE),
    (
        r"\(18456\)|login failed|\b28000\b|\b28P01\b|password authentication failed|role \"[^\"]*\" does not",
        _A,
        REFUSED,
    ),
    (r"certificate", _C, CERTIFICATE),
    (r"can't open lib|data source name not found|driver not found|\bIM00[23]\b", _C, NO_DRIVER),
    (r"\(1222\)|lock request time out|\b55P03\b", _T, LOCKED),
    (r"\(1205\)|deadlock|\b40001\b|\b40P01\b|\(601\)|could not continue scan", _T, LOCKED),
    (r"\(3952\)|snapshot isolation is not allowed", _C, NO_SNAPSHOT),
    (r"\(229\)|permission was denied|\b42501\b", _C, NO_RIGHT),
    (r"\(207\)|invalid column name|\b42S22\b|\b42703\b", _C, MISSING_COLUMN),
    (r"\(208\)|invalid object name|\b42S02\b|\b42P01\b|\b3F000\b", _C, MISSING),
    (r"login timeout|connection timeout|\b08\w{3}\b|\b57P0\d\b|communication link", _T, AWAY),
    (r"\bHYT00\b|\bHYT01\b|timeout expired|timed out|query timeout|\b57014\b", _T, SLOW),
    (r"connection", _T, AWAY),
)
_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), kind, text) for pattern, kind, text in _KNOWN)
# 'dbo.crmsync_patients', "crmsync_patients" or column "p.snils": the first quoted word that can be an object's name.
_OBJECT = re.compile(r"""(?:name|object|relation|column|view|table)\s+['"]([\w.\[\] ]{1,128})['"]""", re.IGNORECASE)
_BARE = re.compile(r"(?:column|table|view) ([\w.]{1,128}) ?", re.IGNORECASE)
_STATE = re.compile(r"\b(?:[0-9A-Z]{2}[0-9A-Z]{3}|HYT0\d)\b|\(\d{3,5}\)")


def failure(error: BaseException) -> ApiError:
    """The error of a driver, of Django or of ODBC as ours."""
    if isinstance(error, ImportError) or type(error).__name__ == "ImproperlyConfigured":
        return ApiError(_C, NOT_INSTALLED, detail=type(error).__name__)
    told = _told(error)
    for pattern, kind, text in _PATTERNS:
        if pattern.search(told):
            return ApiError(kind, text.format(name=_name(told)), detail=_detail(error, told))
    # An interface of unknown make lost its connection more often than it found a mistake of ours.
    interface = type(error).__name__ in ("OperationalError", "InterfaceError")
    return ApiError(_T if interface else _C, AWAY if interface else ODD, detail=_detail(error, told))


def _told(error: BaseException) -> str:
    parts, seen = [], error
    for _depth in range(4):
        state = getattr(seen, "sqlstate", None)
        parts.append(f"{state or ''} {' '.join(str(part) for part in seen.args)}")
        if seen.__cause__ is None:
            break
        seen = seen.__cause__
    return " ".join(parts)


def _name(told: str) -> str:
    found = _OBJECT.search(told) or _BARE.search(told)
    return found[1].replace("[", "").replace("]", "").strip() if found else "An object"


def _detail(error: BaseException, told: str) -> str:
    states = dict.fromkeys(state for state in _STATE.findall(told) if any(letter.isdigit() for letter in state))
    return " ".join([type(error).__name__, *list(states)[:4]])
