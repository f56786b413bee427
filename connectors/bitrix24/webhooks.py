"""Bitrix24's events: binding them as an application, and the record that each names (sheet 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from connectors.bitrix24.commands import MOST, Command
from connectors.bitrix24.entities import ENTITIES
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.fanout import batched
from connectors.core.forms import parse_form
from connectors.core.webhooks import Hook, RemoteEvent, WebhookAdapter

if TYPE_CHECKING:
    from connectors.bitrix24.connector import Bitrix24

BY_HAND = (
    "An incoming webhook may not bind events. In Bitrix24 open Developer resources → Other → Outgoing webhook, enter "
    "the hub's address https://your-host/api/v1/webhooks/bitrix, tick the events of deals, contacts, leads and "
    "companies, and put the token shown there into BITRIX_APPLICATION_TOKEN; or connect by a local application."
)
_ACTIONS = ("add", "update", "delete")
# ONCRMDEALADD: (deals, add).
EVENTS = {
    f"ONCRM{entity.kind}{action.upper()}": (name, action) for name, entity in ENTITIES.items() for action in _ACTIONS
}
_LONGEST_ID = 19


class BitrixWebhooks(WebhookAdapter):
    """An event is a form that names one record by its id alone; the tokens in its address and body vouch for it.

    Lost events are not sent again (sheet 10): they shorten the delay, and reads at intervals are right without them.
    """

    events = tuple(EVENTS)
    token_setting = "application_token"  # noqa: S105 - the name of a setting, not a secret

    def subscribe(self, url: str, events: Sequence[str]) -> Hook:
        bound = self._bound(url)
        # Binding a second time is an error.
        self._each("event.bind", url, [event for event in events if event not in bound])
        self._each("event.unbind", url, sorted(bound - set(events)))
        return Hook(url, frozenset(events), account=self._account)

    def listed(self, url: str) -> Hook | None:
        bound = self._bound(url)
        return Hook(url, frozenset(bound), account=self._account) if bound else None

    def unsubscribe(self, url: str) -> None:
        # A webhook has bound nothing; and without parameters all of an application's handlers would go.
        if not self._connector.by_webhook:
            self._each("event.unbind", url, sorted(self._bound(url)))

    @property
    def _connector(self) -> Bitrix24:
        return cast("Bitrix24", self.connector)

    @property
    def _account(self) -> str:
        """The portal's member_id, which tells it also after it was renamed."""
        tokens = self.connector.context.tokens
        grant = tokens.peek() if tokens is not None else None
        return grant.tokens.account if grant is not None and grant.tokens is not None else ""

    def _bound(self, url: str) -> set[str]:
        if self._connector.by_webhook:
            raise ApiError(ErrorKind.CONFIG, BY_HAND)
        rows = self._connector.client.call("event.get", counted=False).member("result")
        listed = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        return {str(row.get("event") or "").upper() for row in listed if row.get("handler") == url}

    def _each(self, method: str, url: str, events: Sequence[str]) -> None:
        for some in batched(events, MOST):
            asked = [Command(f"e{n}", method, {"event": event, "handler": url}) for n, event in enumerate(some)]
            answer = self._connector.client.batch_write(asked, repeatable=True)
            for command in asked:
                error = answer.error(command.key)
                # Another process may have been quicker.
                if error is not None and error.kind not in (ErrorKind.DATA, ErrorKind.GONE):
                    raise error

    @classmethod
    def parse(cls, event_type: str, content_type: str, body: bytes) -> list[RemoteEvent]:
        tree = parse_form(body)
        known = EVENTS.get(str(tree.get("event") or "").upper())
        data = tree.get("data")
        told = data.get("FIELDS") if isinstance(data, Mapping) else None
        number = str(told.get("ID") or "") if isinstance(told, Mapping) else ""
        if known is None or not (number.isascii() and number.isdecimal() and len(number) <= _LONGEST_ID):
            return []
        entity, action = known
        return [RemoteEvent(entity, action, number, _time(tree.get("ts")), _auth(tree, "member_id"), _plain(tree))]

    @classmethod
    def token_in(cls, body: bytes) -> str:
        """The application's token: what authenticates an event whose address carries no secret."""
        return _auth(parse_form(body), "application_token")


def _auth(tree: Mapping[str, Any], name: str) -> str:
    auth = tree.get("auth")
    found = auth.get(name) if isinstance(auth, Mapping) else None
    return found if isinstance(found, str) else ""


def _plain(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The event without what signs it."""
    return {name: part for name, part in tree.items() if name != "auth"}


def _time(told: Any) -> datetime | None:
    text = str(told or "")
    if not (text.isascii() and text.isdecimal() and len(text) <= len("9999999999")):
        return None
    return datetime.fromtimestamp(int(text), UTC)
