"""Finds connectors by scanning the folders of the connectors package on first use."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import connectors
from connectors.core.base import Connector
from connectors.core.types import CONTACTS

if TYPE_CHECKING:
    from connectors.core.sandbox import Sandbox

_lock = threading.Lock()
_found: dict[str, type[Connector]] = {}
_scanned: tuple[str, ...] = ()


class UnknownConnector(LookupError):
    def __init__(self, slug: str) -> None:
        super().__init__(f"No connector is called {slug!r}; known are: {', '.join(sorted(all_connectors()))}.")


def all_connectors() -> dict[str, type[Connector]]:
    """Every connector by its slug, in the order of their names."""
    global _scanned
    with _lock:
        # The path itself is compared, so that a folder put on connectors.__path__ later is found too.
        if _scanned != tuple(connectors.__path__):
            _found.clear()
            _found.update(_scan())
            _scanned = tuple(connectors.__path__)
        return dict(_found)


def is_writable(connector: str) -> bool:
    """Whether contacts are written there; False also where its folder is gone."""
    found = all_connectors().get(connector)
    entity = found.spec.entities.get(CONTACTS) if found is not None else None
    return entity is not None and entity.write


def get(slug: str) -> type[Connector]:
    """The connector with this slug or alias. Raises UnknownConnector."""
    known = all_connectors()
    if slug in known:
        return known[slug]
    for connector in known.values():
        if slug in connector.spec.aliases:
            return connector
    raise UnknownConnector(slug)


def folder(slug: str) -> Path:
    """The connector's folder: its documents, fixtures and icon lie there."""
    module = importlib.import_module(get(slug).__module__)
    return Path(str(module.__file__)).parent


def setup_document(slug: str, language: str = "") -> str:
    """How the system is connected, in Markdown: in that language where the folder has it, else in English."""
    home = folder(slug)
    translated = home / f"SETUP.{language}.md"
    return (translated if translated.exists() else home / "SETUP.md").read_text(encoding="utf-8")


def sandbox_class(slug: str) -> type[Sandbox] | None:
    """The connector's stand-in, None when its folder has none."""
    package = get(slug).__module__.rpartition(".")[0]
    if importlib.util.find_spec(f"{package}.sandbox") is None:
        return None
    return importlib.import_module(f"{package}.sandbox").SANDBOX


def _scan() -> dict[str, type[Connector]]:
    names = sorted(m.name for m in pkgutil.iter_modules(connectors.__path__) if m.ispkg)
    found: dict[str, type[Connector]] = {}
    for name in names:
        if importlib.util.find_spec(f"connectors.{name}.connector") is None:
            continue
        connector = importlib.import_module(f"connectors.{name}.connector").CONNECTOR
        found[connector.spec.slug] = connector
    return found
