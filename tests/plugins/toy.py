"""The toy connector, dropped in as a folder: `from tests.plugins.toy import toy_connector` in a conftest."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import connectors
from connectors.core import registry
from connectors.core.base import Connector

FOLDER = Path(__file__).parent.parent / "conformance"


@contextmanager
def dropped_in(folder: Path = FOLDER) -> Iterator[None]:
    """Within it, the connector folders below `folder` are found like our own; afterwards they are gone."""
    before = list(connectors.__path__)
    connectors.__path__ = [*before, str(folder)]
    try:
        yield
    finally:
        connectors.__path__ = before
        for name in [n for n in sys.modules if n == "connectors.toy" or n.startswith("connectors.toy.")]:
            del sys.modules[name]
        registry.all_connectors()


@pytest.fixture
def toy_connector() -> Iterator[type[Connector]]:
    """The class of a connector that nothing in the product mentions; its sandbox is found by the registry."""
    with dropped_in():
        yield registry.get("toy")
