"""The history of visits as one text: the same visits always make the same text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

STATUSES = {
    "scheduled": "запланирован",
    "arrived": "пациент пришёл",
    "done": "завершён",
    "cancelled": "отменён",
}
Visit = tuple[datetime, str, str]


def grouped(rows: Iterable[Sequence[Any]]) -> dict[int, list[Visit]]:
    """Rows of (patient, start, doctor, status), newest first, by patient."""
    found: dict[int, list[Visit]] = defaultdict(list)
    for patient, starts_at, doctor, status in rows:
        found[int(patient)].append((starts_at, str(doctor or ""), str(status or "")))
    return found


def history(visits: Iterable[Visit], limit: int) -> str:
    """A line a visit, as many whole lines as `limit` characters hold; a first line that is longer is cut."""
    lines: list[str] = []
    length = 0
    for visit in visits:
        line = _line(*visit)
        if lines and length + 1 + len(line) > limit:
            break
        lines.append(line[:limit].rstrip())
        length += len(line) + (len(lines) > 1)
        if length >= limit:
            break
    return "\n".join(lines)


def _line(starts_at: datetime, doctor: str, status: str) -> str:
    told = STATUSES.get(status.strip().lower(), status.strip())
    parts = [f"{starts_at:%d.%m.%Y %H:%M}", told, " ".join(doctor.split())]
    return ", ".join(part for part in parts if part)
