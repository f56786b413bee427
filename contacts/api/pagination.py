"""Pages of contacts by cursor on (updated_at, id): no COUNT, no OFFSET, the same speed on every page."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from contacts.models import Contact

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1_000
_MARKS = {"n": True, "p": False}


class ContactPagination(BasePagination):
    """`{next, previous, results}`; `?limit=` 1 to 1000 (100), `?cursor=` as given in `next` and `previous`."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        limit = _limit(request.query_params.get("limit"))
        cursor = request.query_params.get("cursor")
        forward, edge = _decode(cursor) if cursor else (True, None)
        if edge is not None:
            at, contact_id = edge
            beyond = (
                Q(updated_at__lt=at) | Q(updated_at=at, id__lt=contact_id)
                if forward
                else Q(updated_at__gt=at) | Q(updated_at=at, id__gt=contact_id)
            )
            # The first condition alone lets the index start at the edge.
            near = Q(updated_at__lte=at) if forward else Q(updated_at__gte=at)
            queryset = queryset.filter(near, beyond)
        order = ("-updated_at", "-id") if forward else ("updated_at", "id")
        rows = list(queryset.order_by(*order)[: limit + 1])
        more = len(rows) > limit
        page = rows[:limit] if forward else rows[:limit][::-1]
        self._url = request.build_absolute_uri()
        self._next = _encode("n", page[-1]) if page and (more or not forward) else None
        self._previous = _encode("p", page[0]) if page and (edge is not None if forward else more) else None
        return page

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self._link(self._next), "previous": self._link(self._previous), "results": data})

    def _link(self, cursor: str | None) -> str | None:
        if cursor is None:
            return None
        return replace_query_param(remove_query_param(self._url, "cursor"), "cursor", cursor)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": DEFAULT_LIMIT}
        return [
            {"name": "limit", "in": "query", "required": False, "schema": limit, "description": "Rows a page."},
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "schema": {"type": "string"},
                "description": "As in `next` and `previous` of another page.",
            },
        ]


def _limit(given: str | None) -> int:
    if given is None:
        return DEFAULT_LIMIT
    if not (given.isascii() and given.isdigit() and len(given) <= 4 and 1 <= int(given) <= LARGEST_LIMIT):
        raise ValidationError({"limit": [f"Must be a whole number from 1 to {LARGEST_LIMIT}."]})
    return int(given)


def _encode(mark: str, contact: Contact) -> str:
    text = f"{mark}{contact.updated_at.isoformat()}|{contact.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[bool, tuple[datetime, UUID]]:
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
        at, _, contact_id = text[1:].partition("|")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError("the time has no zone")
        return _MARKS[text[:1]], (moment, UUID(contact_id))
    except (ValueError, KeyError, binascii.Error) as error:
        raise ValidationError({"cursor": ["This is not a cursor of this list."]}) from error
