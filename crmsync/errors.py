"""Every refusal of the API in one form: {"error": "sentence", "code": "slug"}, plus "fields" for wrong input.

Services of other apps may raise their own exceptions: one that carries `status_code` (int), `code` (slug) and, if it
likes, `extra` (dict of further keys) and `headers` is answered as it says, with its text as the sentence.
"""

import math
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

NO_FIELD = (api_settings.NON_FIELD_ERRORS_KEY, "__all__")


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's hook. None leaves an unexpected exception to Django, which logs it and calls `server_error`."""
    if is_service_error(error):
        set_rollback()
        extra = getattr(error, "extra", None) or {}
        body = {"error": str(error), "code": error.code, **extra}  # type: ignore[attr-defined]
        return Response(body, status=error.status_code, headers=getattr(error, "headers", None))  # type: ignore[attr-defined]
    refusal = as_refusal(error)
    if refusal is None:
        return None
    set_rollback()
    return Response(describe(refusal), status=refusal.status_code, headers=headers_of(refusal))


def is_service_error(error: Exception) -> bool:
    return (
        not isinstance(error, exceptions.APIException)
        and isinstance(getattr(error, "status_code", None), int)
        and isinstance(getattr(error, "code", None), str)
    )


def as_refusal(error: Exception) -> exceptions.APIException | None:
    """Django's own exceptions as those of REST framework; None for one that nobody foresaw."""
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound(str(error) or None)
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied(str(error) or None)
    if isinstance(error, DjangoValidationError):
        return exceptions.ValidationError(error.message_dict if hasattr(error, "error_dict") else error.messages)
    return None


def describe(refusal: exceptions.APIException) -> dict[str, Any]:
    if isinstance(refusal, exceptions.ValidationError):
        return describe_fields(refusal)
    if isinstance(refusal, exceptions.Throttled):
        seconds = math.ceil(getattr(refusal, "wait", None) or 1)
        return {"error": f"Too many requests: try again in {seconds} seconds.", "code": "throttled"}
    code = refusal.get_codes()
    return {"error": str(refusal.detail), "code": code if isinstance(code, str) else refusal.default_code}


def describe_fields(refusal: exceptions.ValidationError) -> dict[str, Any]:
    fields: dict[str, list[str]] = {}
    general: list[str] = []
    for path, message in flatten(refusal.detail):
        (fields.setdefault(path, []) if path else general).append(message)
    if general:
        sentence = general[0]
    else:
        sentence = next((f"{path}: {messages[0]}" for path, messages in fields.items()), "The input is not valid.")
    return {"error": sentence, "code": "invalid"} | ({"fields": fields} if fields else {})


def flatten(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Nested details → ("items.0.email", "sentence") pairs; an empty path is the whole input."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from flatten(value, path if key in NO_FIELD else join(path, key))
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            yield from flatten(value, join(path, index) if isinstance(value, dict | list) else path)
    else:
        yield path, str(detail)


def join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def headers_of(refusal: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if getattr(refusal, "auth_header", None):
        headers["WWW-Authenticate"] = refusal.auth_header  # type: ignore[attr-defined]
    if getattr(refusal, "wait", None):
        headers["Retry-After"] = str(math.ceil(refusal.wait))  # type: ignore[attr-defined]
    return headers


def is_api(request: HttpRequest) -> bool:
    """Whether this address answers programs. The admin, alone, answers people with pages."""
    return not request.path_info.startswith("/admin/")


def refuse(status: int, sentence: str, code: str, **extra: Any) -> JsonResponse:
    return JsonResponse({"error": sentence, "code": code, **extra}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_api(request):
        return defaults.bad_request(request, exception)
    return refuse(400, "This request cannot be understood.", "bad_request")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_api(request):
        return defaults.permission_denied(request, exception)
    return refuse(403, str(exception) or "You may not do this.", "permission_denied")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if not is_api(request):
        return defaults.page_not_found(request, exception or Http404())
    return refuse(404, f"There is nothing at {request.path_info}.", "not_found")


def server_error(request: HttpRequest) -> HttpResponse:
    if not is_api(request):
        return defaults.server_error(request)
    sentence = "Something went wrong on our side. The log tells more under this id."
    return refuse(500, sentence, "server_error", id=getattr(request, "request_id", None))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    from django.views.csrf import csrf_failure as page

    if not is_api(request):
        return page(request, reason=reason)
    return refuse(403, f"CSRF check failed: {reason}", "csrf_failed")
