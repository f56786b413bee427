"""amoCRM's webhooks: the strict subscription, what bodies name, and a stand-in that delivers as documented."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from connectors.amocrm.connector import AmoCRM
from connectors.amocrm.sandbox import AmoSandbox
from connectors.amocrm.sandbox_settings import ACCOUNT_ID
from connectors.amocrm.webhooks import AmoWebhooks
from connectors.core.clock import ManualClock
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.testing import sandbox_context
from connectors.core.types import CONTACTS, Change, Op

URL = "https://hub.example.com/hooks/secret"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sandbox(clock: ManualClock) -> AmoSandbox:
    return AmoSandbox(clock, enforce_limits=False)


def connect(sandbox: AmoSandbox) -> AmoCRM:
    return AmoCRM(sandbox_context(AmoCRM, sandbox, config={"rps": 0}))


def webhooks(sandbox: AmoSandbox) -> AmoWebhooks:
    return AmoWebhooks(connect(sandbox))


class Receiver:
    """A destination that remembers bodies and answers with the statuses it was given, 200 afterwards."""

    def __init__(self, sandbox: AmoSandbox, *statuses: int) -> None:
        self.bodies: list[bytes] = []
        self.statuses = list(statuses)
        sandbox.hooks.send = self

    def __call__(self, url: str, body: bytes, content_type: str) -> int:
        assert content_type == "application/x-www-form-urlencoded"
        self.bodies.append(body)
        return self.statuses.pop(0) if self.statuses else 200


def test_a_subscription_is_made_listed_changed_and_ended(sandbox: AmoSandbox) -> None:
    hooks = webhooks(sandbox)
    assert hooks.listed(URL) is None
    made = hooks.subscribe(URL, ["add_lead", "update_contact"])
    assert made.account == str(ACCOUNT_ID)
    hooks.subscribe(URL, ["add_lead"])
    hooks.subscribe(URL + "2", ["add_lead"])
    found = hooks.listed(URL)
    assert found is not None
    assert (found.events, found.disabled) == (frozenset({"add_lead"}), False)
    hooks.unsubscribe(URL)
    hooks.unsubscribe(URL)
    assert hooks.listed(URL) is None
    assert hooks.listed(URL + "2") is not None


def test_an_unknown_code_is_refused_and_so_is_the_hundred_and_first(sandbox: AmoSandbox) -> None:
    hooks = webhooks(sandbox)
    with pytest.raises(ApiError) as refused:
        hooks.subscribe(URL, ["eat_lead"])
    assert refused.value.kind is ErrorKind.DATA
    for number in range(100):
        hooks.subscribe(f"{URL}{number}", ["add_lead"])
    with pytest.raises(ApiError):
        hooks.subscribe(URL, ["add_lead"])
    hooks.subscribe(f"{URL}7", ["update_lead"])


def test_every_wanted_event_is_a_known_code(sandbox: AmoSandbox) -> None:
    assert webhooks(sandbox).subscribe(URL, AmoWebhooks.events).events == frozenset(AmoWebhooks.events)


def test_a_body_names_its_records() -> None:
    pairs = [
        ("contacts[update][0][id]", "64990189"),
        ("contacts[update][0][last_modified]", "1694434030"),
        ("contacts[update][0][custom_fields][1][values][0]", "1542067200"),
        ("contacts[update][0][linked_leads_id][35144366][ID]", "35144366"),
        ("contacts[update][3][id]", "5"),
        ("contacts[update][3][type]", "company"),
        ("leads[status][0][id]", "7"),
        ("leads[status][0][name]", ""),
        ("leads[note][0][note][element_id]", "9"),
        ("account[id]", "31287990"),
    ]
    events = AmoWebhooks.parse("all", "application/x-www-form-urlencoded", urlencode(pairs).encode())
    assert [(e.entity, e.action, e.id, e.account) for e in events] == [
        ("contacts", "update", "64990189", "31287990"),
        ("companies", "update", "5", "31287990"),
        ("leads", "status", "7", "31287990"),
    ]
    assert events[0].at == datetime(2023, 9, 11, 12, 7, 10, tzinfo=UTC)
    assert AmoWebhooks.verify(events[0], "31287990")
    assert not AmoWebhooks.verify(events[0], "1")


@pytest.mark.parametrize("told", ["", "x", "-1", "9" * 40, "²", "1e9", "17\n", "0x1"])
def test_an_id_that_is_none_is_left_out(told: str) -> None:
    assert AmoWebhooks.parse("all", "", urlencode({"contacts[add][0][id]": told}).encode()) == []


@pytest.mark.parametrize("told", ["", "x", "-1", "9" * 40, "9999999999"])
def test_a_time_that_is_none_does_no_harm(told: str) -> None:
    body = urlencode({"contacts[add][0][id]": 1, "contacts[add][0][updated_at]": told}).encode()
    assert [e.id for e in AmoWebhooks.parse("all", "", body)] == ["1"]


def test_changes_by_people_and_by_ourselves_are_delivered(sandbox: AmoSandbox) -> None:
    receiver = Receiver(sandbox)
    webhooks(sandbox).subscribe(URL, AmoWebhooks.events)
    number = sandbox.person_adds(
        first_name="Эрик",
        custom_fields_values=[
            {"field_code": "PHONE", "values": [{"value": "+79996370816", "enum_code": "WORK"}]},
            {"field_id": 4457225, "values": [{"value": 1542067200}]},
        ],
    )
    sandbox.person_updates(number, last_name="Леонхард")
    list(connect(sandbox).write(CONTACTS, [Change(1, Op.UPDATE, {"first_name": "Erik"}, external_id=number)]))
    sandbox.person_deletes(number)
    assert sandbox.hooks.deliver_due() == 4
    told = [AmoWebhooks.parse("all", "", body) for body in receiver.bodies]
    assert [(e.entity, e.action, e.id) for (e,) in told] == [
        ("contacts", action, number) for action in ("add", "update", "update", "delete")
    ]
    fields: dict[str, Any] = dict(told[0][0].raw["custom_fields"])
    assert fields["0"]["values"] == {"0": {"value": "+79996370816", "enum": fields["0"]["values"]["0"]["enum"]}}
    assert fields["1"]["values"] == {"0": "1542067200"}


def test_leads_and_companies_are_told_of_too(sandbox: AmoSandbox) -> None:
    receiver = Receiver(sandbox)
    webhooks(sandbox).subscribe(URL, [*AmoWebhooks.events, "add_company"])
    lead = sandbox.person_adds("leads", name="Roof")
    first = sandbox.account.records["leads"][int(lead)]["status_id"]
    sandbox.person_updates(lead, "leads", status_id=142)
    sandbox.person_updates(lead, "leads", responsible_user_id=5)
    company = sandbox.person_adds("companies", name="Acorn")
    sandbox.hooks.deliver_due()
    told = [event for body in receiver.bodies for event in AmoWebhooks.parse("all", "", body)]
    assert [(e.entity, e.action, e.id) for e in told] == [
        ("leads", "add", lead),
        ("leads", "update", lead),
        ("leads", "status", lead),
        ("leads", "update", lead),
        ("leads", "responsible", lead),
        ("companies", "add", company),
    ]
    assert (told[2].raw["old_status_id"], told[2].raw["status_id"]) == (str(first), "142")
    assert "old_responsible_user_id" in told[4].raw


def test_what_was_not_asked_for_is_not_delivered(sandbox: AmoSandbox) -> None:
    Receiver(sandbox)
    webhooks(sandbox).subscribe(URL, ["delete_contact"])
    sandbox.person_adds(first_name="Ann")
    assert sandbox.hooks.deliver_due() == 0


@pytest.mark.parametrize(("status", "attempts"), [(404, 3), (0, 3), (500, 5), (499, 5)])
def test_failed_deliveries_are_repeated_as_documented(
    sandbox: AmoSandbox, clock: ManualClock, status: int, attempts: int
) -> None:
    receiver = Receiver(sandbox, *[status] * 9)
    webhooks(sandbox).subscribe(URL, AmoWebhooks.events)
    sandbox.person_adds(first_name="Ann")
    for _ in range(400):
        sandbox.hooks.deliver_due()
        clock.sleep(60)
    assert len(receiver.bodies) == attempts
    assert len(set(receiver.bodies)) == 1


def test_a_destination_that_keeps_failing_is_disabled_until_it_is_saved_again(sandbox: AmoSandbox) -> None:
    receiver = Receiver(sandbox, *[500] * 101)
    hooks = webhooks(sandbox)
    hooks.subscribe(URL, AmoWebhooks.events)
    for _ in range(101):
        sandbox.person_adds(first_name="Ann")
    sandbox.hooks.deliver_due()
    found = hooks.listed(URL)
    assert found is not None
    assert found.disabled
    sandbox.person_adds(first_name="Bob")
    assert sandbox.hooks.deliver_due() == 0
    assert not hooks.subscribe(URL, AmoWebhooks.events).disabled
    sandbox.person_adds(first_name="Cay")
    assert sandbox.hooks.deliver_due() == 1
    assert len(receiver.bodies) == 102


def test_deliveries_go_to_this_machine_only() -> None:
    from connectors.amocrm.sandbox_webhooks import post

    assert post(URL, b"", "") == 0
