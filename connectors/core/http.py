"""The one HTTP client: claims the rate limit, sends, classifies the answer, retries what may be retried."""

from __future__ import annotations

import http.cookiejar
import random
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
import tenacity
import urllib3

from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.metrics import Exchange
from connectors.core.netguard import AllowedHosts, GuardedAdapter, check_url
from connectors.core.replies import Reply, classify_reply, retry_after
from connectors.core.types import RateLimit

MAX_BODY_BYTES = 256 * 1024 * 1024
LONGEST_WAIT = 60.0
LONGEST_BACKOFF = 30.0
CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Call:
    """One request to make. `endpoint` is the path without ids, for metrics; `repeatable` whether sending it twice
    does no harm: a request that is not is never repeated once it may have arrived.
    """

    method: str
    path: str
    endpoint: str = ""
    params: Mapping[str, Any] | None = None
    json: Any = None
    body: bytes | None = None
    headers: Mapping[str, str] | None = None
    limits: Sequence[str] | None = None
    repeatable: bool = True
    expects_json: bool = True

    @property
    def template(self) -> str:
        return self.endpoint or re.sub(r"/\d+|/[^/]*(?:%40|@)[^/]*", "/{id}", urlsplit(self.path).path)


class ApiClient:
    """Calls one remote account; its methods raise ApiError only. Safe to use from several threads.

    `sign` adds the credentials to a request's headers; `refresh` renews them after a 401 and answers whether it
    did; `classify` may turn a refused answer into a better ApiError than the general one.
    """

    def __init__(
        self,
        context: Context,
        base_url: str,
        *,
        limits: Sequence[RateLimit] = (),
        account: str = "",
        sign: Callable[[dict[str, str]], None] | None = None,
        refresh: Callable[[], bool] | None = None,
        classify: Callable[[Reply], ApiError | None] | None = None,
        observe: Callable[[Reply], None] | None = None,
    ) -> None:
        self.context = context
        self.base_url = base_url.rstrip("/")
        self._limits = {limit.name: limit for limit in limits}
        self._account = account or context.key
        self._sign, self._refresh, self._classify, self._observe = sign, refresh, classify, observe
        self._refreshing = threading.Lock()
        if context.adapter is None:
            check_url(self.base_url, AllowedHosts(context.allow_private_hosts))
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        adapter = context.adapter or GuardedAdapter(context.allow_private_hosts, CONNECTIONS)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        self._session.close()

    def set_limit(self, limit: RateLimit) -> None:
        """Replaces a limit of the same name: the account told us its real one."""
        self._limits[limit.name] = limit

    def limit(self, name: str = "default") -> RateLimit | None:
        return self._limits.get(name)

    def get(self, path: str, **options: Any) -> Reply:
        return self.send(Call("GET", path, **options))

    def post(self, path: str, json: Any = None, **options: Any) -> Reply:
        return self.send(Call("POST", path, json=json, **options))

    def send(self, call: Call) -> Reply:
        """The answer to a call, after retries. Raises ApiError; UNKNOWN when it may have been carried out."""
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda e: isinstance(e, ApiError) and self._may_repeat(e, call)),
            wait=self._pause,
            stop=self._exhausted,
            sleep=self.context.clock.sleep,
            reraise=True,
        )
        refreshed = False
        for attempt in attempts:
            with attempt:
                number = attempt.retry_state.attempt_number
                try:
                    return self._send_once(call, number)
                except ApiError as e:
                    if e.kind is not ErrorKind.AUTH or refreshed or self._refresh is None:
                        raise
                refreshed = True
                if not self._refresh():
                    raise ApiError(ErrorKind.AUTH, "The credentials are no longer accepted.", status=401)
                return self._send_once(call, number)
        raise AssertionError("unreachable: tenacity returns or raises")

    def _may_repeat(self, error: ApiError, call: Call) -> bool:
        if error.kind is ErrorKind.RATE_LIMITED:
            return (error.retry_after or 0.0) <= LONGEST_WAIT
        return error.kind is ErrorKind.TRANSIENT

    def _exhausted(self, state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ApiError) and error.kind is ErrorKind.RATE_LIMITED:
            # Being told to wait spends no attempt, yet must not go on for ever.
            return state.attempt_number >= self.context.max_tries * 5
        return state.attempt_number >= self.context.max_tries

    def _pause(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ApiError) and error.kind is ErrorKind.RATE_LIMITED:
            return 0.0  # the limiter holds everybody back already
        asked = error.retry_after if isinstance(error, ApiError) else None
        longest = min(LONGEST_BACKOFF, 0.5 * 2.0**state.attempt_number)
        return min(asked, LONGEST_WAIT) if asked is not None else random.uniform(longest / 4, longest)  # noqa: S311

    def _send_once(self, call: Call, attempt: int) -> Reply:
        waited = self._claim(call)
        started = self.context.clock.monotonic()
        status: int | None = None
        try:
            reply = self._exchange(call)
            status = reply.status
        finally:
            if self.context.recorder is not None:
                seconds = self.context.clock.monotonic() - started
                self.context.recorder.record(
                    Exchange(call.method, call.template, status, seconds, waited, retry=attempt > 1)
                )
        if self._observe is not None:
            self._observe(reply)
        error = self._judge(call, reply)
        if error is None:
            return reply
        self.context.log.info(
            "%s %s answered %s (%s)", call.method, call.template, reply.status, error.kind, extra={"key": self._account}
        )
        if error.kind is ErrorKind.RATE_LIMITED:
            self._hold(call, error)
        raise error

    def _judge(self, call: Call, reply: Reply) -> ApiError | None:
        error = self._classify(reply) if self._classify is not None and not reply.ok else None
        error = error or classify_reply(reply, call.expects_json)
        if error is not None and error.kind is ErrorKind.TRANSIENT and not call.repeatable:
            return ApiError(ErrorKind.UNKNOWN, error.message, detail=error.detail, status=error.status)
        return error

    def _names(self, call: Call) -> Sequence[str]:
        return call.limits if call.limits is not None else ("default",)

    def _claim(self, call: Call) -> float:
        """Waits for the slot of every limit the call falls under; answers the seconds waited."""
        waited = 0.0
        for name in self._names(call):
            limit = self._limits.get(name)
            if limit is None:
                continue
            wait = self.context.limiter.reserve(f"{self._account}:{name}", limit.interval, limit.burst)
            if wait > LONGEST_WAIT:
                raise ApiError(
                    ErrorKind.RATE_LIMITED,
                    f"The limit of {limit.requests:g} requests in {limit.seconds:g} s is used up.",
                    retry_after=wait,
                )
            if wait > 0:
                self.context.clock.sleep(wait)
                waited += wait
        return waited

    def _hold(self, call: Call, error: ApiError) -> None:
        for name in self._names(call):
            if name in self._limits:
                self.context.limiter.hold(f"{self._account}:{name}", error.retry_after or 1.0)
                return
        self.context.clock.sleep(min(error.retry_after or 1.0, LONGEST_WAIT))

    def _exchange(self, call: Call) -> Reply:
        headers = {"Accept": "application/json", "User-Agent": "crmsync"}
        content = call.body
        if call.json is not None:
            content = orjson.dumps(call.json)
            headers["Content-Type"] = "application/json"
        headers |= call.headers or {}
        if self._sign is not None:
            self._sign(headers)
        timeout = self.context.timeout
        try:
            with self._session.request(
                call.method,
                call.path if call.path.startswith(("http://", "https://")) else self.base_url + call.path,
                params=dict(call.params) if call.params else None,
                data=content,
                headers=headers,
                timeout=(min(5.0, timeout), timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = self._read(response, self.context.clock.monotonic() + timeout)
                return Reply(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)
        except ApiError:
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as e:
            raise self._lost(call, e) from e

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_content(1 << 18):
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BODY_BYTES or self.context.clock.monotonic() > deadline:
                raise urllib3.exceptions.ProtocolError("the answer is too large or too slow")
        return b"".join(chunks)

    def _lost(self, call: Call, e: Exception) -> ApiError:
        host = urlsplit(self.base_url).hostname or "the server"
        detail = type(e).__name__
        if never_sent(e):
            return ApiError(ErrorKind.TRANSIENT, f"{host} cannot be reached.", detail=detail)
        if isinstance(e, requests.exceptions.SSLError):
            return ApiError(ErrorKind.CONFIG, f"The certificate of {host} is not trusted.", detail=detail)
        if call.repeatable:
            return ApiError(ErrorKind.TRANSIENT, f"{host} did not finish its answer.", detail=detail)
        return ApiError(ErrorKind.UNKNOWN, f"{host} took the request but did not answer.", detail=detail)


def never_sent(e: BaseException) -> bool:
    """True when the connection could not be made, so that nothing can have arrived."""
    if isinstance(e, requests.exceptions.ConnectTimeout):
        return True
    reason = e.args[0] if e.args else None
    reason = getattr(reason, "reason", reason)
    return isinstance(
        reason,
        urllib3.exceptions.NewConnectionError
        | urllib3.exceptions.ConnectTimeoutError
        | urllib3.exceptions.NameResolutionError,
    )


__all__ = ["ApiClient", "Call", "Reply", "never_sent", "retry_after"]
