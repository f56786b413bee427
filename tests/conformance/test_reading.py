"""check, describe, read and find of every connector."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.core import registry
from connectors.core.base import Connector
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import CONTACTS, ConfigKind, MatchKey, ReadMode, ReadQuery, Secret
from tests.conformance.bench import Bench

PEOPLE = 25
PAGE = 7


@pytest.fixture
def filled(bench: Bench) -> Bench:
    """All of them stored at one moment."""
    bench.prepare()
    bench.fill(range(PEOPLE))
    return bench


def needs(filled: Bench, capability: str) -> None:
    if not getattr(filled.capabilities, capability):
        pytest.skip(f"declares no {capability}")


def test_the_spec_is_whole(slug: str, connector_class: type[Connector]) -> None:
    spec = connector_class.spec
    names = [f.name for f in spec.config]
    assert len(names) == len(set(names))
    assert spec.secrets()
    assert spec.ways_in or any(f.signs_in or f.required for f in spec.config)
    assert not any(f.default for f in spec.config if f.kind is ConfigKind.SECRET)
    for document in ("SETUP.md", "BEHAVIOR.md", "icon.svg"):
        assert (registry.folder(slug) / document).read_text().strip()


def test_default_rules_name_fields_that_exist_after_prepare(bench: Bench) -> None:
    wanted = [rule.theirs for rule in bench.kind.default_rules(bench.connector.config)]
    prepared = bench.connector.prepare(CONTACTS, wanted)
    if not bench.capabilities.write:
        assert set(wanted) <= set(prepared.fields)
        return
    assert sorted(prepared.fields) == sorted(wanted)
    assert not prepared.warnings
    assert not any(spec.read_only for spec in prepared.fields.values())


def test_preparing_twice_changes_nothing(bench: Bench) -> None:
    bench.prepare()
    described = {f.key for f in bench.connect().describe()}
    again = bench.connect()
    again.prepare(CONTACTS, list(bench.sandbox.sample_values(0)))
    assert {f.key for f in bench.connect().describe()} == described
    assert {f.key for f in again.describe()} >= set(bench.sandbox.sample_values(0))


def test_check_changes_nothing(filled: Bench) -> None:
    before = filled.sandbox.people(), {f.key for f in filled.connect().describe()}
    assert filled.connect().check().message
    assert (filled.sandbox.people(), {f.key for f in filled.connect().describe()}) == before


def test_wrong_credentials_are_told_as_such(bench: Bench) -> None:
    if not bench.sandbox.speaks_http:
        pytest.skip("the stand-in lies in the hub's own database, which trusts it")
    stranger = bench.connect()
    wrong = {name: Secret("wrong") for name in stranger.context.secrets}
    context = stranger.context
    context.secrets = wrong
    with pytest.raises(ApiError) as raised:
        bench.kind(context).check()
    assert raised.value.kind is ErrorKind.AUTH
    assert "wrong" not in raised.value.detail


def test_a_full_read_is_the_same_in_small_pages(filled: Bench) -> None:
    needs(filled, "read")
    whole = filled.read_all(ReadQuery(fields=list(filled.sandbox.sample_values(0))))
    small = filled.read_all(ReadQuery(fields=list(filled.sandbox.sample_values(0)), limit=PAGE))
    assert sorted(r.id for r in whole) == sorted(str(p["id"]) for p in filled.sandbox.people())
    assert sorted(r.id for r in small) == sorted(r.id for r in whole)
    assert sorted(filled.plain(r.values[filled.sandbox.key_field]) for r in whole) == filled.expected_keys(PEOPLE)


@pytest.mark.parametrize("mode", [ReadMode.FULL, ReadMode.CHANGES])
def test_a_read_can_go_on_from_every_page(filled: Bench, mode: ReadMode) -> None:
    needs(filled, "read" if mode is ReadMode.FULL else "changes")
    since = filled.sandbox.clock.now() - timedelta(minutes=1) if mode is ReadMode.CHANGES else None
    pages = list(filled.connector.read(ReadQuery(mode=mode, since=since, limit=PAGE)))
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    everybody = {str(p["id"]) for p in filled.sandbox.people()}
    seen: set[str] = set()
    for page in pages[:-1]:
        seen |= {r.id for r in page.records}
        filled.connector = filled.connect()
        rest = filled.read_all(ReadQuery(mode=mode, cursor=page.cursor, limit=PAGE))
        assert seen | {r.id for r in rest} == everybody


def test_changes_at_one_moment_are_not_lost_at_the_edge_of_a_page(filled: Bench) -> None:
    needs(filled, "changes")
    since = filled.sandbox.clock.now() - timedelta(minutes=1)
    found = [r.id for r in filled.read_all(ReadQuery(mode=ReadMode.CHANGES, since=since, limit=PAGE))]
    assert len(found) == len(set(found)) == PEOPLE


def test_only_changes_are_read(filled: Bench) -> None:
    needs(filled, "changes")
    filled.sandbox.clock.sleep(3600)
    since = filled.sandbox.clock.now() - timedelta(minutes=1)
    assert filled.read_all(ReadQuery(mode=ReadMode.CHANGES, since=since)) == []
    filled.fill([3])
    changed = filled.read_all(ReadQuery(mode=ReadMode.CHANGES, since=since))
    assert len(changed) == 1


def test_records_by_id_tell_which_are_gone(filled: Bench) -> None:
    needs(filled, "read")
    ids = [str(p["id"]) for p in filled.sandbox.people()][:3]
    pages = list(filled.connector.read(ReadQuery(mode=ReadMode.IDS, ids=[*ids, "987654321"])))
    assert sorted(r.id for page in pages for r in page.records) == sorted(ids)
    assert [i for page in pages for i in page.deleted_ids] == ["987654321"]


def test_find_answers_for_every_key(filled: Bench) -> None:
    needs(filled, "find_keys")
    name = filled.capabilities.upsert_key or filled.capabilities.find_keys[0]
    known = [MatchKey(name, str(filled.sandbox.sample_values(n)[filled.sandbox.key_field]).upper()) for n in (1, 2)]
    nobody = MatchKey(name, "nobody@example.com")
    found = filled.connector.find(CONTACTS, [*known, nobody])
    assert {key: len(records) for key, records in found.items()} == {known[0]: 1, known[1]: 1, nobody: 0}
