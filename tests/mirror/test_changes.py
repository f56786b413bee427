"""Changes, deletions, interruptions and strange values: what the table holds in the end is what the portal holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connectors.core.sandbox import Fault
from connectors.core.types import RemoteRecord
from syncjobs.errors import Refused
from syncjobs.mirror import cells, copying
from syncjobs.mirror.load import Loader
from syncjobs.mirror.runs import mirror_ids
from syncjobs.mirror.schema import Table
from syncjobs.mirror.types import ColumnType
from syncjobs.models import Cursor, Run
from tests.mirror.conftest import Mirrored


def alive(portal: Mirrored) -> set[str]:
    return set(portal.rows(where="WHERE _deleted_at IS NULL"))


def test_an_incremental_run_reads_what_changed_in_two_requests(large_portal: Mirrored) -> None:
    large_portal.run()
    before = large_portal.rows()
    large_portal.sandbox.clock.sleep(600)
    numbers = ["17", "2500", "5999"]
    for number in numbers:
        large_portal.sandbox.person_updates(number, NAME="Renamed")
    added = large_portal.sandbox.person_adds(NAME="New")
    run = large_portal.run()
    assert (run.mode, run.created, run.updated, run.requests) == ("incremental", 1, 3, 2)
    after = large_portal.rows()
    assert {after[n]["name"] for n in numbers} == {"Renamed"}
    assert {n for n in before if after[n] == before[n]} == set(before) - set(numbers)
    assert after[added]["name"] == "New"


def test_a_full_read_marks_what_is_gone(portal: Mirrored) -> None:
    numbers = [portal.sandbox.person_adds(NAME=f"Ann {i}") for i in range(30)]
    portal.run()
    portal.sandbox.person_deletes(numbers[3])
    run = portal.run(full=True)
    assert (run.deleted, run.unchanged, alive(portal)) == (1, 29, set(numbers) - {numbers[3]})
    assert portal.rows()[numbers[3]]["name"] == "Ann 3"
    assert portal.run(full=True).deleted == 0


def test_a_lost_right_deletes_nothing(portal: Mirrored) -> None:
    """What a list does not show, but the portal still has, is asked for by id before it is marked."""
    numbers = [portal.sandbox.person_adds(NAME=f"Ann {i}") for i in range(5)]
    portal.run()
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO bitrix24.contact (id, _hash) VALUES (99999, gen_random_uuid())")
        cursor.execute("UPDATE bitrix24.contact SET _synced_at = '2000-01-01' WHERE id = %s", [numbers[0]])
        cursor.execute("UPDATE bitrix24.contact SET _synced_at = '2000-01-01' WHERE id = 99999")
    run = portal.run(full=True)
    assert (run.deleted, alive(portal)) == (1, set(numbers))


def test_a_record_that_comes_back_is_alive_again(portal: Mirrored) -> None:
    number = portal.sandbox.person_adds(NAME="Ann")
    portal.run()
    with database.cursor() as cursor:
        cursor.execute("UPDATE bitrix24.contact SET _deleted_at = now()")
    portal.run(full=True)
    assert alive(portal) == {number}


def test_a_run_that_dies_goes_on_from_its_page(large_portal: Mirrored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "STORED_TOGETHER", 500)
    store, calls = Loader.store, []

    def dies(self: Loader, rows: Any) -> Any:
        calls.append(len(rows))
        if len(calls) == 4:
            raise RuntimeError("power cut")
        return store(self, rows)

    monkeypatch.setattr(Loader, "store", dies)
    run = large_portal.run()
    stored = set(large_portal.rows())
    assert (run.status, len(stored)) == ("stopped", sum(calls[:3]))
    large_portal.sandbox.seen.clear()
    again = large_portal.run()
    assert (again.status, again.mode, len(large_portal.rows())) == ("done", "full", 6000)
    assert again.created == 6000 - len(stored)
    assert again.unchanged + again.updated < len(stored)


def test_the_portal_fails_in_the_middle_and_nothing_is_lost(large_portal: Mirrored) -> None:
    large_portal.sandbox.faults.append(Fault("drop", path="batch", skip=2, times=1000))
    first = large_portal.run()
    assert first.status == "stopped"
    assert first.message
    large_portal.sandbox.faults.clear()
    large_portal.run()
    assert len(large_portal.rows()) == 6000


def test_values_that_do_not_fit_are_kept_beside(portal: Mirrored) -> None:
    number = portal.sandbox.person_adds(NAME="Ann")
    portal.sandbox.records().kept[int(number)].update(
        UF_CRM_INTEGER="forty", ASSIGNED_BY_ID=str(2**70), UF_CRM_DATE="soon", UF_CRM_DOUBLE=["1"], OPENED="perhaps",
        COMMENTS="x" * 2_000_000,
    )  # fmt: skip
    run = portal.run()
    row = portal.rows()[number]
    assert (run.status, run.created, run.failed) == ("done", 1, 0)
    assert json.loads(row["_raw"]) == {
        "uf_crm_integer": "forty", "assigned_by_id": 2**70, "uf_crm_date": "soon", "uf_crm_double": ["1"],
        "opened": "perhaps",
    }  # fmt: skip
    assert (row["uf_crm_integer"], len(row["comments"])) == (None, 2_000_000)
    assert "uf_crm_integer (1)" in run.message


@pytest.mark.parametrize("is_new", [True, False])
def test_a_row_that_postgresql_refuses_costs_only_itself(
    portal: Mirrored, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    """An encoder that lets through what the column cannot hold: the row keeps its values beside its columns."""
    numbers = [portal.sandbox.person_adds(NAME=f"Ann {i}", UF_CRM_DOUBLE=str(i)) for i in range(30)]
    if not is_new:
        portal.run()
        portal.sandbox.clock.sleep(600)
        for i, number in enumerate(numbers):
            portal.sandbox.person_updates(number, NAME=f"Anna {i}")
    wrong = {ColumnType.NUMERIC: lambda value: "thirteen" if str(value) == "13" else cells.number(value)}
    monkeypatch.setattr("syncjobs.mirror.columns.ENCODERS", {**cells.ENCODERS, **wrong})
    run = portal.run()
    refused = portal.rows()[numbers[13]]
    assert (run.status, run.failed, run.created + run.updated) == ("failed", 1, 30), run.message
    assert run.items.get().external_id == numbers[13]
    assert (refused["name"], json.loads(refused["_raw"])["uf_crm_double"]) == (None, "thirteen")
    held = {number: str(row["uf_crm_double"]) for number, row in portal.rows().items() if number != numbers[13]}
    assert held == {number: str(i) for i, number in enumerate(numbers) if i != 13}


def test_a_record_listed_twice_is_stored_once(portal: Mirrored) -> None:
    """Above all that is known, rows are not looked up before they are stored: a second one is noticed all the same."""
    portal.sandbox.person_adds(NAME="Ann")
    portal.run()
    table = Table(portal.entity())
    layout = table.layout()
    loader = Loader(table, layout)
    records = [RemoteRecord(str(n), {"NAME": name}) for n, name in ((7, "Bob"), (8, "Eve"), (7, "Bob again"))]
    first, second = loader.store(layout.rows(records)), loader.store(layout.rows(records[1:]))
    assert (first.created, second.created, second.updated, second.unchanged) == (2, 0, 0, ["8", "7"])
    assert {number: row["name"] for number, row in portal.rows().items()} == {"1": "Ann", "7": "Bob again", "8": "Eve"}


def test_pages_take_the_same_number_of_statements_whatever_their_size(
    large_portal: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "STORE_AFTER_SECONDS", 60.0)
    counts = []
    for size in (1000, 500):
        monkeypatch.setattr(copying, "STORED_TOGETHER", size)
        Cursor.objects.all().delete()
        with CaptureQueriesContext(database) as captured:
            large_portal.run(full=True)
        counts.append(len(captured))
    assert counts[1] - counts[0] <= 12 * (6000 // 500 - 6000 // 1000)


def test_two_runs_of_one_entity_never_overlap(large_portal: Mirrored) -> None:
    refusals = []

    def second(run: Run, done: int) -> None:
        # The lock is the session's: whoever comes from another one is refused.
        from django.db import connections

        other = connections.create_connection("default")
        try:
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", [(0x6D697272 << 32) + large_portal.entity().pk])
                refusals.append(cursor.fetchone()[0])
        finally:
            other.close()

    large_portal.run(progress=second)
    assert refusals
    assert not any(refusals)


def test_records_named_by_webhooks_are_read_or_marked(portal: Mirrored) -> None:
    kept, gone = portal.sandbox.person_adds(NAME="Ann"), portal.sandbox.person_adds(NAME="Bob")
    portal.run()
    portal.sandbox.person_updates(kept, NAME="Anna")
    portal.sandbox.person_deletes(gone)
    run = mirror_ids(portal.entity(), [gone, kept, kept, "77777"], trigger="webhook")
    run.refresh_from_db()
    assert (run.status, run.mode, run.updated, run.deleted) == ("done", "records", 1, 1)
    assert (alive(portal), portal.rows()[kept]["name"]) == ({kept}, "Anna")
    again = mirror_ids(portal.entity(), [gone, kept], trigger="webhook")
    again.refresh_from_db()
    assert (again.updated, again.deleted, again.unchanged) == (0, 0, 1)


def test_a_disabled_connection_is_refused(portal: Mirrored) -> None:
    portal.connection.enabled = False
    portal.connection.save()
    with pytest.raises(Refused):
        portal.run()
