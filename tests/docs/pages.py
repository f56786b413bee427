"""What README.md and docs/ show: their fenced blocks, and the names and links in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
README = ROOT / "README.md"
LANGUAGES = ("en", "ru")
# In the order in which a newcomer reads them: what one page makes, a later one may use.
ORDER = (
    "first-steps",
    "connecting",
    "contacts",
    "routes",
    "mirror",
    "api",
    "operation",
    "security",
    "troubleshooting",
    "connectors",
)

_FENCE = re.compile(r"(?:^<!-- not run: (?P<reason>.+?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; `reason` is why its commands cannot be run by a test ("": they are run)."""

    page: Path
    line: int
    language: str
    text: str
    reason: str

    @property
    def commands(self) -> str:
        """The text without comments, so that translations can be compared."""
        lines = (re.sub(r"(^|\s)#\s.*$", "", line).rstrip() for line in self.text.splitlines())
        return "\n".join(line for line in lines if line)


def pages() -> list[Path]:
    return [README, *sorted((ROOT / "docs").glob("*/*.md"))]


def page(language: str, name: str) -> Path:
    return ROOT / "docs" / language / f"{name}.md"


def blocks(path: Path) -> Iterator[Block]:
    text = path.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start("text")) + 1
        yield Block(path, line, found["language"], found["text"], found["reason"] or "")


def shell(path: Path) -> list[Block]:
    return [block for block in blocks(path) if block.language == "sh"]
