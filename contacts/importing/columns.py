"""Recognises whose column is whose: the usual English and Russian names, as Google, Outlook and CRMs export them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contacts.importing.text_files import UnusableFile
from contacts.records import LABEL_LIMIT

IGNORE = "-"
ATTRIBUTE_PREFIX = "attributes."
TARGETS = (
    *("first_name", "last_name", "middle_name", "name", "email", "phone", "company", "job_title"),
    *("birth_date", "domain_id", "page_id", "id"),
)
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "first_name": ("first name", "firstname", "given name", "givenname", "forename", "имя", "имя контакта"),
    "last_name": ("last name", "lastname", "family name", "familyname", "surname", "фамилия", "фамилия контакта"),
    "middle_name": (
        *("middle name", "middlename", "second name", "additional name", "patronymic", "отчество", "second_name"),
    ),
    "name": (
        *("name", "full name", "fullname", "display name", "contact name", "contact", "фио", "ф и о", "полное имя"),
        *("имя и фамилия", "фамилия имя отчество", "контакт", "наименование контакта"),
    ),
    "company": (
        *("company", "company name", "organization", "organisation", "organization name", "organization 1 name"),
        *("employer", "компания", "организация", "название компании", "место работы", "фирма"),
    ),
    "job_title": (
        *("job title", "jobtitle", "title", "position", "role", "organization title", "organization 1 title"),
        *("должность", "позиция"),
    ),
    "birth_date": (
        *("birth date", "birthdate", "birthday", "date of birth", "dob", "bday", "дата рождения", "день рождения"),
        *("др", "д р"),
    ),
    "domain_id": ("domain id", "domainid"),
    "page_id": ("page id", "pageid"),
}
_FAMILY_FIRST = frozenset({"фио", "ф и о", "фамилия имя отчество"})
_BY_NAME = {name: target for target, names in _SYNONYMS.items() for name in (target, *names)}
_EMAIL_WORDS = re.compile(
    r"e ?mail(?: address)?|mail|электронная почта|электронный адрес|почта|эл почта|имейл|емейл|мейл"
)
_PHONE_WORDS = re.compile(
    r"tele?phone(?: number)?|phone(?: number)?|phones|mobile|cell|tel|телефоны?|номер телефона|тел|мобильный|моб"
)
# Columns about an e-mail or phone that do not hold one.
_ABOUT = frozenset(
    {
        *("type", "label", "kind", "consent", "opt", "optin", "optout", "out", "verified", "status", "date", "valid"),
        *("count", "extension", "ext", "hash", "id", "bounced", "unsubscribed", "subscribed", "marketing", "source"),
        *("owner", "fax", "template", "тип", "метка", "согласие", "рассылка", "статус", "дата", "факс"),
    }
)
_FILLERS = frozenset({"value", "number", "address", "primary", "номер", "адрес"})


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file: its header and the field it fills (IGNORE for none)."""

    header: str
    target: str
    label: str = ""
    family_first: bool = False


def tidy(header: str) -> str:
    """A header for comparing: "E-mail 1 - Value" → "e mail 1 value"."""
    text = unicodedata.normalize("NFC", header).casefold().replace("ё", "е")
    return " ".join(re.sub(r"[^\w]+|_", " ", text).split())


def recognise(
    headers: Sequence[str], chosen: Mapping[str, str] | None = None, *, keep_unknown: bool = False
) -> list[Column]:
    """A column for every header. `chosen` maps headers to targets and beats the guess.

    Unknown columns are left out, or with `keep_unknown` kept as attributes of their name. A full name is only used
    where no first or last name is. Raises UnusableFile for an unknown target or header in `chosen`.
    """
    wanted = _checked(headers, chosen or {})
    columns = []
    taken: set[str] = set(wanted.values())
    for header in headers:
        if header in wanted:
            columns.append(_column(header, wanted[header]))
            continue
        column = _guess(header)
        if column.target == IGNORE and keep_unknown and tidy(header):
            column = Column(header, ATTRIBUTE_PREFIX + "_".join(tidy(header).split())[:64])
        if column.target in taken and column.target not in ("email", "phone"):
            column = Column(header, IGNORE)
        taken.add(column.target)
        columns.append(column)
    if {"first_name", "last_name"} & taken and "name" not in wanted.values():
        columns = [Column(column.header, IGNORE) if column.target == "name" else column for column in columns]
    return columns


def check_target(target: str) -> str:
    """The target itself. Raises UnusableFile with the known ones when it is none of them."""
    if target in TARGETS or target == IGNORE or (target.startswith(ATTRIBUTE_PREFIX) and target != ATTRIBUTE_PREFIX):
        return target
    known = ", ".join((*TARGETS, f"{ATTRIBUTE_PREFIX}<name>"))
    raise UnusableFile(f"There is no field {target!r}. Known fields: {known}; {IGNORE} leaves a column out.")


def _checked(headers: Sequence[str], chosen: Mapping[str, str]) -> dict[str, str]:
    by_tidy = {tidy(header): header for header in reversed(headers)}
    wanted = {}
    for name, target in chosen.items():
        check_target(target)
        header = name if name in headers else by_tidy.get(tidy(name))
        if header is None:
            raise UnusableFile(f"There is no column {name!r}. The file has: {', '.join(filter(None, headers))}.")
        wanted[header] = target
    return wanted


def _column(header: str, target: str) -> Column:
    label = _guess(header).label if target in ("email", "phone") else ""
    return Column(header, target, label, tidy(header) in _FAMILY_FIRST)


def _guess(header: str) -> Column:
    name = tidy(header)
    plain = re.sub(r"\s*\d+$", "", name)
    target = _BY_NAME.get(name) or _BY_NAME.get(plain)
    if target:
        return Column(header, target, family_first=plain in _FAMILY_FIRST)
    for point, words in (("email", _EMAIL_WORDS), ("phone", _PHONE_WORDS)):
        label = _label(name, words)
        if label is not None:
            return Column(header, point, label)
    return Column(header, IGNORE)


def _label(name: str, words: re.Pattern[str]) -> str | None:
    """What is left of "phone district" without the word for phone; None when the header speaks of something else."""
    found = re.search(rf"(?:^|\s)(?:{words.pattern})(?=$|\s|\d)", name)
    if not found:
        return None
    rest = [re.sub(r"\d+$", "", word) for word in (name[: found.start()] + " " + name[found.end() :]).split()]
    if _ABOUT & set(rest):
        return None
    label = " ".join(word for word in rest if word and word not in _FILLERS and not words.fullmatch(word))
    kind = found[0].strip()
    if not label and kind in ("mobile", "cell", "мобильный", "моб"):
        label = "mobile"
    return label[:LABEL_LIMIT]
