"""Commands as people and scripts use them: what they print, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from contacts.models import Contact
from syncjobs.models import ContactSync, Run, RunItem
from tests.engine.conftest import Destination

MakeContacts = Callable[..., list[Contact]]
COUNTERS = {
    "run", "created", "updated", "unchanged", "skipped", "failed", "conflicts", "requests", "retries",
    "rate_limit_hits", "duration_ms",
}  # fmt: skip


def said(*command: str, **options: Any) -> tuple[str, int]:
    """What a command printed, and its exit code."""
    out = StringIO()
    try:
        call_command(*command, stdout=out, **options)
    except CommandError as e:
        return out.getvalue() + str(e), e.returncode
    except SystemExit as e:
        return out.getvalue(), int(e.code or 0)
    return out.getvalue(), 0


def test_queue_then_push(destination: Destination, make_contacts: MakeContacts) -> None:
    make_contacts(7)
    key = destination.connection.key
    text, code = said("queue", key, "--json")
    assert (json.loads(text)["queued"], code) == (7, 0)

    text, code = said("push", key, "--json")
    counters = json.loads(text)
    assert set(counters) == COUNTERS
    assert (counters["created"], counters["failed"], code) == (7, 0, 0)
    assert counters["requests"] > 0

    assert json.loads(said("queue", key, "--json")[0])["queued"] == 0
    assert json.loads(said("queue", key, "--all", "--json")[0])["queued"] == 7
    assert json.loads(said("push", key, "--json")[0])["unchanged"] == 7


def test_some_failed(destination: Destination, make_contacts: MakeContacts) -> None:
    make_contacts(3)
    make_contacts(1, email="broken@nodomain")
    said("queue", destination.connection.key)
    text, code = said("push", destination.connection.key)
    assert code == 1
    assert "3 created" in text
    assert "1 failed" in text


def test_refused_credentials(destination: Destination, make_contacts: MakeContacts) -> None:
    make_contacts(1)
    said("queue", destination.connection.key)
    destination.break_writes("status", status=401, times=99)
    text, code = said("push", destination.connection.key)
    assert code == 2
    assert "Traceback" not in text


@pytest.mark.parametrize("command", ["push", "queue"])
def test_an_unknown_key(destination: Destination, command: str) -> None:
    text, code = said(command, "pipedrive")
    assert code == 2
    assert destination.connection.key in text


def test_a_limit_below_one(destination: Destination) -> None:
    assert said("push", destination.connection.key, "--limit", "0")[1] == 2


def test_a_dry_run_tells_the_plan_and_writes_nothing(destination: Destination, make_contacts: MakeContacts) -> None:
    made = make_contacts(5)
    make_contacts(1, email="only-here@example.com")
    key = destination.connection.key
    said("queue", key)
    Contact.objects.filter(email="only-here@example.com").update(email=None)
    before = list(ContactSync.objects.order_by("id").values())

    text, code = said("push", key, "--dry-run")

    refused = 0 if destination.tells_by_our_id else 1
    assert code == refused  # one of them cannot be sent, and is said so
    assert str(made[0].pk) in text
    assert ("Contact does not have email address" in text) is bool(refused)
    assert "ann0@example.com" not in text
    assert list(ContactSync.objects.order_by("id").values()) == before
    assert destination.people() == []
    run = Run.objects.get()
    assert (run.dry_run, run.created, run.failed) == (True, 6 - refused, refused)
    assert RunItem.objects.filter(run=run, action="create").count() == 6 - refused


def test_a_dry_run_decides_what_the_push_then_does(destination: Destination, make_contacts: MakeContacts) -> None:
    make_contacts(4)
    key = destination.connection.key
    said("queue", key)
    planned = json.loads(said("push", key, "--dry-run", "--json")[0])
    done = json.loads(said("push", key, "--json")[0])
    assert (planned["created"], planned["updated"]) == (done["created"], done["updated"])


@pytest.mark.parametrize(
    ("locale", "queued", "pushed"),
    [
        ("ru_RU.UTF-8", "Поставлено в очередь контактов: 2", "2 создано"),
        ("C.UTF-8", "2 contacts are queued", "2 created"),
    ],
)
def test_a_terminal_is_answered_in_its_language(
    destination: Destination, make_contacts: MakeContacts, monkeypatch: pytest.MonkeyPatch, locale: str, queued: str,
    pushed: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("LC_ALL", locale)
    make_contacts(2)
    key = destination.connection.key
    assert queued in said("queue", key)[0]
    assert pushed in said("push", key)[0]
    assert json.loads(said("push", key, "--json")[0])["created"] == 0
