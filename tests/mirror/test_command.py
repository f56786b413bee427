"""`manage.py mirror`: one entity or all, its counters and its exit codes."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.mirror.conftest import Mirrored


def call(*args: str) -> str:
    out = StringIO()
    call_command("mirror", *args, stdout=out)
    return out.getvalue()


def test_all_entities_or_some_in_the_singular_or_plural(portal: Mirrored) -> None:
    portal.sandbox.person_adds(NAME="Ann")
    portal.sandbox.person_adds("deals", TITLE="Roof")
    told: dict[str, Any] = json.loads(call("bitrix24", "deal", "contacts", "--json"))
    assert (told["created"], len(told["runs"])) == (2, 2)
    told = json.loads(call("bitrix24", "--full", "--json"))
    assert (told["created"], told["unchanged"], len(told["runs"])) == (0, 2, 4)
    assert "contacts: Run" in call("bitrix24")


@pytest.mark.parametrize("args", [("nothing",), ("bitrix24", "invoice")])
def test_what_is_not_there_is_refused(portal: Mirrored, args: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as refused:
        call(*args)
    assert refused.value.returncode == 2


def test_a_portal_that_does_not_let_us_in_ends_with_2(portal: Mirrored) -> None:
    portal.connection.secrets = {"webhook_url": "https://sandbox.example.com/rest/1/wrong/"}
    portal.connection.save()
    with pytest.raises(CommandError) as refused:
        call("bitrix24", "deal")
    assert refused.value.returncode == 2
    portal.connection.refresh_from_db()
    assert portal.connection.state == "needs_attention"
