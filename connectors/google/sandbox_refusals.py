"""The stand-in's error bodies, as documented (sheet 4 to 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.core.sandbox import Refused

NAMES = {3: "INVALID_ARGUMENT", 5: "NOT_FOUND", 9: "FAILED_PRECONDITION"}
STATUSES = {3: 400, 5: 404, 9: 400}
STALE = "Request person.etag is different than the current person.etag. Clear local cache and get the latest person."
NO_ETAG = (
    "Request must set person.etag or person.metadata.sources.etag for the source that is being updated."  # as seen
)
HTML = {"content-type": "text/html; charset=UTF-8"}
NOWHERE = b"<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title><p>That's an error.</html>"


def refusal(status: int, name: str, message: str, *details: Mapping[str, Any]) -> Refused:
    error: dict[str, Any] = {"code": status, "message": message, "status": name}
    return Refused(status, {"error": {**error, **({"details": list(details)} if details else {})}})


def invalid(message: str = "Request contains an invalid argument.", field: str = "") -> Refused:
    violations = [{"field": field, "description": message}]
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}
    return refusal(400, "INVALID_ARGUMENT", message, *([detail] if field else []))


def unknown_name(name: str, at: str) -> Refused:
    return invalid(f"Invalid JSON payload received. Unknown name \"{name}\" at '{at}': Cannot find field.", at)


def not_found() -> Refused:
    return refusal(404, "NOT_FOUND", "Requested entity was not found.")


def unauthenticated() -> Refused:
    sentence = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other."
    refused = refusal(401, "UNAUTHENTICATED", sentence)
    challenge = {"www-authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'}
    return Refused(401, refused.reply.body, challenge)


def expired_sync_token() -> Refused:
    sentence = "Sync token is expired. Clear local cache and retry call without the sync token."
    return refusal(400, "INVALID_ARGUMENT", sentence, _info("EXPIRED_SYNC_TOKEN", "people.googleapis.com"))


def service_disabled() -> Refused:
    sentence = "People API has not been used in project 123 before or it is disabled. Enable it by visiting …"
    return refusal(403, "PERMISSION_DENIED", sentence, _info("SERVICE_DISABLED", "googleapis.com"))


def missing_scope() -> Refused:
    sentence = "Request had insufficient authentication scopes."
    return refusal(403, "PERMISSION_DENIED", sentence, _info("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "googleapis.com"))


def account_full() -> Refused:
    return refusal(429, "RESOURCE_EXHAUSTED", "MY_CONTACTS_OVERFLOW_COUNT")


def over_quota(metric: str, label: str, limit: int) -> Refused:
    sentence = (
        f"Quota exceeded for quota metric '{label}' and limit '{label} per minute per user' of service "
        "'people.googleapis.com' for consumer 'project_number:123'."
    )
    metadata = {
        "service": "people.googleapis.com",
        "quota_metric": f"people.googleapis.com/{metric}",
        "quota_limit_value": str(limit),
        "quota_unit": "1/min/{project}/{user}",
        "quota_location": "global",
        "consumer": "projects/123",
    }
    return refusal(
        429, "RESOURCE_EXHAUSTED", sentence, {**_info("RATE_LIMIT_EXCEEDED", "googleapis.com"), "metadata": metadata}
    )


def batch(kind: str, errors: Mapping[str, tuple[int, str]], *, named: bool) -> Refused:
    """A batch that was refused for some of its contacts: (code, message) by index or resource name."""
    code, message = next(iter(errors.values()))
    listed = {name: {"code": number, "message": text} for name, (number, text) in errors.items()}
    detail = {"@type": f"type.googleapis.com/google.people.v1.{kind}ErrorDetails", "contactErrors": listed}
    return refusal(STATUSES[code], NAMES[code], message, *([detail] if named else []))


def _info(reason: str, domain: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain}
