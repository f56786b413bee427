"""Leads and companies: pipelines, people, and writing by the same code as contacts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.amocrm.connector import AmoCRM
from connectors.amocrm.entities import COMPANIES, LEADS
from connectors.amocrm.sandbox import AmoSandbox
from connectors.amocrm.sandbox_settings import REPEAT, SALES, WON
from connectors.core.clock import ManualClock
from connectors.core.errors import ErrorKind
from connectors.core.sandbox import Fault
from connectors.core.testing import sandbox_context
from connectors.core.types import Change, FieldType, MatchKey, MultiValue, Op, Outcome, ReadMode, ReadQuery, Result

FIXTURES = Path(__file__).parent.parent / "fixtures"


@pytest.fixture
def sandbox() -> AmoSandbox:
    return AmoSandbox(ManualClock(), enforce_limits=False)


def connect(sandbox: AmoSandbox) -> AmoCRM:
    return AmoCRM(sandbox_context(AmoCRM, sandbox, config={"rps": 0}))


def create(sandbox: AmoSandbox, entity: str, values: list[dict[str, Any]]) -> dict[int, Outcome]:
    changes = [Change(n, Op.CREATE, v, key=MatchKey("name", v["name"])) for n, v in enumerate(values)]
    return {outcome.ref: outcome for outcome in connect(sandbox).write(entity, changes)}


def seen(sandbox: AmoSandbox, path: str) -> int:
    return sum(request.path == path for request in sandbox.seen)


def test_pipelines_and_people_are_read_once(sandbox: AmoSandbox) -> None:
    connector = connect(sandbox)
    for entity in (LEADS, LEADS, COMPANIES):
        fields = {spec.key: spec for spec in connector.describe(entity)}
        assert dict(fields["responsible_user_id"].options).keys() == {"10072086", "10072087"}
    assert (seen(sandbox, "/api/v4/users"), seen(sandbox, "/api/v4/leads/pipelines")) == (1, 1)
    assert seen(sandbox, "/api/v4/leads/custom_fields") == 1


def test_statuses_are_told_by_pipeline(sandbox: AmoSandbox) -> None:
    status = next(spec for spec in connect(sandbox).describe(LEADS) if spec.key == "status_id")
    assert status.depends_on == "pipeline_id"
    shares = {pipeline: [value for value, _label in share] for pipeline, share in status.options_by}
    assert shares[str(SALES)][0] not in shares[str(REPEAT)]
    assert str(WON) in shares[str(SALES)]
    assert str(WON) in shares[str(REPEAT)]


def test_an_account_whose_people_are_hidden_is_described_without_them(sandbox: AmoSandbox) -> None:
    sandbox.administrator = False
    fields = {spec.key: spec for spec in connect(sandbox).describe(LEADS)}
    assert fields["responsible_user_id"].options == ()


@pytest.mark.parametrize(("name", "entity"), [("leads_page", LEADS), ("companies_page", COMPANIES)])
def test_documented_records_are_decoded(sandbox: AmoSandbox, name: str, entity: str) -> None:
    body = orjson.loads((FIXTURES / f"{name}.json").read_bytes())["answer"]["body"]
    sandbox.faults.append(Fault("status", path=f"/{entity}$", status=200, body=body))
    page = next(iter(connect(sandbox).read(ReadQuery(entity=entity, mode=ReadMode.PAGE))))
    (record,) = page.records
    assert (record.id, record.values["name"]) == ("19619", "Сделка")
    assert record.updated_at == record.values["updated_at"] == datetime.fromtimestamp(1694434030, UTC)
    if entity == LEADS:
        assert (record.values["price"], record.values["status_id"], record.values["CONTRACT"]) == (100000, 142, "A-1")
        assert record.values["closed_at"] == datetime.fromtimestamp(1694434030, UTC)
        assert record.raw["_embedded"]["contacts"][0]["is_main"] is True
        assert page.last is False


def test_documented_pipelines_are_decoded(sandbox: AmoSandbox) -> None:
    body = orjson.loads((FIXTURES / "pipelines.json").read_bytes())["answer"]["body"]
    sandbox.faults.append(Fault("status", path="pipelines", status=200, body=body))
    assert connect(sandbox).account.statuses == (("1300", (("142", "Успешно"),)),)


def test_a_mixed_batch_of_leads_costs_only_the_bad_ones(sandbox: AmoSandbox) -> None:
    bad = {3: {"name": "Bad", "status_id": 1}, 5: {"name": "x" * 256}, 7: {"name": "No", "price": "much"}}
    values = [bad.get(n, {"name": f"Deal {n}", "price": n, "status_id": WON}) for n in range(30)]
    outcomes = create(sandbox, LEADS, values)
    assert {n for n, outcome in outcomes.items() if not outcome.ok} == bad.keys()
    assert all(o.error.kind is ErrorKind.DATA for o in outcomes.values() if o.error)
    assert len(sandbox.account.records[LEADS]) == 27


def test_batches_of_leads_are_as_large_as_they_may_be(sandbox: AmoSandbox) -> None:
    assert all(o.ok for o in create(sandbox, LEADS, [{"name": f"Deal {n}"} for n in range(501)]).values())
    assert seen(sandbox, "/api/v4/leads") == 3


@pytest.mark.parametrize("status", [504, 422])
def test_a_batch_that_is_too_large_for_them_is_halved(sandbox: AmoSandbox, status: int) -> None:
    create(sandbox, LEADS, [{"name": f"Deal {n}"} for n in range(100)])
    sandbox.faults.append(Fault("status", method="PATCH", status=status, times=4 if status == 504 else 1))
    numbers = list(sandbox.account.records[LEADS])
    changes = [Change(n, Op.UPDATE, {"price": 9.0}, external_id=str(number)) for n, number in enumerate(numbers)]
    assert all(outcome.ok for outcome in connect(sandbox).write(LEADS, changes))
    assert {lead["price"] for lead in sandbox.account.records[LEADS].values()} == {9}


def test_a_created_lead_whose_answer_was_lost_is_found_by_its_name(sandbox: AmoSandbox) -> None:
    sandbox.faults.append(Fault("drop", method="POST"))
    outcomes = create(sandbox, LEADS, [{"name": "Deal of the year"}])
    assert outcomes[0].result is Result.UNKNOWN
    key = MatchKey("name", "deal of the  Year")
    found = connect(sandbox).find(LEADS, [key])
    assert [record.values["name"] for record in found[key]] == ["Deal of the year"]


def test_a_lead_without_a_name_is_not_created(sandbox: AmoSandbox) -> None:
    (outcome,) = connect(sandbox).write(LEADS, [Change(1, Op.CREATE, {"price": 5})])
    assert outcome.error is not None
    assert "lead has nothing" in outcome.error.message


def test_a_company_keeps_the_phones_that_the_hub_does_not_know(sandbox: AmoSandbox) -> None:
    phone = {"field_code": "PHONE", "values": [{"value": "8 (495) 123-45-67", "enum_code": "WORK"}]}
    number = str(sandbox.account.create({"name": "Acorn", "custom_fields_values": [phone]}, COMPANIES)["id"])
    change = Change(1, Op.UPDATE, {"PHONE": [MultiValue("+74957654321")]}, external_id=number)
    assert all(outcome.ok for outcome in connect(sandbox).write(COMPANIES, [change]))
    (page,) = connect(sandbox).read(ReadQuery(entity=COMPANIES, mode=ReadMode.IDS, ids=[number]))
    assert [v.value for v in page.records[0].values["PHONE"]] == ["8 (495) 123-45-67", "+74957654321"]


@pytest.mark.parametrize("filters", [True, False])
def test_changed_leads_only(filters: bool) -> None:
    sandbox = AmoSandbox(ManualClock(), enforce_limits=False, filters=filters)
    create(sandbox, LEADS, [{"name": f"Deal {n}"} for n in range(20)])
    sandbox.clock.sleep(3600)
    since = sandbox.clock.now() - timedelta(minutes=1)
    number = next(iter(sandbox.account.records[LEADS]))
    sandbox.account.update({"id": number, "price": 3}, LEADS)
    query = ReadQuery(entity=LEADS, mode=ReadMode.CHANGES, since=since)
    records = [record for page in connect(sandbox).read(query) for record in page.records]
    assert [(record.id, record.values["price"]) for record in records] == [(str(number), 3)]


def test_types_that_a_mirror_makes_columns_of(sandbox: AmoSandbox) -> None:
    types = {spec.key: spec.type for spec in connect(sandbox).describe(LEADS)}
    expected = {
        "name": FieldType.TEXT,
        "price": FieldType.NUMBER,
        "status_id": FieldType.INTEGER,
        "closed_at": FieldType.DATETIME,
        "is_deleted": FieldType.BOOLEAN,
        "cf_4458001": FieldType.CHOICE,
        "cf_4458005": FieldType.DATE,
        "cf_4458007": FieldType.BOOLEAN,
    }
    assert {key: types[key] for key in expected} == expected
