"""The demonstration gives access as a person does: over the pages of the sandbox and the callback of the hub."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from pytest_django.live_server_helper import LiveServer

from connectors import services
from connectors.core import registry
from connectors.core.sandbox import Fault
from connectors.core.testing import SandboxServer
from connectors.models import Connection, ConnectionState, OAuthGrant, OAuthState
from syncjobs import demo, demo_oauth
from tests.engine.test_processes import environment_of_processes, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

GIVE_ACCESS = """
import sys, django
django.setup()
from syncjobs import demo
demo.prepare({sys.argv[1]: sys.argv[2]}, sys.argv[3])
"""


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ALLOW_PRIVATE_HOSTS", ["127.0.0.1"])
    monkeypatch.setattr("syncjobs.services.async_task", lambda *args, **kwargs: None)
    monkeypatch.setattr(demo, "SAMPLES", 3)


@pytest.fixture
def hub(live_server: LiveServer) -> str:
    return live_server.url.replace("localhost", "127.0.0.1")


@pytest.fixture
def served(slug: str, hub: str) -> Iterator[SandboxServer]:
    sandbox: Any = registry.sandbox_class(slug)(enforce_limits=False)  # type: ignore[misc]
    sandbox.register_hub(hub)
    with SandboxServer(sandbox) as server:
        yield server


def paths(served: SandboxServer) -> list[str]:
    return [seen.path for seen in served.sandbox.seen]


def test_the_whole_way_over_http(slug: str, hub: str, served: SandboxServer) -> None:
    assert demo.prepare({slug: served.url}, hub) == [
        f"{registry.get(slug).spec.label} (sandbox): 3 contacts are queued."
    ]
    connection = Connection.objects.get(key=slug)
    assert (connection.state, connection.is_sandbox) == (ConnectionState.OK, True)
    assert paths(served)[:3] == list(served.sandbox.sign_in_paths)
    assert not OAuthState.objects.exists()
    key = registry.get(slug).spec.api_key()
    assert key is None or key.name not in connection.secrets
    assert services.check_credentials(connection).account


def test_a_sandbox_that_was_started_anew_is_connected_anew(slug: str, hub: str, served: SandboxServer) -> None:
    demo.prepare({slug: served.url}, hub)
    first = services.token_store(Connection.objects.get(key=slug)).current()
    served.sandbox.authority.access.clear()  # type: ignore[attr-defined]
    served.sandbox.authority.refresh.clear()  # type: ignore[attr-defined]
    demo.prepare({slug: served.url}, hub)
    connection = Connection.objects.get(key=slug)
    assert services.token_store(connection).current().access != first.access
    assert services.check_credentials(connection).account


@pytest.mark.parametrize("step", range(3), ids=["page", "answer", "token"])
def test_killed_on_the_way_the_next_start_connects(slug: str, hub: str, served: SandboxServer, step: int) -> None:
    served.sandbox.faults.append(Fault("slow", path=f"{served.sandbox.sign_in_paths[step]}$", seconds=3.0))
    process = subprocess.Popen(
        [sys.executable, "-c", GIVE_ACCESS, slug, served.url, hub],
        cwd=Path(settings.BASE_DIR),
        env=environment_of_processes(),
    )
    wait_until(lambda: served.sandbox.faults[0].times == 0)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)

    demo.prepare({slug: served.url}, hub)

    connection = Connection.objects.get(key=slug)
    assert connection.state == ConnectionState.OK
    assert services.check_credentials(connection).account


def test_a_page_that_does_not_give_access_is_told_and_the_rest_goes_on(
    slug: str, hub: str, served: SandboxServer
) -> None:
    first, _answer, token = served.sandbox.sign_in_paths
    served.sandbox.faults.append(Fault("html", path=f"{first}$"))
    lines = demo.prepare({slug: served.url}, hub)
    assert len(lines) == 2
    assert "press Connect" in lines[0]
    served.sandbox.faults.append(Fault("status", path=f"{token}$", status=400))
    assert "press Connect" in demo.prepare({slug: served.url}, hub)[0]
    assert not OAuthGrant.objects.exists()
    assert Connection.objects.get(key=slug).state == ConnectionState.NEW


def test_where_the_hub_s_address_leads_nowhere_the_answer_is_taken_here(
    slug: str, served: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_oauth, "PATIENCE_SECONDS", 0.0)
    nowhere = "http://127.0.0.1:1"
    served.sandbox.register_hub(nowhere)
    assert len(demo.prepare({slug: served.url}, nowhere)) == 1
    assert services.check_credentials(Connection.objects.get(key=slug)).account


def test_a_real_account_does_not_inherit_the_sandbox_s_tokens(
    slug: str, hub: str, served: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo.prepare({slug: served.url}, hub)
    spec = registry.get(slug).spec
    for field in spec.config:
        if field.signs_in or field.name in spec.ways_in[0]:
            monkeypatch.setenv(spec.env_name(field), "from-the-environment")
    services.connect_from_environment()
    assert not Connection.objects.get(key=slug).is_sandbox
    assert not OAuthGrant.objects.exists()
