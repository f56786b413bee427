"""What the portal holds is what the tables hold, whatever happens while it is read."""

from __future__ import annotations

import itertools

import pytest

from syncjobs.mirror import copying
from syncjobs.models import Run
from tests.mirror.conftest import Mirrored


def test_a_full_read_stores_every_record_and_a_second_one_writes_nothing(large_portal: Mirrored) -> None:
    run = large_portal.run()
    assert (run.status, run.created, run.message) == ("done", 6000, "")
    before = large_portal.rows()
    assert len(before) == 6000
    assert large_portal.differences() == {}
    again = large_portal.run(full=True)
    assert (again.created, again.updated, again.unchanged, again.deleted) == (0, 0, 6000, 0)
    assert large_portal.rows() == before


def test_every_type_of_field_has_the_column_and_the_value_of_the_sheet(portal: Mirrored) -> None:
    number = portal.sandbox.person_adds(
        NAME="Ann\tBell\\\n\0",
        BIRTHDATE="2001-11-11T02:00:00+03:00",
        COMPANY_ID="0",
        OPENED="N",
        PHONE=[{"VALUE": "+79261234567", "VALUE_TYPE": "WORK"}],
        UF_CRM_DOUBLE="12345678901234567890.123456789",
        UF_CRM_BOOLEAN="1",
        UF_CRM_INTEGER="42",
        UF_CRM_DATETIME="2024-08-15T10:38:21+03:00",
        UF_CRM_MONEY="300|RUB",
        UF_CRM_INTEGER_LIST=[5, 7],
    )
    assert portal.run().status == "done"
    types = portal.types()
    wanted = {
        "id": "bigint", "name": "text", "birthdate": "date", "date_modify": "timestamp with time zone",
        "company_id": "bigint", "opened": "boolean", "phone": "jsonb", "source_id": "text", "photo": "jsonb",
        "uf_crm_double": "numeric", "uf_crm_boolean": "boolean", "uf_crm_integer": "bigint", "uf_crm_date": "date",
        "uf_crm_money": "text", "uf_crm_integer_list": "jsonb", "uf_crm_enumeration": "bigint",
        "uf_crm_file": "jsonb", "uf_crm_crm": "text",
    }  # fmt: skip
    assert {name: types[name] for name in wanted} == wanted
    row = portal.rows()[number]
    assert row["name"] == "Ann\tBell\\\n"
    assert row["birthdate"].isoformat() == "2001-11-11"
    assert (row["company_id"], row["opened"], row["uf_crm_integer"]) == (None, False, 42)
    assert str(row["uf_crm_double"]) == "12345678901234567890.123456789"
    assert row["uf_crm_datetime"].isoformat() == "2024-08-15T07:38:21+00:00"
    assert row["uf_crm_money"] == "300|RUB"
    assert row["_raw"] is None


def test_records_that_change_appear_and_vanish_while_they_are_read(
    large_portal: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the reading, ahead of it and at its end; what a full read has passed is found by the next runs."""
    monkeypatch.setattr(copying, "STORED_TOGETHER", 500)
    sandbox, turns = large_portal.sandbox, itertools.count(1)

    def people_work(run: Run, done: int) -> None:
        turn = next(turns)
        if turn > 12:
            return
        for number in (turn, 3000 + turn, 5980 + turn):
            sandbox.person_updates(str(number), NAME=f"Turn {turn}", UF_CRM_INTEGER_LIST=[turn])
        for number in (100 + turn, 2999 - turn, 5900 + turn):
            sandbox.person_deletes(str(number))
        sandbox.person_adds(NAME=f"New {turn}")
        sandbox.person_adds(NAME=f"Imported {turn}", changed="2001-01-01T00:00:00+03:00")

    first = large_portal.run(progress=people_work)
    assert (first.status, first.failed) == ("done", 0), first.message
    assert next(turns) > 12
    large_portal.run()
    # Deletions alone are left to the next full read.
    assert not list(filter(None, large_portal.differences().values()))
    gone = large_portal.run(full=True)
    assert gone.status == "done"
    assert large_portal.differences() == {}
    assert portal_ids(large_portal) == set(large_portal.rows(where="WHERE _deleted_at IS NULL"))


def portal_ids(portal: Mirrored) -> set[str]:
    return {str(record["ID"]) for record in portal.sandbox.records().every()}
