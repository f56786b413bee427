"""amoCRM over HTTP: the account's address, its limit, and the meaning of its refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import ApiClient
from connectors.core.replies import Reply, retry_after
from connectors.core.types import RateLimit

# 7 a second for one integration; the margin keeps requests from meeting at the edge of a window.
PACE = RateLimit(7, 1.0, margin=0.03)
SITES = (".amocrm.ru", ".amocrm.com", ".kommo.com")
FIRST_WAIT = 1.0


def account_url(config: Mapping[str, Any]) -> str:
    """The account's address from `base_url`, else from `domain` however it was typed. Raises ApiError (CONFIG)."""
    if config.get("base_url"):
        return str(config["base_url"]).rstrip("/")
    typed = str(config.get("domain") or "").strip()
    host = (urlsplit(typed if "//" in typed else f"//{typed}").hostname or "").strip(".")
    if host and "." not in host:
        host += SITES[0]
    if not host.endswith(SITES) or host.split(".")[0] in ("", "www"):
        raise ApiError(ErrorKind.CONFIG, "The domain must be your account's address, such as example.amocrm.ru.")
    return f"https://{host}"


def pace(config: Mapping[str, Any]) -> tuple[RateLimit, ...]:
    """The documented limit, or what `rps` says in its place; 0 ends it."""
    rps = config.get("rps")
    if rps in (None, ""):
        return (PACE,)
    return (RateLimit(float(rps), 1.0, margin=PACE.margin),) if float(rps) > 0 else ()


class AmoClient(ApiClient):
    """The HTTP client with the account's address, limit and error bodies."""

    def __init__(
        self,
        context: Context,
        account: str,
        sign: Callable[[dict[str, str]], None] | None,
        refresh: Callable[[], bool] | None,
    ) -> None:
        super().__init__(
            context,
            account_url(context.config),
            limits=pace(context.config),
            account=account,
            sign=sign,
            refresh=refresh,
            classify=read_refusal,
            observe=self._note,
        )
        # How long answers take, without the wait for their slots; newer ones count for more.
        self.answer_seconds = 0.0

    def _note(self, reply: Reply) -> None:
        known = self.answer_seconds
        self.answer_seconds = reply.seconds if not known else 0.7 * known + 0.3 * reply.seconds


def read_refusal(reply: Reply) -> ApiError | None:
    """A refusal in words; never with amoCRM's own text, which may quote values."""
    body: Mapping[str, Any] = reply.json if isinstance(reply.json, dict) else {}
    match reply.status:
        case 400 | 422:
            code, path = next(iter(complaints(body).values()), ("", ""))
            return refused_value(code, path, reply.status, body)
        case 401:
            sentence = "amoCRM authentication failed (HTTP 401): the access token is wrong, expired or withdrawn."
            return ApiError(ErrorKind.AUTH, sentence, status=401)
        case 402:
            sentence = "The amoCRM account is not paid (HTTP 402); the sync goes on once it is."
            return ApiError(ErrorKind.CONFIG, sentence, status=402)
        case 403:
            return _forbidden(in_json=bool(body))
        case 429:
            return _too_many(reply, body)
    return None


def _too_many(reply: Reply, body: Mapping[str, Any]) -> ApiError:
    wait, told = retry_after(reply.headers), body.get("retry_after")
    if wait is None and isinstance(told, int | float) and told > 0:
        wait = float(told)
    sentence = "amoCRM asks for a pause (HTTP 429)."
    return ApiError(ErrorKind.RATE_LIMITED, sentence, status=429, retry_after=FIRST_WAIT if wait is None else wait)


def _forbidden(*, in_json: bool) -> ApiError:
    sentence = (
        "The amoCRM integration lacks a permission (HTTP 403); give it that access and connect again."
        if in_json
        else "amoCRM has blocked this address or account for too many requests (HTTP 403); ask its support."
    )
    return ApiError(ErrorKind.CONFIG, sentence, status=403)


def refused_value(code: str, path: str, status: int = 400, body: object = None) -> ApiError:
    """The error of a record that was refused for the value at `path`."""
    sentence = _SENTENCES.get(code, "amoCRM refused this record's data.")
    return ApiError(ErrorKind.DATA, sentence, status=status, field=path, detail=f"{code} {path}".strip(), body=body)


_SENTENCES = {
    "NotSupportedChoice": "amoCRM does not know the field or the option of a list; correct the value or the rule.",
    "InvalidType": "A value is of another type than its amoCRM field; correct the value or the rule.",
    "FieldMissing": "amoCRM asks for a field that is missing; fill it or add a rule for it.",
    "TooLong": "A text is longer than amoCRM takes (names 255, fields 256 characters); shorten it.",
    "NotBlank": "amoCRM does not take an empty value here; fill it.",
}


def complaints(body: Any) -> dict[str, tuple[str, str]]:
    """(code, path) of the first complaint about every item that `validation-errors` names, by its request_id."""
    found: dict[str, tuple[str, str]] = {}
    listed = body.get("validation-errors") if isinstance(body, dict) else None
    for item in listed if isinstance(listed, list) else ():
        if not isinstance(item, dict) or "request_id" not in item:
            continue
        errors = item.get("errors")
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
        found[str(item["request_id"])] = (str(first.get("code") or ""), str(first.get("path") or ""))
    return found
