"""The clinic's run killed at any moment and started again: the same contacts in amoCRM, and none of them twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from django.test import override_settings

from connectors import services
from connectors.amocrm.sandbox import AmoSandbox
from connectors.core import registry
from connectors.core.sandbox import Fault
from connectors.core.testing import SandboxServer
from contacts.models import Contact
from syncjobs.models import ContactSync, Stray
from tests.engine.clinic import Clinic
from tests.engine.conftest import Destination
from tests.engine.test_processes import ROOT, environment_of_processes, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PATIENTS = 700
WRITES = r"/api/v4/contacts$"


@pytest.fixture
def clinic() -> Iterator[Clinic]:
    ident = registry.sandbox_class("ident")()  # type: ignore[misc]
    ident.reset()
    ident.fill(PATIENTS)
    sandbox = AmoSandbox(enforce_limits=False)
    with override_settings(ALLOW_PRIVATE_HOSTS=["127.0.0.1"]), SandboxServer(sandbox) as server:
        connection = services.create_connection("amocrm", "amocrm", sandbox.config(server.url) | {"rps": 0})
        yield Clinic(ident, Destination(connection, sandbox))
    ident.reset()


def start(*options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "sync_ident", *options],
        cwd=ROOT,
        env=environment_of_processes(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)


@pytest.mark.parametrize("moment", ["reading", "looking", "writing", "written"])
def test_killed_and_started_again(clinic: Clinic, moment: str) -> None:
    stranger = clinic.add_contact(phone="+79990000000")
    adopted = clinic.add_contact(phone="+79990000001", **{"ID пациента IDENT": "5"})
    account = clinic.account
    if moment == "looking":
        account.faults.append(Fault("slow", method="GET", path=WRITES, times=5, seconds=3.0))
    if moment in ("writing", "written"):
        account.faults.append(Fault("slow" if moment == "writing" else "drop", method="POST", path=WRITES, seconds=3.0))
    process = start()
    if moment == "reading":
        wait_until(lambda: Contact.objects.exists())
    elif moment == "looking":
        wait_until(lambda: ContactSync.objects.filter(connection=clinic.source).count() == PATIENTS)
    elif moment == "writing":
        wait_until(lambda: Stray.objects.exists() and ContactSync.objects.filter(sync_status="Processing").exists())
    else:
        wait_until(lambda: len(clinic.people()) > 2)
    kill(process)
    account.faults.clear()
    for _ in range(2):
        assert start("--deep").wait(90) in (0, 1)
        ContactSync.objects.filter(due_at__isnull=False).update(due_at="2020-01-01T00:00:00Z")
    carried = Counter(person.get("ID пациента IDENT") for person in clinic.people())
    assert carried.pop(None) == 1
    assert set(carried.values()) == {1}
    assert len(carried) == PATIENTS
    assert clinic.of(5)["id"] == adopted
    assert next(p["id"] for p in clinic.people() if "ID пациента IDENT" not in p) == stranger
