"""One account, several processes: one renewal, the limit kept, and a refresher's death explained."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from connectors import services
from connectors.core import registry
from connectors.core.auth import INTERRUPTED, Tokens
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.testing import SandboxServer
from connectors.models import Connection
from tests.engine.test_processes import database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PROCESSES, THREADS, REQUESTS = 4, 5, 2
PREAMBLE = """
import os, signal, sys, threading
import django
django.setup()
from connectors import services
from connectors.models import Connection
connection = Connection.objects.get()
connector = services.open_connector(connection)
"""
WORK = f"""
def work():
    for _ in range({REQUESTS}):
        connector.check()
threads = [threading.Thread(target=work) for _ in range({THREADS})]
errors = []
threading.excepthook = lambda args: errors.append(args.exc_value)
print("ready", flush=True)
sys.stdin.readline()
for t in threads: t.start()
for t in threads: t.join()
sys.exit(1 if errors else 0)
"""
DEATH = """
refresh = connector.oauth.refresh
def dies(tokens):
    refresh(tokens)
    os.kill(os.getpid(), signal.SIGKILL)
connector.oauth.refresh = dies
connector.check()
"""


class Account:
    def __init__(self, connection: Connection, sandbox: Any) -> None:
        self.connection, self.sandbox = connection, sandbox

    def give_access(self, *, expired: bool) -> None:
        issued = self.sandbox.authority.issue()
        until = timezone.now() + timedelta(hours=-1 if expired else 20)
        store = services.token_store(self.connection)
        store.put(Tokens(issued["access_token"], issued["refresh_token"], until))
        self.sandbox.authority.expire_access()

    def start(self, script: str) -> subprocess.Popen[str]:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "crmsync.test_settings",
            "TEST_DATABASE_URL": database_url(),
            "ALLOW_PRIVATE_HOSTS": "127.0.0.1",
        }
        return subprocess.Popen(
            [sys.executable, "-c", PREAMBLE + script],
            cwd=Path(settings.BASE_DIR),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )


@pytest.fixture
def account(slug: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setattr(settings, "ALLOW_PRIVATE_HOSTS", ["127.0.0.1"])
    sandbox: Any = registry.sandbox_class(slug)()  # type: ignore[misc]
    with SandboxServer(sandbox) as server:
        yield Account(services.create_connection(slug, slug, sandbox.oauth_config(server.url)), sandbox)


@pytest.mark.parametrize("expired", [True, False], ids=["by the clock", "by a 401"])
def test_twenty_threads_in_four_processes_renew_once_and_keep_the_limit(account: Account, expired: bool) -> None:
    account.give_access(expired=expired)
    workers = [account.start(WORK) for _ in range(PROCESSES)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    assert [worker.wait(60) for worker in workers] == [0] * PROCESSES
    assert account.sandbox.authority.refreshes == 1
    statuses = [seen.status for seen in account.sandbox.seen]
    assert statuses.count(200) == PROCESSES * THREADS * REQUESTS + 1
    assert 429 not in statuses


def test_a_refresher_killed_before_it_stored_the_pair_says_reconnect(slug: str, account: Account) -> None:
    if slug == "google":
        pytest.skip("its refresh tokens are not spent by their use")
    account.give_access(expired=True)
    assert account.start(DEATH).wait(60) == -signal.SIGKILL
    assert account.sandbox.authority.refreshes == 1

    for _ in range(3):
        with pytest.raises(ApiError) as raised:
            services.check_credentials(account.connection)
        assert (raised.value.kind, raised.value.message) == (ErrorKind.AUTH, INTERRUPTED)

    account.connection.refresh_from_db()
    assert account.connection.state == "needs_attention"
    assert [seen.path for seen in account.sandbox.seen].count(account.sandbox.sign_in_paths[-1]) == 2
    account.give_access(expired=False)
    grant = services.token_store(account.connection).peek()
    assert replace(grant, tokens=None).broken == ""
