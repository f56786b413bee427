"""amoCRM's webhooks: which events are wanted, the subscription, and the records that a body names (section 10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.forms import parse_form
from connectors.core.http import Call
from connectors.core.webhooks import Hook, RemoteEvent, WebhookAdapter

if TYPE_CHECKING:
    from connectors.amocrm.client import AmoClient
    from connectors.amocrm.connector import AmoCRM

PATH = "/api/v4/webhooks"
_LONGEST_ID = 19


class AmoWebhooks(WebhookAdapter):
    """One destination for all events. Bodies carry no signature: the secret is in the address (section 10.2)."""

    events = (
        "add_lead", "update_lead", "status_lead", "responsible_lead",
        "add_contact", "update_contact", "delete_contact", "restore_contact",
    )  # fmt: skip

    @property
    def _client(self) -> AmoClient:
        return cast("AmoCRM", self.connector).client

    def subscribe(self, url: str, events: Sequence[str]) -> Hook:
        # An existing destination gets exactly the settings sent, so the full list goes every time (section 10.1).
        reply = self._client.post(PATH, {"destination": url, "settings": list(events)}, endpoint=PATH)
        return _hook(reply.json if isinstance(reply.json, dict) else {}, url, events)

    def listed(self, url: str) -> Hook | None:
        reply = self._client.get(PATH, params={"filter[destination]": url}, endpoint=PATH)
        rows = reply.member("_embedded", "webhooks")
        # A filter may be ignored: the destination is compared here.
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and row.get("destination") == url:
                return _hook(row, url, ())
        return None

    def unsubscribe(self, url: str) -> None:
        try:
            self._client.send(Call("DELETE", PATH, endpoint=PATH, json={"destination": url}, expects_json=False))
        except ApiError as e:
            if e.kind is not ErrorKind.GONE:
                raise

    @classmethod
    def parse(cls, event_type: str, content_type: str, body: bytes) -> list[RemoteEvent]:
        tree = parse_form(body)
        account = tree.get("account")
        told = str(account.get("id") or "") if isinstance(account, Mapping) else ""
        return [event for name, part in tree.items() if name != "account" for event in _events(name, part, told)]


def _hook(row: Mapping[str, Any], url: str, events: Sequence[str]) -> Hook:
    settings = row.get("settings")
    held = frozenset(map(str, settings)) if isinstance(settings, list) else frozenset(events)
    return Hook(url, held, row.get("disabled") is True, str(row.get("account_id") or ""))


def _events(name: str, part: Any, account: str) -> Iterator[RemoteEvent]:
    """`contacts[update][0][id]`: entity, action, an index that may have gaps, the record."""
    for action, items in part.items() if isinstance(part, Mapping) else ():
        for item in items.values() if isinstance(items, Mapping) else ():
            number = str(item.get("id") or "") if isinstance(item, Mapping) else ""
            if not (number.isascii() and number.isdecimal() and len(number) <= _LONGEST_ID):
                continue
            # Companies arrive under contacts (section 10.2).
            entity = "companies" if name == "contacts" and item.get("type") == "company" else name
            yield RemoteEvent(entity, action, number, _time(item), str(item.get("account_id") or account), item)


def _time(item: Mapping[str, Any]) -> datetime | None:
    """When it changed, as the body says; a hint only, as the zone of dates in bodies is unconfirmed (section 10.2)."""
    told = next((str(item[name]) for name in ("updated_at", "last_modified", "date_create") if item.get(name)), "")
    if not (told.isascii() and told.isdecimal() and len(told) <= len("9999999999")):
        return None
    return datetime.fromtimestamp(int(told), UTC)
