"""Takes what may be personal out of texts that others wrote, before they reach a log or an error."""

from __future__ import annotations

import re

_PERSONAL = re.compile(r"[^\s@\"'<>,;:()\[\]{}]+@[^\s\"'<>,;:()\[\]{}]+|\+?\d[\d\s().-]{5,}\d")


def without_personal_data(text: str, longest: int = 200) -> str:
    """The text with e-mail addresses and long numbers replaced by "…", cut to `longest` characters."""
    return _PERSONAL.sub("…", text).strip()[:longest]
