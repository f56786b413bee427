"""What a batch's answer says of each item: arrays by index come as lists or as objects (sheet 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.replies import Reply
from connectors.mautic.client import refused_fields
from connectors.mautic.wire import by_index


@dataclass(frozen=True, slots=True)
class Item:
    """`status` is the item's own HTTP status, 0 where the answer tells none."""

    status: int
    contact: Mapping[str, Any]
    complaint: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def fields(self) -> Sequence[str]:
        """The aliases that were refused."""
        return refused_fields(self.complaint)


def items(reply: Reply, count: int) -> list[Item]:
    """One for each of the `count` items that were sent, in their order. Raises ApiError for another answer."""
    codes = by_index(reply.member("statusCodes"))
    if not codes:
        raise ApiError(ErrorKind.TRANSIENT, "Mautic's answer does not say what it wrote.", status=reply.status)
    contacts, errors = by_index(reply.member("contacts")), by_index(reply.member("errors"))
    return [Item(_code(codes.get(n)), _object(contacts.get(n)), _object(errors.get(n))) for n in range(count)]


def _code(value: Any) -> int:
    return int(value) if str(value).isdigit() else 0


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
