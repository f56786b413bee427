"""Writes the folder of a new connector: a copy of the template under another name, which works at once."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation import gettext as _

import connectors
from connectors.core import registry, template

LONGEST_NAME = 24
LONGEST_LABEL = 40
_TEMPLATE = Path(template.__file__).parent
_LEFT_OUT = {"__pycache__"}
_AS_THEY_ARE = {".mo"}


class NameRefused(ValueError):
    """No connector may be called so; the message says why."""


def write_connector(name: str, label: str = "", into: Path | None = None) -> Path:
    """Writes the folder `name` into a folder of connectors, ours by default; answers where it is.

    `label` is what people see, by default made of the name. Raises NameRefused, and OSError when it cannot be written.
    """
    home = into or Path(connectors.__file__).parent
    label = label.strip() or name.replace("_", " ").title()
    _check(name, home)
    _check_label(label)
    folder = home / name
    for source in _files(_TEMPLATE):
        target = folder / source.relative_to(_TEMPLATE)
        target.parent.mkdir(parents=True, exist_ok=True)
        content = source.read_bytes()
        if source.suffix not in _AS_THEY_ARE:
            content = _renamed(content.decode(), name, label).encode()
        target.write_bytes(content)
    return folder


def _check(name: str, home: Path) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name) or len(name) > LONGEST_NAME:
        raise NameRefused(
            _("A name is made of at most %(longest)s small Latin letters, digits and _, and begins with a letter.")
            % {"longest": LONGEST_NAME}
        )
    known = registry.all_connectors().values()
    taken = {other for connector in known for other in (connector.spec.slug, *connector.spec.aliases)}
    ours = [home, *map(Path, connectors.__path__)]
    if name in taken or any((folder / name).exists() or (folder / f"{name}.py").exists() for folder in ours):
        raise NameRefused(_("The name %(name)s is taken: choose another.") % {"name": name})


def _check_label(label: str) -> None:
    if len(label) > LONGEST_LABEL or not label.isprintable() or set(label) & set('"\\'):
        raise NameRefused(
            _("A label has at most %(longest)s characters, none of them a quotation mark or a backslash.")
            % {"longest": LONGEST_LABEL}
        )


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and _LEFT_OUT.isdisjoint(path.parts):
            yield path


def _renamed(text: str, name: str, label: str) -> str:
    """The template's text with the new names; its imports stay sorted."""
    class_name = "".join(part.capitalize() for part in name.split("_"))
    names = {
        "connectors.core.template": f"connectors.{name}",
        "Template CRM": label,
        "TEMPLATE": name.upper(),
        "Template": class_name,
        "template": name,
    }
    renamed = re.sub("|".join(map(re.escape, names)), lambda found: names[found[0]], text)
    return re.sub(r"(?:^from connectors\..*[^(\n]\n)+", _sorted_lines, renamed, flags=re.MULTILINE)


def _sorted_lines(block: re.Match[str]) -> str:
    return "".join(sorted(block[0].splitlines(keepends=True), key=lambda line: line.split()[1]))
