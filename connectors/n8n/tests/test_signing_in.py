"""Addresses, the four ways in, and what a test of the connection sees without running the workflow."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connectors.core import registry
from connectors.core.base import Context
from connectors.core.clock import ManualClock
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.netguard import AddressRefused
from connectors.core.sandbox import Fault
from connectors.core.testing import SandboxAdapter
from connectors.core.types import Change, MatchKey, Op, Secret
from connectors.n8n.address import Address, address_of
from connectors.n8n.connector import N8n
from connectors.n8n.sandbox import PATH, N8nSandbox
from connectors.n8n.sandbox_doors import HEADER, KEY, PASSPHRASE, PASSWORD, TOKEN, USER

BASE = "https://n8n.example.com"
WAYS: dict[str, dict[str, str]] = {
    "none": {},
    "headerAuth": {"auth_header": HEADER, "auth_value": TOKEN},
    "basicAuth": {"username": USER, "password": PASSWORD},
    "jwtAuth": {"jwt_secret": PASSPHRASE},
}
SECRET = {"webhook_url", "auth_value", "password", "jwt_secret", "api_key"}


def signed(sandbox: N8nSandbox, url: str = f"{BASE}/webhook/{PATH}", **values: str) -> N8n:
    given = {"webhook_url": url, **values}
    secrets = {name: Secret(value) for name, value in given.items() if name in SECRET}
    config = {name: value for name, value in given.items() if name not in SECRET}
    return N8n(Context(config, secrets, clock=sandbox.clock, adapter=SandboxAdapter(sandbox)))


def push_one(n8n: N8n) -> None:
    """Raises what stopped the run."""
    values = {"email": "a@example.com"}
    (outcome,) = n8n.write("contacts", [Change(1, Op.UPSERT, values, key=MatchKey("id", "c-1"), all_values=values)])
    assert outcome.ok, outcome.error


def refusal(work: Any) -> ApiError:
    with pytest.raises(ApiError) as raised:
        work()
    return raised.value


@pytest.mark.parametrize("door", WAYS)
def test_each_way_in_opens_its_own_door_only(door: str) -> None:
    for name, values in WAYS.items():
        sandbox = N8nSandbox(ManualClock(), door=door)
        n8n = signed(sandbox, **values)
        if name == door or door == "none":
            push_one(n8n)
        else:
            error = refusal(lambda n8n=n8n: list(n8n.write("contacts", [_change()])))
            assert error.kind is ErrorKind.AUTH
            assert not any(value in error.message + error.detail for value in values.values())


def _change() -> Change:
    return Change(1, Op.UPSERT, {"email": "a@example.com"}, key=MatchKey("id", "c-1"))


def test_a_token_is_made_anew_for_every_request() -> None:
    sandbox = N8nSandbox(ManualClock(), door="jwtAuth")
    n8n = signed(sandbox, **WAYS["jwtAuth"])
    for _ in range(2):
        push_one(n8n)
        sandbox.clock.sleep(3600)


def test_a_key_in_pem_form_may_stand_on_one_line() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    sandbox = N8nSandbox(ManualClock(), door="none")
    push_one(signed(sandbox, jwt_secret=key.decode().replace("\n", "\\n"), jwt_algorithm="ES256"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({**WAYS["headerAuth"], **WAYS["jwtAuth"]}, "one way"),
        ({"auth_header": HEADER}, "its value"),
        ({"auth_value": TOKEN}, "its name"),
        ({"username": USER}, "password"),
        ({"auth_header": "not a name", "auth_value": TOKEN}, "name of a header"),
        ({"auth_header": HEADER, "auth_value": "two\nlines"}, "one line"),
    ],
)
def test_half_a_way_in_is_told_before_anything_is_sent(values: dict[str, str], words: str) -> None:
    error = refusal(lambda: signed(N8nSandbox(ManualClock()), **values))
    assert error.kind is ErrorKind.CONFIG
    assert words in error.message


def test_a_secret_that_is_no_key_is_told() -> None:
    n8n = signed(N8nSandbox(ManualClock(), door="none"), jwt_secret="not a key", jwt_algorithm="RS256")
    assert refusal(lambda: list(n8n.write("contacts", [_change()]))).kind is ErrorKind.CONFIG


@pytest.mark.parametrize("typed", ["", "crmsync", "ftp://n8n.example.com/webhook/a", "https://n8n.example.com"])
def test_what_is_no_address_is_refused_without_being_shown(typed: str) -> None:
    error = refusal(lambda: address_of(Context({}, {"webhook_url": Secret(typed)})))
    assert error.kind is ErrorKind.AUTH
    assert "Production" not in error.message


@pytest.mark.parametrize(
    ("typed", "base", "is_test"),
    [
        (f"{BASE}/webhook/crmsync", BASE, False),
        (f" {BASE}/webhook/a/b?c=d ", BASE, False),
        (f"{BASE}:8443/flows/webhook-test/crmsync", f"{BASE}:8443/flows", True),
        (f"{BASE}/hooks/crmsync", BASE, False),
    ],
)
def test_the_address_is_taken_as_it_is(typed: str, base: str, is_test: bool) -> None:
    address = address_of(Context({}, {"webhook_url": Secret(typed)}))
    assert address.origin + address.path == typed.strip()
    assert (address.base, address.is_test) == (base, is_test)


def test_which_node_an_address_leads_to() -> None:
    address = Address(BASE, "/webhook/0d5c/crm/Contacts/", BASE)
    assert all(address.leads_to(path) for path in ("Contacts", "/crm/Contacts", "crm/:what"))
    assert not any(address.leads_to(path) for path in ("contacts", "other/Contacts", "a/b/c/d/e/f"))


def test_an_address_inside_our_network_is_refused() -> None:
    secrets = {"webhook_url": Secret("https://169.254.169.254/webhook/crmsync")}
    assert isinstance(refusal(lambda: N8n(Context({}, secrets))), AddressRefused)


def test_a_test_of_the_connection_runs_nothing() -> None:
    sandbox = N8nSandbox(ManualClock())
    health = signed(sandbox, api_key=KEY, **WAYS["headerAuth"]).check()
    assert "crmsync intake" in health.account
    (warning,) = health.warnings
    assert "would run the workflow" in warning
    assert sandbox.executions == 0
    assert signed(N8nSandbox(ManualClock(), door="none")).check().warnings == ()


def test_where_the_test_could_not_help_running_it_it_says_so() -> None:
    sandbox = N8nSandbox(ManualClock(), door="none", methods=("PATCH", "POST"))
    (warning,) = signed(sandbox).check().warnings
    assert "has run the workflow" in warning
    assert (sandbox.executions, sandbox.people()) == (1, [])


@pytest.mark.parametrize("api_key", ["", KEY])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"active": False}, "publish"),
        ({"methods": ("GET",)}, "choose POST"),
        ({"methods": ("GET", "PUT")}, "choose POST"),
    ],
)
def test_a_workflow_that_cannot_take_contacts_is_told(options: dict[str, Any], words: str, api_key: str) -> None:
    n8n = signed(N8nSandbox(ManualClock(), door="none", **options), api_key=api_key)
    for work in (n8n.check, lambda: list(n8n.write("contacts", [_change()]))):
        error = refusal(work)
        assert error.kind is ErrorKind.CONFIG
        assert words in error.message


@pytest.mark.parametrize("path", ["CRMSYNC", "other"])
def test_capital_letters_count(path: str) -> None:
    assert "capital" in refusal(signed(N8nSandbox(ManualClock()), f"{BASE}/webhook/{path}").check).message


def test_an_api_key_shows_what_else_does_not_fit() -> None:
    open_door = N8nSandbox(ManualClock(), door="basicAuth")
    error = refusal(signed(open_door, api_key=KEY, **WAYS["headerAuth"]).check)
    assert "asks for Basic Auth" in error.message
    hasty = N8nSandbox(ManualClock(), door="none", responds="onReceived")
    assert "immediately" in signed(hasty, api_key=KEY).check().warnings[0]


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [(401, ErrorKind.AUTH, "API key"), (403, ErrorKind.CONFIG, "scope"), (404, ErrorKind.CONFIG, "switched off")],
)
def test_a_public_api_that_refuses_us_is_told_apart(status: int, kind: ErrorKind, words: str) -> None:
    sandbox = N8nSandbox(ManualClock())
    sandbox.faults.append(Fault("status", path="/api/v1", status=status, times=9))
    error = refusal(signed(sandbox, api_key=KEY, **WAYS["headerAuth"]).check)
    assert error.kind is kind
    assert words in error.message
    assert signed(sandbox, **WAYS["headerAuth"]).check().message


def test_neither_key_goes_where_it_does_not_belong() -> None:
    sandbox = N8nSandbox(ManualClock())
    sent: dict[str, set[str]] = {}
    handle = sandbox.handle
    sandbox.handle = lambda r: (sent.setdefault(r.path, set()).update(r.headers), handle(r))[1]  # type: ignore[method-assign]
    signed(sandbox, api_key=KEY, **WAYS["headerAuth"]).check()
    assert HEADER.lower() not in sent["/api/v1/workflows"]
    assert "x-n8n-api-key" not in sent[f"/webhook/{PATH}"]


def test_every_page_of_workflows_is_looked_at() -> None:
    sandbox = N8nSandbox(ManualClock())
    other = {"data": [{"name": "other", "nodes": [{"type": "n8n-nodes-base.webhook"}, "strange"]}], "nextCursor": "x"}
    sandbox.faults.append(Fault("status", path="/api/v1", status=200, body=other, times=3))
    assert "crmsync intake" in signed(sandbox, api_key=KEY, **WAYS["headerAuth"]).check().account
    assert sum(seen.path == "/api/v1/workflows" for seen in sandbox.seen) == 4


def test_a_test_url_is_told_and_takes_one_call() -> None:
    sandbox = N8nSandbox(ManualClock())
    n8n = signed(sandbox, f"{BASE}/webhook-test/{PATH}", **WAYS["headerAuth"])
    assert "Production URL" in refusal(n8n.check).message
    sandbox.listening = True
    assert any("Test URL" in warning for warning in n8n.check().warnings)
    push_one(n8n)
    assert "Production URL" in refusal(lambda: list(n8n.write("contacts", [_change()]))).message


@pytest.mark.parametrize("name", ["batch_size", "batch_bytes"])
def test_a_size_below_one_is_refused(name: str) -> None:
    n8n = signed(N8nSandbox(ManualClock()), **WAYS["headerAuth"])
    n8n.config = {**n8n.config, name: -1}
    assert refusal(lambda: list(n8n.write("contacts", [_change()]))).field == name


def test_the_stand_in_lists_workflows_as_documented() -> None:
    fixture = orjson.loads((registry.folder("n8n") / "fixtures" / "workflows.json").read_bytes())
    sandbox = N8nSandbox(ManualClock())
    n8n = signed(sandbox, api_key=KEY)
    answers: list[Any] = []
    handle = sandbox.handle
    sandbox.handle = lambda r: (answers.append(handle(r)), answers[-1])[1]  # type: ignore[method-assign]
    refusal(n8n.check)
    assert answers[0].body == fixture["answer"]["body"]


def test_the_workflow_to_import_takes_what_is_sent() -> None:
    """Its nodes are checked by a real n8n (make test-n8n); here only that it names what a contact has."""
    workflow = orjson.loads((registry.folder("n8n") / "workflow.json").read_bytes())
    nodes = {node["name"]: node for node in workflow["nodes"]}
    webhook = nodes["Webhook"]["parameters"]
    assert (webhook["httpMethod"], webhook["responseMode"], webhook["path"]) == ("POST", "responseNode", PATH)
    assert all(node["type"].startswith("n8n-nodes-base.") for node in nodes.values())
    linked = {target["node"] for ends in workflow["connections"].values() for row in ends["main"] for target in row}
    assert linked | {"Webhook"} == set(nodes)
    written = set(nodes["Mark as delivered"]["parameters"]["columns"]["value"])
    known = {spec.key for spec in signed(N8nSandbox(ManualClock())).describe()}
    assert written <= known | {"crmsync_id", "delivery_id"}
    made = nodes["Table of contacts"]["parameters"]["columns"]["column"]
    assert {column["name"] for column in made} == written
