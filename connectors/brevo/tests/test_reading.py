"""Contacts that are asked for by id or address, many at once."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

import pytest

from connectors.brevo.connector import Brevo
from connectors.brevo.sandbox import BrevoSandbox
from connectors.brevo.tests.changes import requests
from connectors.core.clock import ManualClock
from connectors.core.types import MatchKey, ReadMode, ReadQuery

Connect = Callable[..., Brevo]


def singly(sandbox: BrevoSandbox) -> int:
    """How many contacts were asked for one by one."""
    shown = [seen.path.removeprefix("/v3/contacts/") for seen in sandbox.seen]
    return sum("@" in unquote(name) or name.isdigit() for name in shown)


def by_ids(brevo: Brevo, ids: list[str]) -> tuple[list[str], list[str]]:
    """The ids of the records that came, and those told to be gone."""
    pages = list(brevo.read(ReadQuery(mode=ReadMode.IDS, ids=ids)))
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    return [r.id for page in pages for r in page.records], [i for page in pages for i in page.deleted_ids]


def test_twenty_contacts_are_asked_for_at_once(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    ids = [sandbox.add(f"p{i}@example.com") for i in range(45)]
    assert sorted(by_ids(brevo, ids)[0]) == sorted(ids)
    assert (requests(sandbox, "GET", "/contacts"), singly(sandbox)) == (3, 0)


@pytest.mark.parametrize("heeds_ids", [True, False])
def test_only_a_404_says_that_a_contact_is_gone(connect: Connect, heeds_ids: bool) -> None:
    sandbox = BrevoSandbox(ManualClock(), enforce_limits=False, heeds_ids=heeds_ids)
    ids = [sandbox.add(f"p{i}@example.com") for i in range(30)]
    sandbox.person_deletes(ids[7])
    came, gone = by_ids(connect(sandbox), ids)
    assert (sorted(came), gone) == (sorted(set(ids) - {ids[7]}), [ids[7]])


@pytest.mark.parametrize(("asked", "lists", "single"), [(2, 0, 3), (40, 2, 0)])
def test_many_addresses_are_met_in_one_read(
    brevo: Brevo, sandbox: BrevoSandbox, asked: int, lists: int, single: int
) -> None:
    ids = [sandbox.add(f"p{i}@example.com") for i in range(asked)]
    keys = [MatchKey("email", f"P{i}@example.com") for i in range(asked)] + [MatchKey("email", "no@example.com")]
    found = brevo.find("contacts", keys)
    assert [[record.id for record in found[key]] for key in keys] == [*([i] for i in ids), []]
    assert (requests(sandbox, "GET", "/contacts"), singly(sandbox)) == (lists, single)
