"""vCard 2.1, 3.0 and 4.0 → records, read as a stream: photos and other ballast never reach memory."""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from contacts.bulk import Incoming
from contacts.importing.row_records import RecordBuilder, RefusedRow
from contacts.importing.text_files import Line
from contacts.names import split_name
from contacts.records import LABEL_LIMIT, Point

PROPERTIES = frozenset({"N", "FN", "EMAIL", "TEL", "ORG", "TITLE", "BDAY", "X-ABLABEL"})
LENGTH_LIMIT = 20_000
CARD_LIMIT = 2_000
_NO_LABEL = frozenset({"pref", "voice", "internet", "text", "x-internet"})
_HEAD = re.compile(r"(?:(?P<group>[\w-]+)\.)?(?P<name>[A-Za-z][\w-]*)(?P<parameters>(?:;(?:\"[^\"]*\"|[^\":])*)?):")


@dataclass(frozen=True, slots=True)
class Property:
    name: str
    group: str
    parameters: dict[str, list[str]]
    value: str


@dataclass(frozen=True, slots=True)
class Card:
    """One vCard and the line of its BEGIN. `problem` says why it cannot be used."""

    line: int
    properties: list[Property]
    problem: str = ""


def read_cards(lines: Iterator[Line]) -> Iterator[Card]:
    """Every card in turn. A card that ends too early is handed out as broken; lines between cards are passed over."""
    start, problem = 0, ""
    properties: list[Property] = []
    for number, text, fault in _unfold(lines):
        marker = text.strip().upper()
        if marker == "BEGIN:VCARD":
            if start:
                yield Card(start, [], "the card has no END:VCARD")
            start, problem, properties = number, "", []
        elif marker == "END:VCARD" and start:
            yield Card(start, properties, problem)
            start = 0
        elif start:
            problem = problem or fault
            found = None if fault else _property(text)
            if found is not None and len(properties) < CARD_LIMIT:
                properties.append(found)
    if start:
        yield Card(start, [], "the card has no END:VCARD")


def _unfold(lines: Iterator[Line]) -> Iterator[tuple[int, str, str]]:
    """Logical lines: (number, text, fault). Continued lines are joined as long as the property is one we read."""
    number, fault, length = 0, "", 0
    parts: list[str] = []
    for line in lines:
        text = line.text.rstrip("\r\n")
        soft = bool(parts) and parts[-1].endswith("=") and "QUOTED-PRINTABLE" in parts[0].upper()
        if parts and (soft or text[:1] in (" ", "\t")):
            if length < LENGTH_LIMIT and not line.problem:
                parts[-1] = parts[-1].removesuffix("=") if soft else parts[-1]
                parts.append(text if soft else text[1:])
                length += len(text)
            fault = fault or (line.problem if _is_read(parts[0]) else "")
            continue
        if parts:
            yield number, "".join(parts), fault
        number, parts, length = line.number, [text], len(text)
        fault = line.problem
    if parts:
        yield number, "".join(parts), fault


def _is_read(text: str) -> bool:
    found = _HEAD.match(text)
    return found is not None and found["name"].upper() in PROPERTIES


def _property(text: str) -> Property | None:
    found = _HEAD.match(text)
    if found is None or found["name"].upper() not in PROPERTIES:
        return None
    parameters: dict[str, list[str]] = {}
    for part in re.findall(r";((?:\"[^\"]*\"|[^\";])*)", found["parameters"]):
        name, equals, value = part.partition("=")
        if not equals:
            name, value = "TYPE", name
        parameters.setdefault(name.upper(), []).extend(value.replace('"', "").lower().split(","))
    value = text[found.end() :]
    if "quoted-printable" in (*parameters.get("ENCODING", ()), *parameters.get("TYPE", ())):
        charset = parameters.get("CHARSET", ["utf-8"])[0]
        value = _decode_quoted(value, charset)
    return Property(found["name"].upper(), (found["group"] or "").lower(), parameters, value)


def _decode_quoted(value: str, charset: str) -> str:
    raw = quopri.decodestring(value.encode("utf-8", "replace"))
    try:
        return raw.decode(charset)
    except (LookupError, UnicodeDecodeError):
        return raw.decode("cp1251", "replace")


class CardReader:
    """Reads cards into records."""

    def __init__(self, region: str) -> None:
        self.builder = RecordBuilder(region)

    def read(self, card: Card) -> Incoming:
        """Raises RefusedRow."""
        if card.problem:
            raise RefusedRow(card.problem)
        values: dict[str, Any] = {}
        emails: list[Point] = []
        phones: list[Point] = []
        labels = {item.group: _unescape(item.value) for item in card.properties if item.name == "X-ABLABEL"}
        for item in sorted(card.properties, key=_preference):
            value = item.value.strip()
            if not value:
                continue
            if item.name in ("EMAIL", "TEL"):
                label = _label(item, labels)
                if item.name == "EMAIL":
                    self.builder.emails(emails, _unescape(value), label)
                else:
                    self.builder.phones(phones, unquote(value) if value[:4] == "tel:" else _unescape(value), label)
            else:
                self._single(values, item.name, value)
        self._full_name(values)
        return Incoming(self.builder.record(values, emails, phones))

    def _single(self, values: dict[str, Any], name: str, value: str) -> None:
        if name == "N":
            parts = [_unescape(part).replace(",", " ") for part in _split(value)] + [""] * 3
            for field, part in zip(("last_name", "first_name", "middle_name"), parts[:3], strict=True):
                self.builder.text(values, field, part)
        elif name == "ORG":
            self._first(values, "company", _unescape(_split(value)[0]))
        elif name == "TITLE":
            self._first(values, "job_title", _unescape(value))
        elif name == "BDAY":
            self.builder.birth_date(values, _unescape(value))
        elif name == "FN":
            values.setdefault("full_name", _unescape(value))

    def _first(self, values: dict[str, Any], field: str, given: str) -> None:
        if not values.get(field):
            self.builder.text(values, field, given)

    def _full_name(self, values: dict[str, Any]) -> None:
        full = values.pop("full_name", "")
        if full and not values.get("first_name") and not values.get("last_name"):
            for field, part in zip(("first_name", "last_name", "middle_name"), split_name(full), strict=True):
                self.builder.text(values, field, part)


def _preference(item: Property) -> int:
    """The order of preference: PREF=1 to 100, TYPE=pref, then as written."""
    given = item.parameters.get("PREF", [""])[0]
    if given.isascii() and given.isdigit():
        return int(given)
    return 0 if "pref" in item.parameters.get("TYPE", ()) or "PREF" in item.parameters else 101


def _label(item: Property, labels: dict[str, str]) -> str:
    named = labels.get(item.group, "") if item.group else ""
    if named:
        return named.removeprefix("_$!<").removesuffix(">!$_").lower()[:LABEL_LIMIT]
    types = [kind for kind in item.parameters.get("TYPE", ()) if kind and kind not in _NO_LABEL]
    return (types[0] if types else "")[:LABEL_LIMIT]


def _split(value: str) -> list[str]:
    """The parts between semicolons that are not escaped."""
    return re.split(r"(?<!\\);", value)


def _unescape(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], value)
