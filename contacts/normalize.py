"""Values as people and systems write them → values that compare. Pure, free of Django; the phone region is passed in.

Every function here raises `Invalid` with a reason that completes "this value …"; `normalize_phone` never refuses.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

import idna

from contacts.phones import Phone, UnknownRegion, is_e164, normalize_phone
from contacts.records import TEXT_LIMIT, VALUE_LIMIT
from contacts.text import name_key, squeeze

__all__ = [
    "Invalid",
    "Phone",
    "UnknownRegion",
    "is_e164",
    "name_key",
    "normalize_birthday",
    "normalize_date",
    "normalize_email",
    "normalize_phone",
    "normalize_text",
    "squeeze",
]

_ASCII_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}@(?:[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
)
_BRACKETED = re.compile(r".*<\s*([^<>]+)\s*>\s*\Z")
_LOCAL_REFUSED = re.compile(r"[\s@<>()\[\],;:\\\"]")
_DATE_SHAPES = (
    (re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"), "ymd"),
    (re.compile(r"(\d{4})(\d{2})(\d{2})"), "ymd"),
    (re.compile(r"(\d{4})[./](\d{1,2})[./](\d{1,2})"), "ymd"),
    (re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})"), "dmy"),
)
_SLASHED = re.compile(r"(\d{1,2})[/\-](\d{1,2})[/\-](\d{4})")
_NO_YEAR = re.compile(r"--(\d{2})-?(\d{2})")
OLDEST_YEAR = 1850


class Invalid(ValueError):
    """A value that cannot be used; `reason` completes the sentence "<field> <value> …"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def normalize_email(given: str) -> str:
    """Trimmed, lower case, NFC, its domain in ASCII (IDNA), so that both spellings of a domain are one address.

    >>> normalize_email(" Anna <Anna@Пример.РФ> ")
    'anna@xn--e1afmkfd.xn--p1ai'
    """
    text = squeeze(given)
    if text[:7].lower() == "mailto:":
        text = text[7:]
    if bracketed := _BRACKETED.match(text):
        text = bracketed[1].strip()
    text = text.lower()
    if not (_ASCII_EMAIL.fullmatch(text) and ".." not in text and text[0] != "." and ".@" not in text):
        text = _checked_email(text)
    if len(text) > VALUE_LIMIT:
        raise Invalid(f"is longer than {VALUE_LIMIT} characters")
    return text


def _checked_email(text: str) -> str:
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        raise Invalid("is not an e-mail address: it needs one @ between a name and a domain")
    if " " in text:
        raise Invalid("is not an e-mail address: it has a space inside")
    if _LOCAL_REFUSED.search(local):
        raise Invalid("is not an e-mail address: the part before @ has characters that are not allowed")
    if local.startswith(".") or local.endswith(".") or ".." in local:
        raise Invalid("is not an e-mail address: the dots before @ are misplaced")
    if len(local.encode()) > 64:
        raise Invalid("is not an e-mail address: the part before @ is longer than 64 bytes")
    domain = _ascii_domain(domain)
    if not _ASCII_EMAIL.fullmatch(f"a@{domain}") and not re.fullmatch(r"(?:[a-z0-9-]+\.)+xn--[a-z0-9-]+", domain):
        raise Invalid("is not an e-mail address: its domain is not complete")
    return f"{local}@{domain}"


@lru_cache(maxsize=4_096)
def _ascii_domain(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError) as error:
        raise Invalid("is not an e-mail address: its domain is not valid") from error


def normalize_text(given: str, limit: int = TEXT_LIMIT) -> str:
    """A name, company or title: NFC, single spaces, no control characters."""
    text = squeeze(given)
    if len(text) > limit:
        raise Invalid(f"is longer than {limit} characters")
    return text


def normalize_date(given: str) -> date:
    """ISO (1961-05-05, 19610505), 5.05.1961, or 13/05/1961 where only one order of day and month is possible.

    03/04/1990 is refused: it is March 4 in some places and April 3 in others.
    """
    text = squeeze(given)
    for shape, order in _DATE_SHAPES:
        if found := shape.fullmatch(text):
            parts = [int(part) for part in found.groups()]
            return _date(*(parts if order == "ymd" else parts[::-1]))
    if found := _SLASHED.fullmatch(text):
        first, second, year = (int(part) for part in found.groups())
        if first <= 12 and second <= 12 and first != second:
            raise Invalid("is ambiguous: day and month could be either way round; write it as YYYY-MM-DD")
        return _date(year, second, first) if first > 12 else _date(year, first, second)
    raise Invalid("is not a date; write it as YYYY-MM-DD")


def normalize_birthday(given: str) -> date | str:
    """A date, or "--MM-DD" for a birthday whose year is unknown (vCard `--0412`)."""
    if found := _NO_YEAR.fullmatch(squeeze(given)):
        month, day = int(found[1]), int(found[2])
        _date(2000, month, day)
        return f"--{month:02}-{day:02}"
    return normalize_date(given)


def _date(year: int, month: int, day: int) -> date:
    try:
        value = date(year, month, day)
    except ValueError as error:
        raise Invalid("is not a day of the calendar") from error
    if year < OLDEST_YEAR:
        raise Invalid(f"is before the year {OLDEST_YEAR}")
    return value
