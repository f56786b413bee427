"""Events: what a body names, whose it is, and binding as an application (sheet 10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.bitrix24.connector import Bitrix24
from connectors.bitrix24.oauth import BitrixOAuth
from connectors.bitrix24.sandbox import BitrixSandbox
from connectors.bitrix24.sandbox_events import FORM, MEMBER_ID
from connectors.bitrix24.webhooks import BitrixWebhooks
from connectors.core.auth import Grant, MemoryTokenStore, Tokens
from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.sandbox import SandboxRequest
from connectors.core.testing import SandboxAdapter, sandbox_context
from connectors.core.types import CONTACTS, Change, MatchKey, Op, ReadQuery, Secret
from connectors.core.webhooks import RemoteEvent, same_text

HUB = "https://hub.example.com/api/v1/webhooks/bitrix24/all/token"
DOCUMENTED = (
    b"event=ONCRMDEALADD&event_handler_id=975&data%5BFIELDS%5D%5BID%5D=7405&ts=1766047124"
    b"&auth%5Bdomain%5D=some.bitrix24.com&auth%5Bmember_id%5D=d897&auth%5Bapplication_token%5D=jvh9y1ulvt2m"
)


@pytest.fixture
def application(sandbox: BitrixSandbox) -> Bitrix24:
    """Connected as a local application."""
    sandbox.base_url = "https://portal.example.com"
    settings = sandbox.oauth_config(sandbox.base_url)
    issued = sandbox.authority.issue()
    until = sandbox.clock.now() + timedelta(hours=1)
    grant = Grant(Tokens(issued["access_token"], issued["refresh_token"], until, MEMBER_ID))
    context = Context(
        config={k: v for k, v in settings.items() if k != "client_secret"} | {"rps": 0},
        secrets={"client_secret": Secret(settings["client_secret"])},
        clock=sandbox.clock,
        adapter=SandboxAdapter(sandbox),
        tokens=MemoryTokenStore(sandbox.clock, grant),
    )
    return Bitrix24(context)


def test_the_documented_body() -> None:
    (event,) = BitrixWebhooks.parse("all", FORM, DOCUMENTED)
    assert (event.entity, event.action, event.id, event.account) == ("deals", "add", "7405", "d897")
    assert event.at == datetime.fromtimestamp(1766047124, UTC)
    assert "auth" not in event.raw
    assert BitrixWebhooks.token_in(DOCUMENTED) == "jvh9y1ulvt2m"
    assert BitrixWebhooks.verify(event, "d897")
    assert not BitrixWebhooks.verify(event, MEMBER_ID)


def test_twelve_events_are_known() -> None:
    assert len(BitrixWebhooks.events) == 12
    for code in BitrixWebhooks.events:
        body = f"event={code.lower()}&data[FIELDS][ID]=5".encode()
        (event,) = BitrixWebhooks.parse("all", FORM, body)
        assert event.entity[:4].upper() in code
        assert event.action.upper() in code


@pytest.mark.parametrize(
    "body",
    [b"", b"event=ONCRMDEALADD", b"event[]=1&data=x", b"event=ONAPPTEST&data[FIELDS][ID]=1",
     b"event=ONCRMDEALADD&data[FIELDS][ID]=1e5", b"event=ONCRMDEALADD&data[FIELDS][ID]=" + b"9" * 40,
     b"event=ONCRMDEALADD&data[FIELDS][ID][]=1", b"auth=x", b"\xff\xfe"],
)  # fmt: skip
def test_what_names_no_record_is_nothing(body: bytes) -> None:
    assert BitrixWebhooks.parse("all", FORM, body) == []
    assert BitrixWebhooks.token_in(body) == ""


def test_an_application_binds_each_event_once(sandbox: BitrixSandbox, application: Bitrix24) -> None:
    hooks = BitrixWebhooks(application)
    assert hooks.listed(HUB) is None
    for _ in range(2):
        hook = hooks.subscribe(HUB, hooks.events)
        assert (hook.events, hook.account) == (frozenset(hooks.events), MEMBER_ID)
    assert len(sandbox.events.listed()) == 12
    sandbox.events.unbind({"event": "ONCRMDEALADD", "handler": HUB})
    sandbox.events.bind({"event": "ONCRMDEALUPDATE", "handler": "https://other.example.com"})
    found = hooks.listed(HUB)
    assert found is not None
    assert found.events == frozenset(hooks.events) - {"ONCRMDEALADD"}
    hooks.unsubscribe(HUB)
    hooks.unsubscribe(HUB)
    assert [row["handler"] for row in sandbox.events.listed()] == ["https://other.example.com"]


def test_what_people_do_is_told(sandbox: BitrixSandbox, application: Bitrix24) -> None:
    hooks = BitrixWebhooks(application)
    hooks.subscribe(HUB, hooks.events)
    token = sandbox.events.person_makes(HUB, ["ONCRMCONTACTDELETE"])
    number = sandbox.person_adds(NAME="Ann")
    sandbox.person_updates(number, NAME="Anna")
    sandbox.person_deletes(number)
    sandbox.person_adds("leads", TITLE="Lead")
    sent: list[tuple[RemoteEvent, str]] = []
    sandbox.events.send = lambda url, body, kind: sent.extend(
        (event, hooks.token_in(body)) for event in hooks.parse("all", kind, body)
    )
    sandbox.events.deliver()
    told = [(event.entity, event.action, event.id) for event, _token in sent]
    assert told == [*[("contacts", a, number) for a in ("add", "update", "delete", "delete")], ("leads", "add", "1")]
    tokens = [found for _event, found in sent]
    assert [same_text(found, token) for found in tokens] == [False, False, False, True, False]


def test_an_incoming_webhook_says_what_to_click(sandbox: BitrixSandbox) -> None:
    hooks = BitrixWebhooks(Bitrix24(sandbox_context(Bitrix24, sandbox)))
    for verb in (lambda: hooks.subscribe(HUB, hooks.events), lambda: hooks.listed(HUB)):
        with pytest.raises(ApiError, match="Outgoing webhook") as raised:
            verb()
        assert raised.value.kind is ErrorKind.CONFIG
    hooks.unsubscribe(HUB)
    assert not sandbox.seen


def test_everything_works_with_a_token_that_expires_on_the_way(sandbox: BitrixSandbox, application: Bitrix24) -> None:
    key = MatchKey("email", "ann@example.com")
    change = Change(1, Op.CREATE, {"NAME": "Ann", "EMAIL": key.value}, key=key, idempotency_key="1")
    sandbox.authority.expire_access()
    assert [outcome.ok for outcome in application.write(CONTACTS, [change])] == [True]
    sandbox.authority.expire_access()
    assert [r.id for page in application.read(ReadQuery()) for r in page.records] == ["1"]
    assert sandbox.authority.refreshes == 2
    # In addresses tokens would reach the logs of whatever lies between.
    assert {seen.method for seen in sandbox.seen if seen.path.startswith("/rest/")} == {"POST"}


def test_access_of_another_portal_is_not_taken(sandbox: BitrixSandbox, application: Bitrix24) -> None:
    oauth = BitrixOAuth(application.context)
    page = SandboxRequest.make("GET", oauth.authorize_url("s"), {}, b"")
    assert sandbox.handle(page).status == 200
    for answer in ({"code": "x", "domain": "evil.example.com"}, {"error": "access_denied"}, {}):
        with pytest.raises(ApiError):
            oauth.check_callback(answer)
    assert oauth.check_callback({"code": "x", "domain": "portal.example.com"}) == "x"
    with pytest.raises(ApiError, match="30 seconds"):
        oauth.exchange_code("x")
