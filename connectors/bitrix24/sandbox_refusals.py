"""The stand-in's error bodies, as documented (sheet 8)."""

from __future__ import annotations

from connectors.core.sandbox import Refused


def refused(status: int, error: str, description: str) -> Refused:
    return Refused(status, {"error": error, "error_description": description})


def not_found(text: str = "Not found") -> Refused:
    return refused(400, "", text)


def core(text: str) -> Refused:
    """What CRM's own validation says."""
    return refused(400, "ERROR_CORE", text)


def denied() -> Refused:
    return refused(400, "", "Access denied.")


def unknown_method() -> Refused:
    return refused(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")


def no_access() -> Refused:
    return refused(401, "NO_AUTH_FOUND", "Wrong authorization data")


def expired() -> Refused:
    return refused(401, "expired_token", "The access token provided has expired.")


def application_only() -> Refused:
    return refused(403, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method")


def too_many() -> Refused:
    return refused(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")


def used_up() -> Refused:
    return refused(429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
