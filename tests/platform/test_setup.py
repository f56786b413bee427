"""`setup` and `doctor`, and the secrets an installation makes for itself."""

import stat
import threading
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth import get_user_model
from django.core.checks import Tags, run_checks
from django.core.management import call_command
from django_q.models import Schedule

from crmsync import installation, local_secrets
from crmsync.models import Heartbeat
from crmsync.roles import role_of
from crmsync.tasks import SCHEDULES


@pytest.fixture
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRMSYNC_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_secrets_are_made_once_and_readable_by_their_owner_alone(data_home: Path) -> None:
    assert local_secrets.load() == {}
    assert local_secrets.ensure()
    made = local_secrets.load()
    assert stat.S_IMODE(local_secrets.path().stat().st_mode) == 0o600
    assert not local_secrets.ensure()
    assert local_secrets.load() == made
    assert len(made["SECRET_KEY"]) >= 50
    Fernet(made["CREDENTIAL_KEYS"])
    assert [path.name for path in data_home.iterdir()] == ["secrets.json"]


def test_of_processes_that_make_secrets_at_once_one_wins(data_home: Path) -> None:
    data_home.mkdir()
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(local_secrets.ensure())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(True) == 1


@pytest.mark.django_db
def test_the_administrator_of_the_environment_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"USERNAME": "boss", "EMAIL": "boss@example.com", "PASSWORD": "$0me long password"}.items():
        monkeypatch.setenv(f"DJANGO_SUPERUSER_{name}", value)
    for _ in range(2):
        call_command("setup", stdout=StringIO())
    boss = get_user_model().objects.get(email="boss@example.com")
    assert boss.is_superuser
    assert boss.check_password("$0me long password")
    assert role_of(boss) == "administrator"


@pytest.mark.django_db
def test_without_variables_setup_makes_nobody_and_the_schedules_once() -> None:
    for _ in range(2):
        call_command("setup", stdout=StringIO())
    assert not get_user_model().objects.exists()
    assert Schedule.objects.filter(name__in=SCHEDULES).count() == len(SCHEDULES)


@pytest.mark.django_db
def test_the_one_time_password_is_told_only_when_it_is_made() -> None:
    email, password = installation.one_time_administrator()
    assert get_user_model().objects.get(email=email).check_password(password)
    assert installation.one_time_administrator() == (email, None)


@pytest.mark.django_db
def test_doctor_speaks_of_a_worker_that_was_never_seen() -> None:
    output = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("doctor", stdout=output)
    assert end.value.code == 0
    assert "Warning crmsync.W008: No worker has ever been seen." in output.getvalue()


def ids(**options: Any) -> set[str]:
    return {str(message.id) for message in run_checks(**options)}


@pytest.mark.django_db
def test_each_misconfiguration_has_its_id(settings: Any) -> None:
    Heartbeat.beat("host-1")
    healthy = ids(tags=[Tags.database], databases=["default"])
    assert not healthy & {"crmsync.W006", "crmsync.W007", "crmsync.W008", "crmsync.W009"}
    settings.SECRET_KEY = settings.INSECURE_SECRET_KEY
    settings.CREDENTIAL_KEYS = []
    settings.SITE_URL = "http://crm.example.com"
    found = ids(include_deployment_checks=True)
    assert {"crmsync.E001", "crmsync.E002", "crmsync.W003"} <= found
    settings.CREDENTIAL_KEYS = ["short"]
    settings.SUPABASE_DEFAULT_ROLE = "king"
    assert {"crmsync.E004", "crmsync.E005"} <= ids()
