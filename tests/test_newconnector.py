"""`manage.py newconnector`: the folder it writes passes the same checks as our own."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

import connectors
from connectors import scaffolding
from connectors.core import registry
from crmsync.environment import BASE_DIR
from tests.plugins.toy import LABEL, dropped_in
from tests.test_translations import entries

# Before and after connectors.core in the order of imports; as short and as long as names may be.
NAMES = ["acme", "zeta_crm", "x", "n" * scaffolding.LONGEST_NAME]


def checked(command: list[str], folder: Path) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder of connectors beside our settings of the checks, with our core in it."""
    package = tmp_path / "connectors"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "core").symlink_to(BASE_DIR / "connectors" / "core")
    shutil.copy(BASE_DIR / "pyproject.toml", tmp_path)
    return package


@pytest.mark.parametrize("name", NAMES)
def test_the_folder_is_formatted_and_lint_free(name: str, house: Path) -> None:
    folder = scaffolding.write_connector(name, "L" * scaffolding.LONGEST_LABEL, house)
    checked(["ruff", "check", "--no-cache", str(folder)], house.parent)
    checked(["ruff", "format", "--no-cache", "--check", str(folder)], house.parent)


@pytest.mark.slow
def test_its_types_are_whole(house: Path) -> None:
    """Without Django's plugin, which a connector has no use for."""
    scaffolding.write_connector("acme", into=house)
    options = ["--strict", "--disable-error-code=type-arg", "--disable-error-code=import-untyped", "--config-file="]
    checked(["mypy", *options, "connectors/acme"], house.parent)


def test_its_own_tests_pass() -> None:
    with dropped_in():
        tests = importlib.import_module("connectors.toy.tests.test_connector")
        found = [test for name, test in vars(tests).items() if name.startswith("test_")]
        assert found
        for test in found:
            test()


def test_nothing_of_the_template_is_left_in_it() -> None:
    with dropped_in():
        folder = registry.folder("toy")
        texts = {
            path: path.read_text()
            for path in folder.rglob("*")
            if path.suffix not in (".mo", ".pyc") and path.is_file()
        }
        assert [path for path, text in texts.items() if "template" in text.lower()] == []
        assert registry.get("toy").spec.label == LABEL
        assert {path.name for path in scaffolding._TEMPLATE.iterdir()} - {"__pycache__"} <= {
            p.name for p in folder.iterdir()
        }


def test_its_words_have_their_russian() -> None:
    with dropped_in():
        connector = registry.get("toy")
        known = entries(registry.folder("toy") / "locale" / "ru" / "LC_MESSAGES" / "django.po")
        words = {word for field in connector.spec.config for word in (field.label, field.help)}
        assert words - {""} <= set(known)


@pytest.mark.parametrize(
    "name", ["Acme", "9lives", "a-b", "class", "", "../x", "n" * 25, "core", "services", "toy", "имя"]
)
def test_bad_and_taken_names_are_refused(name: str, tmp_path: Path) -> None:
    with dropped_in(), pytest.raises(CommandError) as raised:
        call_command("newconnector", name, into=tmp_path)
    assert raised.value.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_names_of_our_connectors_and_their_other_names_are_taken(tmp_path: Path) -> None:
    for slug, connector in registry.all_connectors().items():
        for name in (slug, *connector.spec.aliases):
            with pytest.raises(scaffolding.NameRefused):
                scaffolding.write_connector(name, into=tmp_path)


@pytest.mark.parametrize("label", ['A "quoted" one', "two\nlines", "back\\slash", "L" * 41])
def test_a_label_that_code_cannot_hold_is_refused(label: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError):
        call_command("newconnector", "acme", label=label, into=tmp_path)


def test_it_says_where_the_folder_is_and_what_comes_next(tmp_path: Path) -> None:
    said = StringIO()
    call_command("newconnector", "acme_two", into=tmp_path, stdout=said)
    assert str(tmp_path / "acme_two") in said.getvalue()
    assert "docs/en/connectors.md" in said.getvalue()
    assert (BASE_DIR / "docs" / "en" / "connectors.md").exists()


def test_without_more_it_lies_beside_our_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(connectors, "__file__", str(tmp_path / "__init__.py"))
    call_command("newconnector", "acme", verbosity=0)
    assert (tmp_path / "acme" / "connector.py").exists()


def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="cannot be written") as raised:
        call_command("newconnector", "acme", into=tmp_path / "file")
    assert raised.value.returncode == 2
