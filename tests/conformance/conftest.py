from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.core import registry
from connectors.core.base import Connector
from connectors.core.types import CONTACTS
from tests.conformance.bench import Bench
from tests.plugins.toy import dropped_in, toy_connector

__all__ = ["bench", "connector_class", "toy_connector"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every connector that has a sandbox, and a toy that stands for those still to come."""
    if "slug" in metafunc.fixturenames:
        ours = [slug for slug in registry.all_connectors() if registry.sandbox_class(slug) is not None]
        if "entity" not in metafunc.fixturenames:
            metafunc.parametrize("slug", [*ours, "toy"])
            return
        declared = [(slug, entity) for slug in ours for entity in registry.get(slug).spec.entities]
        metafunc.parametrize(("slug", "entity"), [*declared, ("toy", CONTACTS)])


@pytest.fixture
def connector_class(slug: str) -> Iterator[type[Connector]]:
    if slug != "toy":
        yield registry.get(slug)
        return
    with dropped_in():
        yield registry.get(slug)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Open to stand-ins that lie in it; what they keep there is theirs, so nothing is rolled back."""
    request.getfixturevalue("django_db_setup")
    with request.getfixturevalue("django_db_blocker").unblock():
        yield


@pytest.fixture
def bench(slug: str, connector_class: type[Connector], request: pytest.FixtureRequest) -> Iterator[Bench]:
    sandbox = registry.sandbox_class(slug)
    assert sandbox is not None
    if not sandbox.speaks_http:
        request.getfixturevalue("database")
    made = Bench(connector_class, sandbox)
    yield made
    made.close()
