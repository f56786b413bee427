"""Every text has its Russian, and what is compiled is what is written. Needs none of gettext's programs."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.translation.template import templatize

from connectors.core import registry
from crmsync.environment import BASE_DIR

CATALOGUES = [Path(folder) / "ru" / "LC_MESSAGES" / "django.po" for folder in settings.LOCALE_PATHS]
APPS = ("crmsync", "contacts", "connectors", "syncjobs")
SINGLE = {"_", "gettext", "gettext_lazy", "gettext_noop"}
PLURAL = {"ngettext", "ngettext_lazy"}
CONTEXT = {"pgettext", "pgettext_lazy"}
_STRING = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'


def entries(path: Path) -> dict[str, list[str]]:
    """Identifiers as they are compiled ("context\\x04text") with their translations, the header left out."""
    found = {}
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
        name = re.search(rf"^msgid {_STRING}", block, re.M)
        text = _joined(name[1]) if name else ""
        if text:
            context = re.search(rf"^msgctxt {_STRING}", block, re.M)
            key = f"{_joined(context[1])}\x04{text}" if context else text
            found[key] = [_joined(one) for one in re.findall(rf"^msgstr(?:\[\d\])? {_STRING}", block, re.M)]
    return found


def _joined(quoted: str) -> str:
    return "".join(ast.literal_eval(part) for part in re.findall(r'"(?:[^"\\]|\\.)*"', quoted))


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-5])
def test_no_translation_is_empty_or_a_guess(path: Path) -> None:
    assert "#, fuzzy" not in path.read_text(encoding="utf-8")
    written = entries(path)
    assert written
    assert [text for text, translations in written.items() if not all(translations)] == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-5])
def test_what_is_compiled_is_what_is_written(path: Path) -> None:
    with path.with_suffix(".mo").open("rb") as file:
        held: dict = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    compiled: dict[str, list[str]] = {}
    for key in sorted(held, key=str):
        compiled.setdefault(key[0] if isinstance(key, tuple) else key, []).append(held[key])
    compiled.pop("")
    assert compiled == entries(path)


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-5])
def test_placeholders_survive(path: Path) -> None:
    def placeholders(text: str) -> set[str]:
        return set(re.findall(r"%\(\w+\)[sd]|\{\w*\}", text))

    for text, translations in entries(path).items():
        assert all(placeholders(one) == placeholders(text) for one in translations), text


def test_every_text_of_the_source_is_in_the_catalogue() -> None:
    known = entries(CATALOGUES[0])
    missing = [(path, text) for path, text in texts() if text not in known]
    assert missing == []


def test_every_word_of_a_connector_has_its_russian() -> None:
    for slug, connector in registry.all_connectors().items():
        known = entries(BASE_DIR / "connectors" / slug / "locale" / "ru" / "LC_MESSAGES" / "django.po")
        words = {word for f in connector.spec.config for word in (f.label, f.help, *(text for _, text in f.choices))}
        assert words - {""} <= set(known), slug


def texts() -> Iterator[tuple[str, str]]:
    """(file, identifier) of every text that is marked for translation in our code and templates."""
    for app in APPS:
        for path in sorted((BASE_DIR / app).rglob("*.py")):
            yield from ((path.name, text) for text in marked(path.read_text(encoding="utf-8")))
    for path in sorted((BASE_DIR / "templates").rglob("*.html")):
        source = templatize(path.read_text(encoding="utf-8"))
        for call in re.findall(r"""gettext\((u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))\)""", source):
            yield path.name, ast.literal_eval(call)
        for call in re.findall(r"""\b_\(("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\)""", source):
            yield path.name, ast.literal_eval(call)


def marked(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        given = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        if name in SINGLE | PLURAL and given:
            yield str(given[0])
        elif name in CONTEXT and len(given) == 2:
            yield f"{given[0]}\x04{given[1]}"
