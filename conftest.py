"""What every test shares: the throwaway database server, and no network beyond this machine."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

LOOPBACK = ("127.", "::1", "localhost")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stops the throwaway server, in the one process that made its folder."""
    if os.environ.get("CRMSYNC_TEST_DATA_OWNER") != str(os.getpid()):
        return
    from crmsync import embedded

    folder = Path(os.environ["CRMSYNC_TEST_DATA_DIR"])
    if (folder / "postgres").exists():
        embedded.server().stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
    django_db_keepdb: bool,
    django_db_createdb: bool,
    django_db_modify_db_settings: None,
) -> Iterator[None]:
    """The test database, for whoever asks: pytest-django makes none where no collected test has its mark.

    A stand-in that lies in the hub's database has no use for the mark's rollback, and must not meet the configured one.
    """
    from django.test.utils import setup_databases, teardown_databases

    verbosity = request.config.option.verbose
    with django_db_blocker.unblock():
        made = setup_databases(
            verbosity, interactive=False, keepdb=django_db_keepdb and not django_db_createdb, serialized_aliases=()
        )
    yield
    if not django_db_keepdb:
        with django_db_blocker.unblock():
            teardown_databases(made, verbosity)


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test that connects to anything but this machine."""
    attempts: list[str] = []
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def refuse(host: str) -> None:
        attempts.append(host)
        raise OSError(f"tests reach this machine only, not {host}")

    def check(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(LOOPBACK):  # type: ignore[index]
            refuse(str(address[0]))  # type: ignore[index]

    def guarded_connect(self: socket.socket, address: object) -> None:
        check(self, address)
        return connect(self, address)  # type: ignore[arg-type]

    def guarded_connect_ex(self: socket.socket, address: object) -> int:
        check(self, address)
        return connect_ex(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    yield
    monkeypatch.undo()
    if attempts:
        pytest.fail(f"this test tried to reach {', '.join(attempts)}")


@pytest.fixture(autouse=True)
def _empty_caches() -> None:
    """Login brakes and other counters start anew with each test."""
    from django.core.cache import caches

    for cache in caches.all(initialized_only=True):
        cache.clear()


@pytest.fixture(autouse=True)
def _no_connection_left_open() -> Iterator[None]:
    """The limiter has a connection of its own, which would keep the test database from being dropped."""
    yield
    from connectors.limits import limiter

    limiter.close()


@pytest.fixture(autouse=True)
def _no_language_left_over() -> None:
    """A request in Russian leaves its thread speaking Russian."""
    from django.utils import translation

    translation.deactivate()
