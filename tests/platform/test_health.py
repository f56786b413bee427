"""/health tells apart: all is well, a worker that is late, and a database that is gone."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from crmsync import __version__, tasks
from crmsync.models import Heartbeat

pytestmark = pytest.mark.django_db


def health() -> Any:
    return Client().get("/health")


def test_without_any_worker_it_is_degraded() -> None:
    assert health().status_code == 200
    assert health().json() | {"scheduler_age_seconds": None} == {
        "status": "degraded",
        "database": "ok",
        "worker": "never",
        "worker_age_seconds": None,
        "scheduler_age_seconds": None,
        "version": __version__,
    }


@pytest.mark.parametrize(("minutes", "status", "worker"), [(0, "ok", "ok"), (4, "degraded", "late")])
def test_the_newest_heartbeat_of_a_worker_counts(minutes: int, status: str, worker: str) -> None:
    Heartbeat.objects.create(name="old@host", seen_at=timezone.now() - timedelta(hours=5))
    Heartbeat.objects.create(name="host", seen_at=timezone.now() - timedelta(minutes=minutes))
    tasks.beat()
    report = health().json()
    assert (report["status"], report["worker"]) == (status, worker)
    assert report["worker_age_seconds"] in (minutes * 60, minutes * 60 + 1)
    assert report["scheduler_age_seconds"] in (0, 1)


def test_without_a_database_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise OperationalError("no server")

    monkeypatch.setattr("crmsync.health.heartbeat_ages", gone)
    monkeypatch.setattr("crmsync.health.connection.close", lambda: None)
    assert health().status_code == 503
    assert health().json()["status"] == "unavailable"


def test_purge_deletes_what_is_old_and_nothing_else() -> None:
    Heartbeat.objects.create(name="gone", seen_at=timezone.now() - timedelta(days=2))
    Heartbeat.beat("here")
    assert tasks.purge() == {"results": 0, "heartbeats": 1}
    assert list(Heartbeat.objects.values_list("name", flat=True)) == ["here"]
