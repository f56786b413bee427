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
def filled(bench: Bench, entity: str) -> Bench:
    """All of them stored at one moment; of every entity that the connector declares."""
    bench.entity = entity
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
    before = filled.stored(), {f.key for f in filled.connect().describe(filled.entity)}
    assert filled.connect().check().message
    assert (filled.stored(), {f.key for f in filled.connect().describe(filled.entity)}) == before


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
    whole = filled.read_all(ReadQuery(fields=list(filled.sample(0))))
    small = filled.read_all(ReadQuery(fields=list(filled.sample(0)), limit=PAGE))
    assert sorted(r.id for r in whole) == sorted(str(p["id"]) for p in filled.stored())
    assert sorted(r.id for r in small) == sorted(r.id for r in whole)
    assert sorted(filled.plain(r.values[filled.key_field]) for r in whole) == filled.expected_keys(PEOPLE)


@pytest.mark.parametrize("mode", [ReadMode.FULL, ReadMode.CHANGES])
def test_a_read_can_go_on_from_every_page(filled: Bench, mode: ReadMode) -> None:
    needs(filled, "read" if mode is ReadMode.FULL else "changes")
    since = filled.sandbox.clock.now() - timedelta(minutes=1) if mode is ReadMode.CHANGES else None
    pages = filled.pages(ReadQuery(mode=mode, since=since, limit=PAGE))
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    everybody = {str(p["id"]) for p in filled.stored()}
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
    filled.fill([PEOPLE])
    changed = filled.read_all(ReadQuery(mode=ReadMode.CHANGES, since=since))
    assert len(changed) == 1


def test_records_by_id_tell_which_are_gone(filled: Bench) -> None:
    needs(filled, "read")
    ids = [str(p["id"]) for p in filled.stored()][:3]
    pages = filled.pages(ReadQuery(mode=ReadMode.IDS, ids=[*ids, "987654321"]))
    assert sorted(r.id for page in pages for r in page.records) == sorted(ids)
    assert [i for page in pages for i in page.deleted_ids] == ["987654321"]


def test_find_answers_for_every_key(filled: Bench) -> None:
    needs(filled, "find_keys")
    name = filled.capabilities.upsert_key or filled.capabilities.find_keys[0]
    known = [MatchKey(name, str(filled.sample(n)[filled.key_field]).upper()) for n in (1, 2)]
    nobody = MatchKey(name, "nobody@example.com")
    found = filled.connector.find(filled.entity, [*known, nobody])
    assert {key: len(records) for key, records in found.items()} == {known[0]: 1, known[1]: 1, nobody: 0}


def test_one_page_by_its_number(filled: Bench) -> None:
    needs(filled, "paged")
    every = [r.id for r in filled.read_all(ReadQuery())]
    found = filled.pages(ReadQuery(mode=ReadMode.PAGE, page=2, limit=PAGE))
    assert [r.id for r in found[0].records] == every[PAGE : 2 * PAGE]
    assert [(len(found), found[0].last)] == [(1, False)]
    beyond = filled.pages(ReadQuery(mode=ReadMode.PAGE, page=99, limit=PAGE))
    assert [(list(page.records), page.last) for page in beyond] == [([], True)]


def test_words_find_records(filled: Bench) -> None:
    needs(filled, "search")
    words = str(filled.sample(3)[filled.key_field])
    (page,) = filled.pages(ReadQuery(mode=ReadMode.PAGE, query=words))
    assert words.lower() in {filled.plain(r.values[filled.key_field]) for r in page.records}


def test_every_field_of_a_record_is_described(filled: Bench) -> None:
    needs(filled, "read")
    specs = {spec.key: spec for spec in filled.connector.describe(filled.entity)}
    for record in filled.read_all(ReadQuery(fields=list(filled.sample(0)))):
        assert record.values.keys() <= specs.keys()
    for spec in specs.values():
        assert not spec.depends_on or spec.depends_on in specs
        assert {pair for _value, share in spec.options_by for pair in share} <= set(spec.options)
