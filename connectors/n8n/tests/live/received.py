"""What a workflow has received, out of n8n's own database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

TABLE = "crmsync_contacts"
WORK = "Put your own nodes here"


def contacts(database: Path) -> list[dict[str, Any]]:
    """The rows of the workflow's data table."""
    with closing(_open(database)) as n8n:
        (number,) = n8n.execute("SELECT id FROM data_table WHERE name = ?", [TABLE]).fetchone()
        return [dict(row) for row in n8n.execute(f'SELECT * FROM "data_table_user_{number}"')]


def statuses(database: Path) -> list[str]:
    with closing(_open(database)) as n8n:
        return [row["status"] for row in n8n.execute("SELECT status FROM execution_entity ORDER BY id")]


def worked_on(database: Path) -> list[str]:
    """The delivery ids of all contacts that came as far as the customer's own nodes, once for each time."""
    found = []
    for run in _runs(database):
        for step in run.get(WORK, []):
            outputs = (step.get("data") or {}).get("main") or []
            found += [item["json"].get("delivery_id", "") for items in outputs for item in items or []]
    return found


def bodies(database: Path) -> list[list[dict[str, Any]]]:
    """The bodies of all requests, in order."""
    steps = (run["Webhook"][0] for run in _runs(database) if run.get("Webhook"))
    return [step["data"]["main"][0][0]["json"]["body"] for step in steps]


def _runs(database: Path) -> Iterator[dict[str, Any]]:
    with closing(_open(database)) as n8n:
        for row in n8n.execute("SELECT data FROM execution_data ORDER BY executionId"):
            yield _unflattened(json.loads(row["data"]))["resultData"].get("runData") or {}


def _unflattened(parts: list[Any]) -> Any:
    """n8n stores a value as a list of its parts, in which texts inside the parts are the numbers of other parts."""
    made: dict[int, Any] = {}

    def part(number: int) -> Any:
        if number not in made:
            value = parts[number]
            if isinstance(value, dict):
                made[number] = tree = {}
                tree.update({k: part(int(v)) if isinstance(v, str) else v for k, v in value.items()})
            elif isinstance(value, list):
                made[number] = row = []
                row.extend(part(int(v)) if isinstance(v, str) else v for v in value)
            else:
                made[number] = value
        return made[number]

    return part(0)


def _open(database: Path) -> sqlite3.Connection:
    opened = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    opened.row_factory = sqlite3.Row
    return opened
