"""The fields of a contact as rules name them, and where in a person of the People API each one is."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.core.types import FieldSpec, FieldType

EMAILS, PHONES, USER_DEFINED = "emailAddresses", "phoneNumbers", "userDefined"
CLIENT_DATA, METADATA, NAMES, BIRTHDAYS = "clientData", "metadata", "names", "birthdays"
CUSTOM_PREFIX = f"{USER_DEFINED}."
# The reference gives no lengths; these are what sheet 5 advises to keep to.
LONGEST_VALUE, MOST_VALUES = 1_000, 500


@dataclass(frozen=True, slots=True)
class Place:
    """`member` is the person's list, `part` the key within its main item."""

    member: str
    part: str
    label: str
    type: FieldType = FieldType.TEXT


PLACES = {
    "givenName": Place(NAMES, "givenName", "First name"),
    "familyName": Place(NAMES, "familyName", "Last name"),
    "middleName": Place(NAMES, "middleName", "Middle name"),
    "honorificPrefix": Place(NAMES, "honorificPrefix", "Name prefix"),
    "honorificSuffix": Place(NAMES, "honorificSuffix", "Name suffix"),
    "nickname": Place("nicknames", "value", "Nickname"),
    "organization": Place("organizations", "name", "Company"),
    "title": Place("organizations", "title", "Job title"),
    "department": Place("organizations", "department", "Department"),
    "birthday": Place(BIRTHDAYS, "date", "Birthday", FieldType.DATE),
    "note": Place("biographies", "value", "Note"),
    "address": Place("addresses", "formattedValue", "Address"),
    "website": Place("urls", "value", "Website"),
    EMAILS: Place(EMAILS, "value", "E-mail addresses", FieldType.EMAILS),
    PHONES: Place(PHONES, "value", "Phone numbers", FieldType.PHONES),
}

# The same for every read: a sync token is good only for the fields it was given with.
READ_MEMBERS = tuple(sorted({place.member for place in PLACES.values()} | {USER_DEFINED, CLIENT_DATA, METADATA}))
PERSON_FIELDS = ",".join(READ_MEMBERS)


def place_of(key: str) -> Place | None:
    """Where a field is; None for an unknown one. A contact's own labels are `userDefined.LABEL`."""
    if key.startswith(CUSTOM_PREFIX) and len(key) > len(CUSTOM_PREFIX):
        return Place(USER_DEFINED, key.removeprefix(CUSTOM_PREFIX), key.removeprefix(CUSTOM_PREFIX))
    return PLACES.get(key)


def spec_of(key: str) -> FieldSpec | None:
    """The field as it is described, None for an unknown one."""
    place = place_of(key)
    if place is None:
        return None
    many = place.type in (FieldType.EMAILS, FieldType.PHONES)
    longest = LONGEST_VALUE if place.type is FieldType.TEXT else None
    custom = place.member == USER_DEFINED
    return FieldSpec(key, place.label, place.type, multiple=many, max_length=longest, custom=custom)


def custom_key(label: str) -> str:
    return f"{CUSTOM_PREFIX}{label}"
