"""A hub of its own for the test: the product's commands over an embedded database in a scratch folder."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from connectors.n8n.tests.live.installed import ROOT


class Hub:
    """`settings` are environment variables, those of the first connection among them."""

    def __init__(self, home: Path, **settings: str) -> None:
        self._home = home
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "CRMSYNC_IGNORE_DOTENV": "1",
            "CRMSYNC_DATA_DIR": str(home),
            "DJANGO_SETTINGS_MODULE": "crmsync.settings",
            "ALLOW_PRIVATE_HOSTS": "127.0.0.1",
            "LOG_LEVEL": "WARNING",
            **settings,
        }

    def command(self, *command: str, statuses: tuple[int, ...] = (0,)) -> str:
        """What manage.py says. Raises RuntimeError for another exit status."""
        told = subprocess.run(
            [sys.executable, "manage.py", *command], cwd=ROOT, env=self._environment, capture_output=True, text=True
        )
        if told.returncode not in statuses:
            raise RuntimeError(f"manage.py {command[0]} ended with {told.returncode}: {told.stdout}{told.stderr}")
        return told.stdout

    def push(self, statuses: tuple[int, ...] = (0,)) -> dict[str, Any]:
        """The counters of a push of all that is due."""
        self.command("queue", "n8n", "--all")
        return json.loads(self.command("push", "n8n", "--json", statuses=statuses).splitlines()[-1])

    def import_people(self, people: list[dict[str, str]]) -> None:
        path = self._home / "people.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(people[0]))
            writer.writeheader()
            writer.writerows(people)
        self.command("import_contacts", str(path))
