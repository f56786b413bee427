"""The house: who may import whom beyond what import-linter checks, and no system's name outside its folder."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from connectors.core import registry
from connectors.core.types import Auth

ROOT = Path(settings.BASE_DIR)
APPS = ("crmsync", "contacts", "connectors", "syncjobs", "templates")
# Systems to come are named too, so that none of them slips in early.
SYSTEMS = sorted({*registry.all_connectors(), "brevo", "hubspot", "mautic", "n8n", "amocrm", "bitrix24", "ident"})


# The framework's own word for whoever calls, which is a system's name too.
WORDS = {("crmsync/throttles.py", "ident")}


def sources(*suffixes: str) -> Iterator[Path]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*")):
            if path.suffix in suffixes and "__pycache__" not in path.parts and "tests" not in path.parts:
                yield path


def owner(path: Path) -> str:
    """The connector whose folder a file lies in, "" for all others."""
    parts = path.relative_to(ROOT).parts
    is_connector = (
        len(parts) > 2 and parts[0] == "connectors" and (ROOT / "connectors" / parts[1] / "connector.py").exists()
    )
    return parts[1] if is_connector else ""


def code_of(path: Path) -> str:
    """A module without its comments and docstrings, which may give examples."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value.value = ""
    return ast.unparse(tree)


def test_no_system_is_named_outside_its_folder() -> None:
    found = []
    for path in sources(".py", ".html"):
        if owner(path) or "compat" in path.parts:
            continue
        text = code_of(path) if path.suffix == ".py" else path.read_text()
        here = str(path.relative_to(ROOT))
        named = [name for name in SYSTEMS if re.search(rf"\b{name}\b", text, re.IGNORECASE)]
        found += [f"{here}: {name}" for name in named if (here, name) not in WORDS]
    assert found == []


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


# Where a system is reached through Django's database layer, that layer is the connector's driver: it may be imported by
# the modules that speak to the database, and nothing else of Django may.
DRIVER = re.compile(r"django\.(db(\.backends\..+|\.utils)?|core\.exceptions)$")
DRIVEN = {"database.py", "sandbox.py", "readonly"}


@pytest.mark.parametrize("slug", registry.all_connectors())
def test_a_connector_imports_the_base_and_itself_only(slug: str) -> None:
    ours = re.compile(rf"(connectors\.core|connectors\.{slug})(\.|$)")
    folder = ROOT / "connectors" / slug
    speaks_sql = registry.get(slug).spec.auth is Auth.DSN
    found = []
    for path in (p for p in folder.rglob("*.py") if "tests" not in p.parts):
        driven = speaks_sql and path.relative_to(folder).parts[0] in DRIVEN
        found += [
            f"{path.name}: {name}"
            for name in imports(path)
            if name.split(".")[0] in ("connectors", "contacts", "syncjobs", "crmsync", "django", "rest_framework")
            and not ours.match(name)
            and not (driven and DRIVER.match(name))
        ]
    assert found == []


def test_syncjobs_reaches_connectors_through_base_and_services_only() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources(".py")
        if path.relative_to(ROOT).parts[0] in ("syncjobs", "contacts", "crmsync")
        for name in imports(path)
        if any(name.startswith(f"connectors.{slug}") for slug in registry.all_connectors())
    ]
    assert found == []


def test_modules_stay_small() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in sources(".py")
        if "migrations" not in path.parts and (count := len(path.read_text().splitlines())) > 300
    }
    assert long == {}
