"""A stand-in that lies in the hub's database lies in the tests' own, however few tests are run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.db import connection

from crmsync.environment import BASE_DIR

OURS = ("PYTEST_", "CRMSYNC_", "DATABASE_URL", "TEST_DATABASE_URL")


def test_it_is_the_tests_own(database: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), count(*) FROM connectors_connection")
        assert cursor.fetchone()[0].startswith("test_")


@pytest.mark.slow
def test_it_is_so_where_no_test_has_the_mark() -> None:
    """In a process and on a server of its own: in this one, other tests may have made the database."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{__file__}::test_it_is_the_tests_own"],
        cwd=BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
