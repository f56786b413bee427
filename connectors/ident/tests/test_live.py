"""Against a real database with the views of the set-up script: its address is in IDENT_TEST_DSN.

Only read, with whatever login the address names. Best run against a copy: every patient is read twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from connectors.core.base import Context
from connectors.core.types import ReadMode, ReadQuery, Secret
from connectors.ident.connector import Ident

DSN = os.environ.get("IDENT_TEST_DSN", "")
pytestmark = pytest.mark.skipif(not DSN, reason="IDENT_TEST_DSN names no database: mssql://user:password@host/IDENT")


@pytest.fixture
def ident(request: pytest.FixtureRequest) -> Iterator[Ident]:
    request.getfixturevalue("django_db_setup")
    with request.getfixturevalue("django_db_blocker").unblock():
        made = Ident(Context(config={}, secrets={"database_url": Secret(DSN)}, key="ident"))
        yield made
        made.close()


def test_everything_is_there(ident: Ident) -> None:
    found = ident.inspect()
    assert found.problems == ()
    assert found.facts["version"]
    assert ident.check().account == ident.address.name


def test_all_in_any_pages_and_by_id(ident: Ident) -> None:
    pages = list(ident.read(ReadQuery(mode=ReadMode.FULL)))
    records = [record for page in pages for record in page.records]
    ids = [int(record.id) for record in records]
    assert ids == sorted(set(ids))
    small = ReadQuery(mode=ReadMode.FULL, limit=max(len(ids) // 7, 1))
    assert [int(r.id) for page in ident.read(small) for r in page.records] == ids
    some = [str(i) for i in ids[:1500]]
    by_id = [page for page in ident.read(ReadQuery(mode=ReadMode.IDS, ids=some))]
    assert [record.id for page in by_id for record in page.records] == some
    assert {r.id: r.values for page in by_id for r in page.records} == {
        r.id: r.values for r in records if r.id in set(some)
    }


def test_changes_follow_a_full_read_and_end(ident: Ident) -> None:
    *_, last = ident.read(ReadQuery(mode=ReadMode.FULL))
    cursor = dict(last.cursor or {})
    for _ in range(3):
        pages = list(ident.read(ReadQuery(mode=ReadMode.CHANGES, cursor=cursor)))
        cursor = dict(pages[-1].cursor or {})
    assert pages[-1].last
    everything = list(ident.read(ReadQuery(mode=ReadMode.CHANGES)))
    assert everything[-1].last


@pytest.mark.parametrize(
    "sql", ["UPDATE crmsync_patients SET phone = ''", "SELECT * INTO crmsync_copy FROM crmsync_patients", "EXEC sp_who"]
)
def test_writing_is_refused_before_it_is_sent(ident: Ident, sql: str) -> None:
    from django.db import NotSupportedError, connections

    ident.database.rows("probe", "SELECT 1")
    with pytest.raises(NotSupportedError), connections[ident.database.alias].cursor() as cursor:
        cursor.execute(sql)


def test_the_login_has_no_right_that_reading_does_not_need(ident: Ident) -> None:
    """Asked, not tried: what a login with too many rights tried would be done."""
    assert ident.inspect().warnings == ()
