"""OAuth2 for connectors: tokens, the store that lets only one refresher at a time work, and the signing of requests."""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from connectors.core.clock import Clock
from connectors.core.errors import ApiError, ErrorKind

EARLY = timedelta(minutes=5)
# Spread over a minute, so that the processes of a hub do not all meet at the lock.
JITTER_SECONDS = 60.0

NOT_CONNECTED = "The account is not connected yet: press Connect."
INTERRUPTED = (
    "A renewal of the access was interrupted, and its single-use refresh token is spent: press Reconnect and give "
    "access again. Queued contacts wait meanwhile."
)
REFUSED = "The access was withdrawn or has expired: press Reconnect and give access again. Queued contacts wait."
NOT_RENEWED = "The access could not be renewed just now; it is tried again."


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair as the token endpoint gave it. `refresh` is "" for a token that cannot be renewed.

    `account` is the remote account's own id and `scope` what was granted, where the endpoint tells them.
    """

    access: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    expires_at: datetime | None = None
    account: str = ""
    scope: str = ""

    def expires_within(self, span: timedelta, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at - now <= span


@dataclass(frozen=True, slots=True)
class Grant:
    """What is stored for one account.

    `renewing_since` is set before a refresh token is spent and cleared with the new pair: whoever holds the lock and
    finds it set knows that the last refresher died. `broken` is the sentence why only a person can help.
    """

    tokens: Tokens | None = None
    renewing_since: datetime | None = None
    broken: str = ""

    def usable(self) -> Tokens:
        """Raises ApiError (AUTH) when a person has to give access (again)."""
        if self.broken:
            raise ApiError(ErrorKind.AUTH, self.broken)
        if self.tokens is None:
            raise ApiError(ErrorKind.AUTH, NOT_CONNECTED)
        return self.tokens


class GrantRow(Protocol):
    """One account's grant while its lock is held; `save` is durable when it returns."""

    def load(self) -> Grant: ...

    def save(self, grant: Grant) -> None: ...


Exchange = Callable[[Tokens], Tokens]


class TokenStore(ABC):
    """The tokens of one account, shared by all processes and hosts."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    @abstractmethod
    def peek(self) -> Grant:
        """The grant as it is now, without waiting for a refresher."""

    @abstractmethod
    def locked(self) -> AbstractContextManager[GrantRow]:
        """Waits until nobody else is inside; the lock ends with its holder's life."""

    def current(self) -> Tokens:
        """Raises ApiError (AUTH) when a person has to give access."""
        return self.peek().usable()

    def put(self, tokens: Tokens) -> None:
        """A person gave access: whatever was stored before is void."""
        with self.locked() as row:
            row.save(Grant(tokens))

    def renew(self, stale: Tokens, exchange: Exchange, *, single_use: bool = True) -> Tokens:
        """A pair other than `stale`: somebody else's new one, or that of `exchange`, stored before anybody uses it.

        `single_use`: a refresh token is spent by its use, so that an interrupted renewal may have lost it.
        Raises ApiError: AUTH when the refresh token is no longer good (remembered, so that nobody asks again),
        TRANSIENT or RATE_LIMITED when it may work later.
        """
        with self.locked() as row:
            grant = row.load()
            tokens = grant.usable()
            if tokens.access != stale.access:
                return tokens
            if not tokens.refresh:
                raise _break(row, grant, REFUSED)
            if single_use:
                row.save(replace(grant, renewing_since=grant.renewing_since or self.clock.now()))
            try:
                fresh = exchange(tokens)
            except ApiError as e:
                raise _failed(row, grant, e) from e
            row.save(Grant(fresh))
            return fresh


def _failed(row: GrantRow, grant: Grant, error: ApiError) -> ApiError:
    """What a failed exchange means. A refusal after an interrupted renewal is explained by that."""
    if error.kind in (ErrorKind.AUTH, ErrorKind.CONFIG):
        sentence = INTERRUPTED if grant.renewing_since and error.kind is ErrorKind.AUTH else error.message
        return _break(row, grant, sentence)
    if error.kind is ErrorKind.UNKNOWN:
        # The refresh token may be spent: the mark stays, and the next answer tells.
        return ApiError(ErrorKind.TRANSIENT, NOT_RENEWED, detail=error.detail, status=error.status)
    row.save(grant)
    return error


def _break(row: GrantRow, grant: Grant, sentence: str) -> ApiError:
    row.save(Grant(grant.tokens, broken=sentence))
    return ApiError(ErrorKind.AUTH, sentence)


class MemoryTokenStore(TokenStore):
    """A store of one process, for tests."""

    def __init__(self, clock: Clock, grant: Grant | None = None) -> None:
        super().__init__(clock)
        self.grant = grant or Grant()
        self._lock = threading.Lock()

    def peek(self) -> Grant:
        return self.grant

    @contextmanager
    def locked(self) -> Iterator[GrantRow]:
        with self._lock:
            yield self

    def load(self) -> Grant:
        return self.grant

    def save(self, grant: Grant) -> None:
        self.grant = grant


class OAuth2(ABC):
    """One connector's way to tokens over a connection's settings; all methods raise ApiError only.

    `single_use`: a refresh token is spent by its use, and the answer holds the next one.
    """

    single_use: ClassVar[bool] = True

    @abstractmethod
    def authorize_url(self, state: str) -> str:
        """The page on which a person gives access; `state` comes back with the answer."""

    @abstractmethod
    def check_callback(self, params: Mapping[str, str]) -> str:
        """The authorization code of a callback. Raises ApiError when access was refused or another account answered."""

    @abstractmethod
    def exchange_code(self, code: str, state: str = "") -> Tokens:
        """Spends a single-use authorization code; `state` is that of its page, "" for a code that was typed in."""

    @abstractmethod
    def refresh(self, tokens: Tokens) -> Tokens:
        """A new pair for a refresh token."""


class BearerSigner:
    """Signs requests with the account's access token, renewed a little ahead of its end and after a 401.

    Made for ApiClient's `sign` and `refresh`; safe to use from several threads.
    """

    def __init__(self, store: TokenStore, oauth: OAuth2) -> None:
        self._store, self._oauth = store, oauth
        self._early = EARLY + timedelta(seconds=random.uniform(0, JITTER_SECONDS))  # noqa: S311 - no secret
        self._lock = threading.Lock()
        self._tokens: Tokens | None = None
        # A 401 speaks of the token that this thread sent, not of one that another thread has fetched since.
        self._sent = threading.local()

    def sign(self, headers: dict[str, str]) -> None:
        """Raises ApiError when there is no good token to be had."""
        tokens = self._sent.tokens = self._fresh()
        headers["Authorization"] = f"Bearer {tokens.access}"

    def refresh(self) -> bool:
        """After a 401. Raises ApiError when only a person can help."""
        stale: Tokens | None = getattr(self._sent, "tokens", None)
        if stale is None:
            self._store.current()  # says why
            return False
        with self._lock:
            if self._tokens is None or self._tokens.access == stale.access:
                self._tokens = self._renew(stale)
        return True

    def _fresh(self) -> Tokens:
        with self._lock:
            tokens = self._tokens or self._store.current()
            now = self._store.clock.now()
            if tokens.refresh and tokens.expires_within(self._early, now):
                tokens = self._renewed(tokens, now)
            self._tokens = tokens
            return tokens

    def _renewed(self, tokens: Tokens, now: datetime) -> Tokens:
        try:
            return self._renew(tokens)
        except ApiError as e:
            # Renewing early has time: the token that is still good serves meanwhile.
            if e.recovery.parks_connection or tokens.expires_within(timedelta(0), now):
                raise
            return tokens

    def _renew(self, stale: Tokens) -> Tokens:
        return self._store.renew(stale, self._oauth.refresh, single_use=self._oauth.single_use)


def tokens_from(answer: Any, now: datetime, previous: Tokens | None = None) -> Tokens | None:
    """The pair in a token endpoint's JSON, None when it holds none; a refresh token that is not renewed stays."""
    body = answer if isinstance(answer, dict) else {}
    access = body.get("access_token")
    if not isinstance(access, str) or not access:
        return None
    try:
        expires_at = now + timedelta(seconds=float(body["expires_in"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        expires_at = None
    refresh = body.get("refresh_token") or (previous.refresh if previous else "")
    scope = body.get("scope") or (previous.scope if previous else "")
    return Tokens(access, str(refresh), expires_at, previous.account if previous else "", str(scope))
