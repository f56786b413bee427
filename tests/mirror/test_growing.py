"""Tables follow the fields: added, retyped, removed, renamed, made anew; nothing that was stored is lost."""

from __future__ import annotations

import pytest
from django.db import connection as database

from connectors.core.types import CONTACTS, FieldSpec, FieldType
from syncjobs.mirror.schema import Table
from syncjobs.models import SchemaChange
from tests.mirror.conftest import Mirrored


def kinds(portal: Mirrored) -> list[str]:
    return [change.kind for change in SchemaChange.objects.order_by("pk")]


def test_a_new_field_becomes_a_column_and_all_records_are_read_again(portal: Mirrored) -> None:
    fields = portal.sandbox.portal.definitions
    number = portal.sandbox.person_adds(NAME="Ann")
    portal.run()
    fields.add(CONTACTS, "UF_CRM_NEW", "string", label='He said "no"; DROP TABLE x; --\'')
    portal.sandbox.person_updates(number, UF_CRM_NEW="told")
    run = portal.run()
    assert (run.status, run.mode, kinds(portal)) == ("done", "full", ["added"])
    assert portal.rows()[number]["uf_crm_new"] == "told"
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT col_description(a.attrelid, a.attnum) FROM pg_attribute a "
            "WHERE a.attrelid = 'bitrix24.contact'::regclass AND a.attname = 'uf_crm_new'"
        )
        assert cursor.fetchone() == ('He said "no"; DROP TABLE x; --\'',)


def test_a_removed_field_keeps_its_column_and_rows_stay_untouched(portal: Mirrored) -> None:
    fields = portal.sandbox.portal.definitions
    known = fields.add(CONTACTS, "UF_CRM_OLD", "string")
    number = portal.sandbox.person_adds(NAME="Ann", UF_CRM_OLD="kept")
    other = portal.sandbox.person_adds(NAME="Bob")
    portal.run()
    before = portal.rows()
    fields.remove(CONTACTS, known["ID"])
    run = portal.run(full=True)
    assert (run.status, kinds(portal)) == ("done", ["removed"])
    assert portal.rows()[number]["uf_crm_old"] == "kept"
    assert portal.rows()[other] == before[other]
    fields.add(CONTACTS, "UF_CRM_OLD", "string")
    portal.run()
    assert kinds(portal) == ["removed", "returned"]


@pytest.mark.parametrize(
    ("old", "new", "value", "after"),
    [
        ("integer", "double", "42", ("uf_crm_x", "42", "numeric")),
        ("integer", "string", "42", ("uf_crm_x", "42", "text")),
        ("string", "integer", "forty", ("uf_crm_x", "forty", "text")),
        ("datetime", "string", "2024-08-15T10:38:21+03:00", ("uf_crm_x", "2024-08-15T07:38:21Z", "text")),
    ],
)
def test_a_field_of_another_type_loses_no_values(
    portal: Mirrored, old: str, new: str, value: str, after: tuple[str, str, str]
) -> None:
    fields = portal.sandbox.portal.definitions
    known = fields.add(CONTACTS, "UF_CRM_X", old)
    number = portal.sandbox.person_adds(NAME="Ann", UF_CRM_X=value)
    portal.run()
    fields.remove(CONTACTS, known["ID"])
    portal.sandbox.person_deletes(number)
    fields.add(CONTACTS, "UF_CRM_X", new)
    table = Table(portal.entity())
    from connectors import services

    table.grow(services.open_connector(portal.connection).describe(CONTACTS))
    column, text, type_ = after
    assert portal.types()[column] == type_
    assert str(portal.rows()[number][column]) == text
    parked = [c for c in SchemaChange.objects.filter(kind="parked")]
    assert len(parked) == (new == "integer")
    if parked:
        assert portal.types()[parked[0].column] == "bigint"


def test_names_that_are_no_names(portal: Mirrored) -> None:
    """Quotes, percent signs, two spellings of one name, our own columns' names, and names without end."""
    table = Table(portal.entity())
    keys = [
        'a"; DROP TABLE contact; --',
        "100%s",
        "Same",
        "same",
        "SAME",
        "_hash",
        "_synced_at",
        "х" * 90,
        "х" * 89,
        "",
    ]
    specs = [FieldSpec(key, f"label {key}", FieldType.CHOICE, options=(("a'b", "x\0y"),)) for key in keys]
    table.grow(specs)
    types = portal.types()
    columns = list(portal.entity().columns.values_list("key", "column"))
    assert [key for key, _column in columns] == keys
    assert len({column for _key, column in columns}) == len(keys)
    assert all(column in types and len(column.encode()) <= 63 for _key, column in columns)
    assert portal.rows("contact_view") == {}


def test_options_have_names_in_a_side_table_and_a_view(portal: Mirrored) -> None:
    number = portal.sandbox.person_adds(NAME="Ann", SOURCE_ID="WEB")
    definition = portal.sandbox.portal.definitions.user[CONTACTS]["UF_CRM_ENUMERATION"]
    option = definition["LIST"][1]
    portal.sandbox.person_updates(number, UF_CRM_ENUMERATION=option["ID"], UF_CRM_ENUMERATION_LIST=[])
    portal.run()
    shown = portal.rows("contact_view")[number]
    assert (shown["source_id"], shown["source_id_label"]) == ("WEB", "Website")
    assert (shown["uf_crm_enumeration"], shown["uf_crm_enumeration_label"]) == (int(option["ID"]), "Green")
    definition["LIST"].remove(option)
    portal.run()
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT label, _deleted_at IS NOT NULL FROM bitrix24.field_option WHERE field = %s AND value = %s",
            ["UF_CRM_ENUMERATION", option["ID"]],
        )
        assert cursor.fetchone() == ("Green", True)
