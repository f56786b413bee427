"""How the stand-in finds fault with values that are written."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from connectors.bitrix24.entities import EMAIL, MULTIFIELDS
from connectors.bitrix24.sandbox_refusals import core

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")
_NUMBERS = ("integer", "double", "user", "employee", "enumeration")


def checked(name: str, value: Any, kind: str) -> None:
    """Raises Refused for a value that its field does not take."""
    if name in MULTIFIELDS:
        for row in value if isinstance(value, list) else ():
            if not isinstance(row, dict):
                raise core("A value of a list must have VALUE and VALUE_TYPE.")
            if name == EMAIL and row.get("VALUE") and not _EMAIL.fullmatch(str(row["VALUE"])):
                raise core(f"The e-mail address {row['VALUE']} is invalid.")
        return
    for one in value if isinstance(value, list) else [value]:
        if one not in (None, "") and not _fits(str(one), kind):
            raise core(f"The value of {name} is invalid.")


def _fits(text: str, kind: str) -> bool:
    try:
        if kind in _NUMBERS:
            float(text)
        elif kind in ("date", "datetime"):
            datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
