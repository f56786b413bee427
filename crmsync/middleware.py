"""What happens to every request before a view sees it."""

import uuid
from collections.abc import Callable
from urllib.parse import unquote_plus

import structlog
from csp.constants import NONE, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from crmsync.errors import is_api, refuse

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class RequestId:
    """Gives each request an id, which every log line of the request and the answer carry."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.request_id = uuid.uuid4().hex  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(request_id=request.request_id):  # type: ignore[attr-defined]
            response = self.get_response(request)
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        return response


class RequestGuard:
    """Refuses what would only fail deeper down, and lets addresses of the API end in a slash or not."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        refusal = self.refusal(request)
        if refusal is not None:
            return refusal
        if is_api(request) and len(request.path_info) > 1 and request.path_info.endswith("/"):
            request.path_info = request.path_info.rstrip("/") or "/"
            request.path = request.path.rstrip("/") or "/"
        return self.get_response(request)

    def refusal(self, request: HttpRequest) -> HttpResponse | None:
        if "\x00" in request.path_info:
            return self.refuse(request, "The address contains a NUL character.")
        for parameter in request.META.get("QUERY_STRING", "").split("&"):
            name, _, value = parameter.partition("=")
            if "\x00" in unquote_plus(name) or "\x00" in unquote_plus(value):
                field = unquote_plus(name).replace("\x00", "")
                return self.refuse(request, f"{field}: NUL characters are not allowed.", field)
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        length = request.META.get("CONTENT_LENGTH") or ""
        if is_api(request) and length.isdecimal() and int(length) > limit:
            return refuse(400, f"The body is larger than {limit // 1024**2} MB.", "body_too_large")
        if is_api(request) and not length and request.META.get("HTTP_TRANSFER_ENCODING"):
            # Django would read nothing of it and take the request for one without a body.
            return refuse(411, "Send the body with its Content-Length, not in chunks.", "length_required")
        return None

    def refuse(self, request: HttpRequest, sentence: str, field: str = "") -> HttpResponse:
        if not is_api(request):
            return HttpResponse(sentence, status=400, content_type="text/plain; charset=utf-8")
        extra = {"fields": {field: ["NUL characters are not allowed."]}} if field else {}
        return refuse(400, sentence, "invalid", **extra)


class ContentSecurityPolicy(CSPMiddleware):
    """What programs read may load nothing; pages load from here alone.

    The admin's scripts evaluate expressions; its pages and those of the API's documentation carry styles of their own.
    """

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        is_page = response.get("Content-Type", "").startswith("text/html")
        if not is_api(request):
            parts.update = {**(parts.update or {}), "script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]}
        elif is_page and request.path_info.startswith("/api/"):
            parts.update = {**(parts.update or {}), "style-src": [UNSAFE_INLINE]}
        elif not is_page:
            parts.config = {name: [NONE] for name in ("default-src", "frame-ancestors", "base-uri", "form-action")}
        return parts


class PermissionsPolicy:
    """No page needs a device of its reader's."""

    DEVICES = (
        "accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer", "microphone", "midi",
        "payment", "usb",
    )  # fmt: skip

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.policy = ", ".join(f"{device}=()" for device in self.DEVICES)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response["Permissions-Policy"] = self.policy
        return response


class LoginBrake:
    """Answers a login page that was asked too often with the status and the header that programs understand."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        seconds = getattr(request, "login_braked_for", None)
        if seconds is not None:
            response.status_code = 429
            response["Retry-After"] = str(seconds)
        return response
