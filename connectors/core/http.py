"""The one HTTP client: claims the rate limit, sends, classifies the answer, retries what may be retried."""

from __future__ import annotations

import http.cookiejar
import logging
import random
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
import urllib3

from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.metrics import Exchange
from connectors.core.netguard import AllowedHosts, GuardedAdapter, check_url
from connectors.core.pacing import LONGEST_WAIT, Cost, Pacing
from connectors.core.replies import Reply, classify_reply, retry_after
from connectors.core.types import RateLimit

MAX_BODY_BYTES = 256 * 1024 * 1024
LONGEST_BACKOFF = 30.0
MOST_WAITS = 20
CONNECTIONS = 8
_NEVER_CARRIED_OUT = frozenset({423, 425})

# At DEBUG urllib3 writes whole addresses, and some of them hold an e-mail address or an id.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to make. `endpoint` is the path without ids, for metrics; `repeatable` whether sending it twice
    does no harm: a request that is not is never repeated once it may have arrived. `limits` are the names of those it
    counts for, or how many units of each it costs.
    """

    method: str
    path: str
    endpoint: str = ""
    params: Mapping[str, Any] | None = None
    json: Any = None
    body: bytes | None = None
    headers: Mapping[str, str] | None = None
    limits: Cost = ("default",)
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
        self._account = account or context.key
        self.pacing = Pacing(context, self._account, limits)
        self._sign, self._refresh, self._classify, self._observe = sign, refresh, classify, observe
        self._refreshing = threading.Lock()
        self._generation = 0
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
        self.pacing.limits[limit.name] = limit

    def limit(self, name: str = "default") -> RateLimit | None:
        return self.pacing.limits.get(name)

    def get(self, path: str, **options: Any) -> Reply:
        return self.send(Call("GET", path, **options))

    def post(self, path: str, json: Any = None, **options: Any) -> Reply:
        return self.send(Call("POST", path, json=json, **options))

    def send(self, call: Call) -> Reply:
        """The answer to a call, after retries. Raises ApiError; UNKNOWN when it may have been carried out."""
        tries = waits = 0
        while True:
            try:
                return self._send_signed(call, retry=tries + waits > 0)
            except ApiError as e:
                if e.kind is ErrorKind.RATE_LIMITED:
                    # Being told to wait spends no attempt, yet must not go on for ever.
                    waits += 1
                    impatient = self.context.max_tries == 1
                    if impatient or (e.retry_after or 0.0) > self.pacing.longest_wait or waits > MOST_WAITS:
                        raise
                elif e.kind is ErrorKind.TRANSIENT and tries + 1 < self.context.max_tries:
                    tries += 1
                    self.context.clock.sleep(_pause(e, tries))
                else:
                    raise

    def _send_signed(self, call: Call, retry: bool) -> Reply:
        """Once, and after a 401 once more with renewed credentials; of many threads only the first renews them."""
        generation = self._generation
        try:
            return self._send_once(call, retry)
        except ApiError as e:
            if e.kind is not ErrorKind.AUTH or self._refresh is None:
                raise
        with self._refreshing:
            if self._generation == generation:
                if not self._refresh():
                    raise ApiError(ErrorKind.AUTH, "The credentials are no longer accepted.", status=401)
                self._generation += 1
        return self._send_once(call, retry=True)

    def _send_once(self, call: Call, retry: bool) -> Reply:
        # Before the slot is claimed: who still waits for a new token or makes a large body sends late, and in a crowd.
        headers = self._headers(call)
        content = orjson.dumps(call.json) if call.json is not None else call.body
        waited = self.pacing.claim(call.limits)
        started = self.context.clock.monotonic()
        try:
            reply = self._exchange(call, headers, content)
        except ApiError:
            self._record(call, None, self.context.clock.monotonic() - started, waited, retry)
            raise
        seconds = self.context.clock.monotonic() - started
        if self._observe is not None:
            self._observe(reply)
        error = self._judge(call, reply)
        refused = reply.status == 401 or (error is not None and error.kind is ErrorKind.AUTH)
        self._record(call, reply.status, seconds, waited, retry, refused)
        if error is None:
            return reply
        self.context.log.info(
            "%s %s answered %s (%s)", call.method, call.template, reply.status, error.kind, extra={"key": self._account}
        )
        if error.kind is ErrorKind.RATE_LIMITED:
            self.pacing.hold(call.limits, error.retry_after or 1.0)
        raise error

    def _record(
        self, call: Call, status: int | None, seconds: float, waited: float, retry: bool, refused: bool = False
    ) -> None:
        if self.context.recorder is not None:
            self.context.recorder.record(
                Exchange(call.method, call.template, status, seconds, waited, retry, auth_error=refused)
            )

    def _judge(self, call: Call, reply: Reply) -> ApiError | None:
        error = self._classify(reply) if self._classify is not None and not reply.ok else None
        error = error or classify_reply(reply, call.expects_json)
        carried_out = reply.status not in _NEVER_CARRIED_OUT
        if error is not None and error.kind is ErrorKind.TRANSIENT and carried_out and not call.repeatable:
            return ApiError(ErrorKind.UNKNOWN, error.message, detail=error.detail, status=error.status)
        return error

    def _headers(self, call: Call) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "crmsync"}
        if call.json is not None:
            headers["Content-Type"] = "application/json"
        headers |= call.headers or {}
        if self._sign is not None and _origin(self._url(call)) == _origin(self.base_url):
            self._sign(headers)
        return headers

    def _exchange(self, call: Call, headers: Mapping[str, str], content: bytes | None) -> Reply:
        url = self._url(call)
        timeout = self.context.seconds_left()
        started = self.context.clock.monotonic()
        try:
            with self._session.request(
                call.method,
                url,
                params=dict(call.params) if call.params else None,
                data=content,
                headers=headers,
                timeout=(min(5.0, timeout), timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = self._read(response, self.context.clock.monotonic() + timeout)
                names = {k.lower(): v for k, v in response.headers.items()}
                return Reply(response.status_code, names, body, self.context.clock.monotonic() - started)
        except ApiError:
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as e:
            raise self._lost(call, e) from e

    def _url(self, call: Call) -> str:
        """The full address. A whole one, as in a link of an answer, is checked like one that a person typed in."""
        if not call.path.startswith(("http://", "https://")):
            return self.base_url + call.path
        if self.context.adapter is None:
            check_url(call.path, AllowedHosts(self.context.allow_private_hosts))
        return call.path

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        # read1 hands on what has arrived; waiting for a full chunk would let a trickle go on past the deadline.
        while chunk := response.raw.read1(1 << 18, decode_content=True):
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


def _pause(error: ApiError, tries: int) -> float:
    """Seconds before the next try: as asked, else exponential with jitter."""
    if error.retry_after is not None:
        return min(error.retry_after, LONGEST_WAIT)
    longest = min(LONGEST_BACKOFF, 0.5 * 2.0**tries)
    return random.uniform(longest / 4, longest)  # noqa: S311 - jitter, not a secret


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


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
