"""The stand-in's error bodies, as documented."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.core.sandbox import Refused


def problem(status: int, title: str, detail: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "type": f"https://httpstatus.es/{status}", "status": status, "detail": detail, **more}


def bad_request(detail: str) -> Refused:
    return Refused(400, problem(400, "Bad Request", detail))


def forbidden(detail: str) -> Refused:
    return Refused(403, problem(403, "Forbidden", detail))


def too_many(most: int) -> Refused:
    return Refused(422, problem(422, "Unprocessable Entity", f"Limit {most} per page"))


def invalid(found: Sequence[tuple[str, str, str]]) -> Refused:
    """(request_id, code, path) of every item that is wrong."""
    listed = [
        {"request_id": trace, "errors": [{"code": code, "path": path, "detail": "This value is not valid."}]}
        for trace, code, path in found
    ]
    body = problem(400, "Bad Request", "Request validation failed")
    return Refused(400, {"validation-errors": listed, **body})
