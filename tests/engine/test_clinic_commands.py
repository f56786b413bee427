"""sync_ident and ident_fields as an operator uses them: what they print, what they leave behind, how they end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.core.types import CONTACTS
from connectors.ident.database import Database
from contacts.models import Contact
from syncjobs import route_fields
from syncjobs.errors import Refused
from syncjobs.models import ContactSync, Cursor, ReviewItem, Run, RunItem, Stray
from tests.engine.clinic import Clinic
from tests.engine.test_commands import COUNTERS, said


def state() -> list[int]:
    """How many rows there are of everything that a run changes, runs aside."""
    return [model.objects.count() for model in (Contact, ContactSync, Cursor, Stray, ReviewItem)]


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the clinic's database is asked for from now on, a word for each statement."""
    asked: list[str] = []
    rows = Database.rows

    def noted(self: Database, what: str, *rest: Any) -> Any:
        asked.append(what)
        return rows(self, what, *rest)

    monkeypatch.setattr(Database, "rows", noted)
    return asked


def test_the_first_load_then_nothing(clinic: Clinic) -> None:
    clinic.ident.fill(30)
    text, code = said("sync_ident", "--json")
    told = json.loads(text)
    assert set(told) == COUNTERS
    assert (told["created"], told["failed"], code) == (30, 0, 0)
    text, code = said("sync_ident", "--deep", "--json")
    told = json.loads(text)
    assert (told["created"], told["updated"], told["unchanged"], code) == (0, 0, 30, 0)


def test_a_dry_run_says_what_a_run_would_do_and_leaves_nothing(clinic: Clinic) -> None:
    clinic.ident.fill(5)
    adopted = clinic.add_contact(phone="+79161234567", **{"Номер карты": "1"})
    clinic.ident.add_patient(last_name="Белова", first_name="Анна", phone="89161234567", card_number="77")
    before = state()
    text, code = said("sync_ident", "--dry-run", "--json")
    planned = json.loads(text)
    assert state() == before
    assert clinic.requests("POST", "PATCH") == 0
    assert code == 0
    assert Run.objects.filter(dry_run=False).count() == 0
    item = RunItem.objects.get(external_id=str(adopted), run__connection=clinic.amo.connection)
    assert (item.action, item.message) == ("link", "An existing record was found by phone and linked.")
    assert ["1", "77"] in item.changes.values()
    told = json.loads(said("sync_ident", "--json")[0])
    for name in ("created", "updated", "unchanged", "failed", "conflicts"):
        assert told[name] == planned[name], name


def test_a_dry_run_in_words(clinic: Clinic) -> None:
    clinic.ident.add_patient(last_name="Белова", first_name="Анна", phone="89161234567", card_number="77")
    text, code = said("sync_ident", "--dry-run")
    assert code == 0
    assert "amocrm: create" in text
    assert "— → 77" in text


def test_one_patient_is_shown_matched_compared_and_sent(clinic: Clinic) -> None:
    clinic.run()
    other = clinic.ident.add_patient(last_name="Соколов", first_name="Иван", phone="89161234568")
    patient = clinic.ident.add_patient(last_name="Белова", first_name="Анна", phone="89161234567", card_number="77")
    text, code = said("sync_ident", "--patient-id", str(patient), "--dry-run")
    assert code == 0
    assert "Номер карты: 77" in text
    assert "+79161234567" in text
    assert clinic.people() == []
    text, code = said("sync_ident", "--patient-id", str(patient), "--json")
    told = json.loads(text)
    assert (told["created"], code) == (1, 0)
    assert told["patient"]["card_number"] == "77"
    assert [item["action"] for item in told["plan"]] == ["create", "create"]
    assert clinic.of(patient)["Номер карты"] == "77"
    assert [p["ID пациента IDENT"] for p in clinic.people()] == [str(patient)]
    clinic.run()
    assert clinic.of(other)["last_name"] == "Соколов"


def test_a_patient_that_is_not_there(clinic: Clinic) -> None:
    for unknown in ("999", "abc"):
        text, code = said("sync_ident", "--patient-id", unknown)
        assert (code, text) == (2, f"IDENT has no patient {unknown}.")


@pytest.mark.parametrize("arguments", [(), ("--deep",), ("--dry-run",), ("--patient-id", "1")])
def test_a_server_that_is_away_ends_in_one_sentence_and_loses_nothing(
    clinic: Clinic, arguments: tuple[str, ...]
) -> None:
    clinic.ident.add_patient(last_name="Белова", first_name="Анна")
    right = clinic.source.secrets["database_url"]
    clinic.source.secrets = {"database_url": "postgres://nobody:secret@127.0.0.1:1/ident"}
    clinic.source.save()
    text, code = said("sync_ident", *arguments)
    assert code == 2
    assert "Traceback" not in text
    assert "secret" not in text
    clinic.source.secrets = {"database_url": right}
    clinic.source.save()
    assert json.loads(said("sync_ident", "--json")[0])["created"] == 1


def test_a_view_that_is_missing_is_named(clinic: Clinic) -> None:
    clinic.source.config = clinic.source.config | {"changes_view": "no_such_view"}
    clinic.source.save()
    text, code = said("sync_ident")
    assert code == 2
    assert "no_such_view" in text


def test_fields_are_looked_up_and_made(clinic: Clinic) -> None:
    fields = clinic.account.account.fields[CONTACTS]
    for number in [n for n, field in fields.items() if field["name"] in ("СНИЛС", "Долг")]:
        del fields[number]
    text, code = said("ident_fields")
    assert code == 1
    assert "СНИЛС" in text
    assert "Долг" in text
    text, code = said("ident_fields", "--create", "--json")
    told = json.loads(text)
    assert (told["missing"], told["rules_added"], code) == ([], 2, 0)
    assert len(told["fields"]) == 18
    assert json.loads(said("ident_fields", "--json")[0])["rules_added"] == 0


def test_fields_may_be_named_by_their_ids(clinic: Clinic) -> None:
    (age,) = [n for n, field in clinic.account.account.fields[CONTACTS].items() if field["name"] == "Возраст"]
    clinic.account.account.fields[CONTACTS][age]["name"] = "Лет"
    clinic.source.config = clinic.source.config | {"field_ids": f"Возраст={age}; sex: 4457223"}
    clinic.source.save()
    found = {field.ours: field.found for field in route_fields.look_up(clinic.route)}
    assert found["attributes.age"] is not None
    assert found["attributes.age"].label == "Лет"
    for wrong, word in (("age=1", "id 1"), ("shoe=5", "shoe"), ("age=x", "age"), ("{oops", "oops")):
        clinic.source.config = clinic.source.config | {"field_ids": wrong}
        with pytest.raises(Refused, match=word):
            route_fields.look_up(clinic.route)


def test_an_incremental_run_with_nothing_new_is_one_statement_there(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.ident.fill(20)
    clinic.run()
    clinic.run()
    asked = watched(monkeypatch)
    clinic.account.seen.clear()
    assert said("sync_ident")[1] == 0
    assert asked == ["changes"]
    assert list(clinic.account.seen) == []


def test_a_bulk_edit_is_met_once_and_then_costs_one_statement(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.ident.changes.REMEMBERED", 10)
    monkeypatch.setattr("connectors.ident.reading.REMEMBERED", 10)
    clinic.ident.fill(20)
    clinic.run()
    asked = watched(monkeypatch)
    clinic.run()
    assert asked == ["changes"]
    patient = clinic.ident.add_patient(last_name="Белова", first_name="Анна")
    for _ in range(3):
        clinic.run()
    assert clinic.of(patient)["last_name"] == "Белова"
    asked.clear()
    clinic.run()
    assert asked == ["changes"]
