"""How the stand-in refuses: the one envelope of Mautic's errors (sheet 3)."""

from __future__ import annotations

from typing import Any

from connectors.core.sandbox import Refused


def envelope(code: int, message: str, kind: str | None = None, details: Any = None) -> dict[str, Any]:
    """Without `details` for errors of the system and of signing in."""
    error: dict[str, Any] = {"code": code, "message": message, "type": kind}
    return {"errors": [error if details is None else {**error, "details": details}]}


def missing(path: str) -> dict[str, Any]:
    return envelope(404, f"Requested URL not found: {path}")


def refused(code: int, message: str, kind: str | None = None, details: Any = None) -> Refused:
    return Refused(code, envelope(code, message, kind, details))


def bad_values(problems: dict[str, str], code: int = 400) -> Refused:
    message = "; ".join(f"{alias}: {sentence}" for alias, sentence in problems.items())
    return refused(code, message, details={alias: [sentence] for alias, sentence in problems.items()})


def not_found() -> Refused:
    return refused(404, "Item was not found.", details=[])


def broken() -> Refused:
    return refused(500, "Looks like I encountered an error (error #500). If I do it again, please report me!")


def too_many(most: int) -> Refused:
    return refused(500, f"A max of {most} entities are supported at a time.", details=[])


DENIED = envelope(401, "API authorization denied.", "access_denied")
BAD_PASSWORD = envelope(401, "Authorization denied, invalid credentials.", "access_denied")
BAD_TOKEN = envelope(401, "The access token provided is invalid.", "invalid_grant")
OLD_TOKEN = envelope(401, "The access token provided has expired.", "invalid_grant")
API_DISABLED = envelope(403, "API is disabled.", "api_disabled")
BASIC_DISABLED = envelope(403, "HTTP basic auth is disabled.", "access_denied")
NO_RIGHTS = envelope(403, "You do not have access to the requested area/action.")
BAD_CLIENT = envelope(400, "The client credentials are invalid", "invalid_client")
