"""The stand-in's webhooks: the strict subscription, and delivery as documented (section 10), retries included."""

from __future__ import annotations

import http.client
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from connectors.amocrm import sandbox_refusals as refusals
from connectors.amocrm.sandbox_settings import ACCOUNT_ID, USER_ID
from connectors.core.clock import Clock
from connectors.core.sandbox import Refused

MOST = 100
_KINDS = ("lead", "contact", "company", "customer")
CODES = frozenset(
    [f"{action}_{kind}" for action in ("add", "update", "delete", "responsible", "note") for kind in _KINDS]
    + ["restore_lead", "restore_contact", "restore_company", "status_lead"]
    + ["add_task", "update_task", "delete_task", "responsible_task", "add_talk", "update_talk", "add_message"]
    + ["add_outgoing_message", "add_chat_template_review"]
)
# Which entity of a body a kind of event is told under: companies come under contacts.
_TOLD_UNDER = {"contacts": "contacts", "companies": "contacts", "leads": "leads"}
_KIND_OF = {"contacts": "contact", "companies": "company", "leads": "lead"}
# Seconds to the next attempt; the last two only after a 499 or 5xx.
_PAUSES = (300.0, 900.0, 900.0, 3600.0)
_ALWAYS_RETRIED = 2
_INVALID_MOST, _INVALID_SECONDS = 100, 7200.0
ANSWER_SECONDS = 2.0
FORM = "application/x-www-form-urlencoded"
LOOPBACK = ("127.0.0.1", "localhost", "::1")

Send = Callable[[str, bytes, str], int]


@dataclass
class Delivery:
    """A body on its way to a destination; `attempt` counts from 0, `due` is in seconds of the sandbox's clock."""

    destination: str
    body: bytes
    due: float
    attempt: int = 0


class Hooks:
    """Destinations with their settings, and the deliveries that wait.

    `send(url, body, content type)` answers a status, 0 for none within two seconds. Without one, nothing is sent: tests
    look at `waiting`, or set one and call `deliver_due`. `go_live` sends over HTTP, in a thread, to loopback only.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.rows: dict[str, dict[str, Any]] = {}
        self.send: Send | None = None
        self.waiting: deque[Delivery] = deque()
        self._invalid: dict[str, deque[float]] = {}
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._next = 1056949

    def save(self, asked: Any) -> dict[str, Any]:
        """A destination that exists gets the settings sent, and is enabled."""
        url, settings = _checked(asked)
        with self._lock:
            if url not in self.rows and len(self.rows) >= MOST:
                raise refusals.bad_request("The limit of webhooks is exceeded")
            now = int(self._clock.now().timestamp())
            self._next += 1
            new = {"id": self._next, "destination": url, "created_at": now, "created_by": USER_ID}
            row = self.rows.get(url, new) | {
                "updated_at": now,
                "account_id": ACCOUNT_ID,
                "sort": int(asked.get("sort", 1)),
            }
            self.rows[url] = row | {"disabled": False, "settings": settings}
            self._invalid.pop(url, None)
            if self.send is post and self._thread is None:
                self._thread = threading.Thread(target=self._go_on, daemon=True)
                self._thread.start()
            return self.rows[url]

    def listed(self, destination: str | None) -> list[dict[str, Any]]:
        return [row for row in self.rows.values() if destination in (None, row["destination"])]

    def delete(self, asked: Any) -> None:
        url = asked.get("destination") if isinstance(asked, dict) else None
        if self.rows.pop(str(url), None) is None:
            raise Refused(404, refusals.problem(404, "Not Found", "Webhook not found"))

    def announce(self, entity: str, action: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Something happened to records, by whoever: each destination that wants it is sent one body."""
        code = f"{action}_{_KIND_OF[entity]}"
        body = encode(entity, action, rows)
        with self._lock:
            for row in self.rows.values():
                if code in row["settings"] and not row["disabled"]:
                    self.waiting.append(Delivery(row["destination"], body, self._clock.monotonic()))

    def announce_update(
        self, entity: str, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
    ) -> None:
        """Records were changed; a new person or status in charge is told by an event of its own, with the old one."""
        self.announce(entity, "update", after)
        for action, name in (("responsible", "responsible_user_id"), ("status", "status_id")):
            moved = [
                {**new, f"old_{name}": old[name]}
                for old, new in zip(before, after, strict=True)
                if old.get(name) != new.get(name)
            ]
            if moved:
                self.announce(entity, action, moved)

    def deliver_due(self) -> int:
        """Sends what is due, oldest first; answers how many were sent."""
        sent = 0
        with self._lock:
            due = [d for d in self.waiting if d.due <= self._clock.monotonic()]
            for delivery in due:
                self.waiting.remove(delivery)
        for delivery in due:
            if self.send is not None and delivery.destination in self.rows:
                sent += 1
                self._take(delivery, self.send(delivery.destination, delivery.body, FORM))
        return sent

    def go_live(self) -> None:
        """Delivers over HTTP from now on, once there is a destination."""
        self.send = self.send or post

    def _go_on(self) -> None:
        pause = threading.Event()
        while not pause.wait(0.2):
            self.deliver_due()

    def _take(self, delivery: Delivery, status: int) -> None:
        with self._lock:
            row = self.rows.get(delivery.destination)
            if 100 <= status < 300 or row is None:
                return
            now = self._clock.monotonic()
            invalid = self._invalid.setdefault(delivery.destination, deque())
            invalid.append(now)
            while invalid[0] < now - _INVALID_SECONDS:
                invalid.popleft()
            if len(invalid) > _INVALID_MOST:
                row["disabled"] = True
            retried = delivery.attempt < _ALWAYS_RETRIED or status == 499 or status >= 500
            if retried and delivery.attempt < len(_PAUSES):
                due = now + _PAUSES[delivery.attempt]
                self.waiting.append(Delivery(delivery.destination, delivery.body, due, delivery.attempt + 1))


def post(url: str, body: bytes, content_type: str) -> int:
    """One attempt over HTTP, to this machine only; 0 when no answer came in time."""
    if urlsplit(url).hostname not in LOOPBACK:
        return 0
    request = urllib.request.Request(url, body, {"Content-Type": content_type})  # noqa: S310 - checked to be loopback
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as e:
        return e.code
    except (OSError, http.client.HTTPException):
        return 0


def encode(entity: str, action: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A body as documented: format of API v2, PHP brackets, every value a text (section 10.2)."""
    pairs: list[tuple[str, str]] = []
    for index, row in enumerate(rows):
        place = f"{_TOLD_UNDER[entity]}[{action}][{index}]"
        pairs += [(place + path, text) for path, text in _told(entity, action, row)]
    pairs += [
        ("account[subdomain]", "sandbox"),
        ("account[id]", str(ACCOUNT_ID)),
        ("account[_links][self]", "https://sandbox.amocrm.ru"),
    ]
    return urlencode(pairs).encode()


def _told(entity: str, action: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "[id]", str(row["id"])
    if entity != "leads":
        yield "[type]", _KIND_OF[entity]
    if action == "delete":
        return
    names = {"created_at": "date_create", "updated_at": "last_modified", "created_by": "created_user_id"}
    plain = (
        "name",
        "responsible_user_id",
        "old_responsible_user_id",
        "account_id",
        "status_id",
        "old_status_id",
        "pipeline_id",
        "price",
    )
    for name in (*plain, "created_at", "updated_at", "created_by"):
        if row.get(name) is not None:
            yield f"[{name}]", str(row[name])
            if name in names:
                yield f"[{names[name]}]", str(row[name])
    for i, held in enumerate(row.get("custom_fields_values") or ()):
        at = f"[custom_fields][{i}]"
        yield f"{at}[id]", str(held["field_id"])
        yield f"{at}[name]", str(held["field_name"])
        for j, value in enumerate(held["values"]):
            # Dates come without [value].
            is_date = held["field_type"] in ("date", "birthday", "date_time")
            yield f"{at}[values][{j}]" + ("" if is_date else "[value]"), str(value["value"])
            if value.get("enum_id"):
                yield f"{at}[values][{j}][enum]", str(value["enum_id"])
        if held.get("field_code"):
            yield f"{at}[code]", str(held["field_code"])


def _checked(asked: Any) -> tuple[str, list[str]]:
    url = asked.get("destination") if isinstance(asked, dict) else None
    settings = asked.get("settings") if isinstance(asked, dict) else None
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise refusals.invalid([("0", "InvalidType", "destination")])
    if not isinstance(settings, list) or not settings or not set(settings) <= CODES:
        raise refusals.invalid([("0", "NotSupportedChoice", "settings")])
    return url, list(settings)
