"""Phones in E.164, so that `8 916 123-45-67` and `+79161234567` are one number. Free of Django.

A number that cannot be normalised is never lost: its value is then its bare digits (or the text, when it has none),
which can never equal an E.164 value because those start with "+".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException, PhoneMetadata

from contacts.text import squeeze

RAW_LIMIT = 254
VALUE_LIMIT = 32
_PLAIN = re.compile(r"\+?[\d \-().\u00a0\u2010-\u2015]+", re.ASCII)
_NOT_DIGITS = re.compile(r"\D", re.ASCII)
_TRUNK_IN_BRACKETS = "(0)"


@dataclass(frozen=True, slots=True)
class Phone:
    """`value` to compare and store, `raw` as given, `reason` why it is not E.164 (None when it is)."""

    value: str
    raw: str
    reason: str | None = None


class UnknownRegion(ValueError):
    """The region is not an ISO 3166 two-letter code that has a numbering plan."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """The numbering plan of one country code: possible lengths and the shape of its national numbers."""

    code: str
    prefix: str | None
    lengths: frozenset[int]
    pattern: re.Pattern[str]


def is_e164(value: str) -> bool:
    return value.startswith("+")


@lru_cache(maxsize=16_384)
def normalize_phone(given: str, region: str) -> Phone:
    """E.164 of a phone as people write it; `region` (such as "RU") reads numbers without a country code.

    Numbers written with + need a known country code and a possible length; national ones must be numbers of the region.
    """
    raw = squeeze(given)
    value = _read_plainly(raw, region) or _read_with_library(raw, region)
    if value is not None:
        return Phone(value, raw[:RAW_LIMIT])
    digits = _NOT_DIGITS.sub("", raw)
    reason = f"is not a phone number of {region} nor an international one" if digits else "has no digits"
    # Without the "+" in front no text can pass for E.164.
    return Phone((digits or raw.lstrip("+ ") or "?")[:VALUE_LIMIT], raw[:RAW_LIMIT], reason)


def possible_starts(given: str, region: str) -> set[str]:
    """How values may begin when only the beginning of a phone is known: "8 916" → "8916", "+8916", "+7916" …"""
    digits = _NOT_DIGITS.sub("", given)
    starts = {digits, f"+{digits}"}
    plan = _plan_of_region(region)
    if not given.strip().startswith("+"):
        starts.add(f"+{plan.code}{digits}")
        if plan.prefix and digits.startswith(plan.prefix):
            starts.add(f"+{plan.code}{digits.removeprefix(plan.prefix)}")
    return starts - {"", "+", f"+{plan.code}"}


def _read_plainly(raw: str, region: str) -> str | None:
    """The fast path: digits and separators alone, no doubt about prefixes. None hands over to the library."""
    if not _PLAIN.fullmatch(raw) or _TRUNK_IN_BRACKETS in raw:
        return None
    digits = _NOT_DIGITS.sub("", raw)
    if raw.startswith("+"):
        return _international(digits)
    plan = _plan_of_region(region)
    if plan.prefix is None:
        return None
    if len(digits) in plan.lengths:
        return (
            f"+{plan.code}{digits}" if not digits.startswith(plan.prefix) and plan.pattern.fullmatch(digits) else None
        )
    for lead in (plan.prefix, plan.code):
        rest = digits[len(lead) :]
        if digits.startswith(lead) and len(rest) in plan.lengths and not rest.startswith(plan.prefix):
            return f"+{plan.code}{rest}" if plan.pattern.fullmatch(rest) else None
    return None


def _international(digits: str) -> str | None:
    if not 8 <= len(digits) <= 15:
        return None
    for size in (1, 2, 3):
        plan = _plan_of_code(digits[:size])
        if plan is not None:
            national = digits[size:]
            return f"+{digits}" if len(national) in plan.lengths and not national.startswith("0") else None
    return None


def _read_with_library(raw: str, region: str) -> str | None:
    plan_region = None if raw.startswith("+") else region
    try:
        number = phonenumbers.parse(raw, plan_region)
    except NumberParseException:
        return None
    value = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if not 9 <= len(value) <= 16:
        return None
    if raw.startswith("+") or raw.startswith("tel:+"):
        return value if phonenumbers.is_possible_number(number) else None
    plan = _plan_of_code(str(number.country_code))
    national = phonenumbers.national_significant_number(number)
    return value if plan is not None and plan.pattern.fullmatch(national) else None


@lru_cache(maxsize=64)
def _plan_of_region(region: str) -> _Plan:
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        raise UnknownRegion(f"{region!r} is not a two-letter country code with phone numbers")
    plan = _plan_of_code(str(metadata.country_code))
    if plan is None:
        raise UnknownRegion(f"{region!r} has no numbering plan")
    prefix = metadata.national_prefix_for_parsing
    simple = prefix is not None and prefix.isdigit() and not metadata.national_prefix_transform_rule
    return _Plan(plan.code, prefix if simple else None, plan.lengths, plan.pattern)


@lru_cache(maxsize=1_200)
def _plan_of_code(code: str) -> _Plan | None:
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(code)) if code and code[0] != "0" else None
    if not regions:
        return None
    descriptions = []
    for region in regions:
        metadata = (
            PhoneMetadata.metadata_for_nongeo_region(int(code), None)
            if region == "001"
            else PhoneMetadata.metadata_for_region(region)
        )
        if metadata is not None and metadata.general_desc is not None:
            descriptions.append(metadata.general_desc)
    patterns = [f"(?:{item.national_number_pattern})" for item in descriptions if item.national_number_pattern]
    lengths = frozenset(length for item in descriptions for length in item.possible_length if length > 0)
    return _Plan(code, None, lengths, re.compile("|".join(patterns), re.ASCII))
