"""Looks records up by what identifies them, and compares every answer by the record's own values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.bitrix24.commands import MOST, Command
from connectors.bitrix24.entities import EMAIL, ID, ORIGIN, ORIGINATOR, PHONE
from connectors.bitrix24.lists import Lists
from connectors.bitrix24.marks import HUB
from connectors.bitrix24.points import rows_of, same_email, same_phone, spellings
from connectors.bitrix24.reading import Reader
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.fanout import batched
from connectors.core.types import MatchKey, RemoteRecord

DUPLICATES = "crm.duplicate.findbycomm"
# Values in one question of the search for duplicates (sheet 3).
VALUES = 20
_KINDS = {"email": EMAIL, "phone": PHONE}


class Finder:
    """The answers of `find` for one entity. `region` is that of phone numbers without a country code."""

    def __init__(self, lists: Lists, reader: Reader, region: str) -> None:
        self._lists, self._reader, self._entity, self._region = lists, reader, lists.entity, region

    def find(self, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        """Raises ApiError. Several keys may be one identity, and several records carry it."""
        rows = {str(row[ID]): row for row in self._rows(keys)}
        wanted: dict[str, list[MatchKey]] = {}
        for key in keys:
            wanted.setdefault(self._identity(key.name, key.value), []).append(key)
        found: dict[MatchKey, list[RemoteRecord]] = {key: [] for key in keys}
        for record in self._reader.decode(rows.values()):
            for identity in self._identities(record.raw):
                for key in wanted.get(identity, ()):
                    found[key].append(record)
        return found

    def marked(self, marks: Sequence[str]) -> dict[str, list[str]]:
        """The ids of the records that carry our marks, by mark."""
        found: dict[str, list[str]] = {mark: [] for mark in marks}
        filters = [{ORIGINATOR: HUB, f"@{ORIGIN}": list(some)} for some in batched(marks, MOST)]
        for row in self._lists.matching(filters, [ID, ORIGINATOR, ORIGIN]):
            if row.get(ORIGINATOR) == HUB and row.get(ORIGIN) in found:
                found[row[ORIGIN]].append(str(row[ID]))
        return found

    def _rows(self, keys: Sequence[MatchKey]) -> Iterator[Mapping[str, Any]]:
        ids = [key.value for key in keys if key.name == "id"]
        communications = [key for key in keys if key.name in _KINDS]
        if communications:
            ids += self._duplicates(communications)
        everything = self._entity.everything
        for _asked, rows in self._lists.by_ids(dict.fromkeys(ids), everything):
            yield from rows.values()
        titles = dict.fromkeys(key.value.strip() for key in keys if key.name == "name")
        yield from self._lists.matching([{f"={self._entity.title}": title} for title in titles], everything)

    def _duplicates(self, keys: Sequence[MatchKey]) -> list[str]:
        """The ids of records that may carry an address or number, by the portal's own index of them."""
        commands: list[Command] = []
        for kind, code in _KINDS.items():
            values = [text for key in keys if key.name == kind for text in self._asked_as(key)]
            for some in batched(dict.fromkeys(values), VALUES):
                asked = {"type": code, "values": some, "entity_type": self._entity.kind}
                commands.append(Command(f"d{len(commands)}", DUPLICATES, asked))
        if len(commands) == 1:
            reply = self._lists.client.call(DUPLICATES, commands[0].params)
            return list(self._numbers(reply.member("result")))
        found: list[str] = []
        for part in batched(commands, MOST):
            answer = self._lists.client.batch(part)
            for command in part:
                error = answer.error(command.key)
                if error is not None:
                    raise error
                found += self._numbers(answer.results[command.key])
        return found

    def _asked_as(self, key: MatchKey) -> list[str]:
        return spellings(key.value, self._region) if key.name == "phone" else [key.value.strip()]

    def _numbers(self, result: Any) -> Iterator[str]:
        """The ids in `{"CONTACT": [275, 2297]}`; nothing found is an empty list."""
        if not isinstance(result, dict | list):
            raise ApiError(ErrorKind.TRANSIENT, "Bitrix24's answer is not that of a search.")
        listed = result.get(self._entity.kind) if isinstance(result, dict) else []
        yield from (str(number) for number in listed or ())

    def _identities(self, raw: Mapping[str, Any]) -> set[str]:
        told = {self._identity(k, str(row["VALUE"])) for k, code in _KINDS.items() for row in rows_of(raw.get(code))}
        return told | {f"id:{raw[ID]}", self._identity("name", str(raw.get(self._entity.title) or ""))}

    def _identity(self, kind: str, text: str) -> str:
        match kind:
            case "email":
                return f"email:{same_email(text)}"
            case "phone":
                return f"phone:{same_phone(text, self._region)}"
            case "name":
                return f"name:{' '.join(text.split()).casefold()}"
        return f"{kind}:{text}"
