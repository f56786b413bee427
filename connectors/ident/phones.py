"""Phones as clerks type them: several in a cell, with words and extensions, local, foreign, or none at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers

from connectors.core.types import MultiValue

_EXTENSION = re.compile(r"(?:доб(?:авочный)?|вн(?:утр)?|ext)\b\.?\s*:?\s*\d+|#\s*\d+", re.IGNORECASE)
# Words part numbers as commas do; an extension's number is gone by then.
_BETWEEN = re.compile(r"[,;/|\\\n\r]|[^\W\d_]+|(?=\+)")
_NOT_DIGITS = re.compile(r"\D", re.ASCII)
_SEVERAL = re.compile(r"(?:[78](?:\D*\d){10})")
_RUSSIAN = {"RU", "KZ"}
_SHORTEST, _LONGEST = 10, 15


def points(cell: str, landline: str, region: str, area_code: str = "") -> list[MultiValue]:
    """The valid numbers of both cells in E.164, each once; the first is the primary."""
    found: dict[str, str] = {}
    for text, label in ((cell, "mobile"), (landline, "home")):
        for number in numbers(text, region, area_code):
            found.setdefault(number, label)
    return [MultiValue(number, label, primary=place == 0) for place, (number, label) in enumerate(found.items())]


@lru_cache(maxsize=16_384)
def numbers(text: str, region: str, area_code: str = "") -> tuple[str, ...]:
    """The valid numbers of a cell in E.164, in their order."""
    parts = _BETWEEN.split(_EXTENSION.sub(" ", text))
    found = (e164(part, region, area_code) for part in parts for part in _apart(part))
    return tuple(dict.fromkeys(number for number in found if number))


def e164(part: str, region: str, area_code: str = "") -> str:
    """One number in E.164, "" where it is none: too short, all one digit, not of the region."""
    text = part.strip()
    digits = _NOT_DIGITS.sub("", text)
    # A local number begins neither with the 8 of a long-distance call nor with 0.
    if area_code and 5 <= len(digits) <= 7 and digits[0] not in "08" and not text.startswith("+"):
        digits = text = f"{area_code}{digits}"
    if not _SHORTEST <= len(digits) <= _LONGEST + 3 or len(set(digits[-_SHORTEST:])) == 1:
        return ""
    if region in _RUSSIAN and (number := _russian(digits, is_international=text.startswith("+"))):
        return number
    return _by_library(text, region)


def _russian(digits: str, *, is_international: bool) -> str:
    """The usual spellings of +7, without the cost of the library."""
    if len(digits) == 11 and (digits[0] == "7" or (digits[0] == "8" and not is_international)):
        national = digits[1:]
    elif len(digits) == 10 and not is_international:
        national = digits
    else:
        return ""
    # No area code begins with 89: that is a cell with a digit missing.
    return f"+7{national}" if national[0] in "3489" and not national.startswith("89") else ""


def _by_library(text: str, region: str) -> str:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return ""
    # Foreign plans change faster than tables of them: a possible one is enough where the country is written.
    good = phonenumbers.is_possible_number(number) if text.startswith("+") else phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if good else ""


def _apart(part: str) -> Iterator[str]:
    """Numbers that only spaces part: more digits than one number can have."""
    if len(_NOT_DIGITS.sub("", part)) > _LONGEST:
        together = _SEVERAL.findall(part)
        if len(together) > 1:
            yield from together
            return
    yield part
