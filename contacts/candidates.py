"""The contacts that records may belong to, by each of their keys: few enough to be compared one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from contacts.matching import MOST_HOLDERS, Candidate, Keys, MatchKey


class Candidates:
    """What contacts.store found for a batch, and what the batch adds. A contact whose keys change is added anew."""

    def __init__(self, match_order: Sequence[MatchKey]) -> None:
        self._by_name = not {"email_and_name", "phone_and_name"}.isdisjoint(match_order)
        self._by_identity = "identity" in match_order
        self._by_key: dict[Any, dict[UUID, None]] = defaultdict(dict)
        self._keys: dict[UUID, Keys] = {}

    def add(self, contact_id: UUID, keys: Keys) -> None:
        self._keys[contact_id] = keys
        for point in _points(keys):
            self._by_key[point][contact_id] = None
            if self._by_name:
                self._by_key[point, keys.name][contact_id] = None
        if self._by_identity and not keys.emails and keys.identity is not None:
            self._by_key[keys.identity][contact_id] = None

    def keys_of(self, contact_id: UUID) -> Keys | None:
        return self._keys.get(contact_id)

    def of(self, keys: Keys) -> dict[UUID, Candidate]:
        """Those that share a key. Of those that share a crowded one, the namesakes alone."""
        ids: dict[UUID, None] = {}
        for point in _points(keys):
            ids.update(self._holders((point, keys.name) if self._is_crowded(point) else point))
        if self._by_identity and not keys.emails and keys.identity is not None:
            ids.update(self._holders(keys.identity))
        return {contact_id: Candidate(contact_id, self._keys[contact_id]) for contact_id in ids}

    def crowded(self, keys: Keys) -> frozenset[str]:
        """The record's phones and e-mails that tell nobody from others."""
        return frozenset([value for kind, value in _points(keys) if self._is_crowded((kind, value))])

    def _is_crowded(self, point: tuple[str, str]) -> bool:
        return len(self._holders(point)) > MOST_HOLDERS

    def _holders(self, key: Any) -> dict[UUID, None]:
        return self._by_key.get(key, {})


def _points(keys: Keys) -> list[tuple[str, str]]:
    return [("email", email) for email in keys.emails] + [("phone", phone) for phone in keys.phones]
