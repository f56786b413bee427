"""One hub for all that the pages show."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.docs import hub as hubs


@pytest.fixture(scope="module")
def hub(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[hubs.Hub]:
    folder: Path = tmp_path_factory.mktemp("docs")
    with django_db_blocker.unblock(), hubs.running(folder) as running:
        yield running
