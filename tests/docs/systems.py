"""README's table of systems, as the connectors' specs say it: python -m tests.docs.systems prints it."""

from __future__ import annotations

import sys

from connectors.core import registry
from connectors.core.types import CONTACTS


def rows() -> list[str]:
    """One line of Markdown per system, by label."""
    found = []
    for slug, connector in registry.all_connectors().items():
        can = connector.spec.entities[CONTACTS]
        marks = [can.read, can.write, can.read and can.write, connector.webhooks is not None]
        size = str(can.write_batch) if can.write else "–"
        cells = [connector.spec.label, *("✓" if mark else "–" for mark in marks), size]
        found.append(f"| {' | '.join(cells)} | [page](connectors/{slug}/SETUP.md) |")
    return sorted(found, key=str.casefold)


if __name__ == "__main__":
    sys.stdout.write("\n".join(rows()) + "\n")
