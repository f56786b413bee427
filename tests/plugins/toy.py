"""A connector that nothing in the product mentions, as `newconnector toy` writes it, dropped in as a folder.

`from tests.plugins.toy import toy_connector` in a conftest, or in the module that needs it.
"""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from django.core.management import call_command

import connectors
from connectors.core import registry
from connectors.core.base import Connector

SLUG, LABEL = "toy", "Toy CRM"


@cache
def written() -> Path:
    """The folder in which the toy's folder lies, until this process ends."""
    home = Path(tempfile.mkdtemp(prefix="crmsync-toy-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    call_command("newconnector", SLUG, label=LABEL, into=home, verbosity=0)
    return home


@contextmanager
def dropped_in(folder: Path | None = None) -> Iterator[None]:
    """Within it, the connector folders below `folder` are found like our own; afterwards they are gone."""
    home = folder or written()
    before = list(connectors.__path__)
    connectors.__path__ = [*before, str(home)]
    try:
        yield
    finally:
        connectors.__path__ = before
        for name in [name for name in sys.modules if _lies_in(home, name)]:
            del sys.modules[name]
        registry.all_connectors()


def _lies_in(home: Path, module: str) -> bool:
    return any(
        module == f"connectors.{path.name}" or module.startswith(f"connectors.{path.name}.") for path in home.iterdir()
    )


@pytest.fixture
def toy_connector() -> Iterator[type[Connector]]:
    """The toy's class; its sandbox is found by the registry."""
    with dropped_in():
        yield registry.get(SLUG)
