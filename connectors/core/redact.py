"""Takes what may be personal out of texts that others wrote, before they reach a log or an error."""

from __future__ import annotations

import re

_NO_ADDRESS = r"\s\"'<>,;:()\[\]{}"
# An address begins where a word does: tried at each letter of it, a long word would take the square of its length.
_PERSONAL = re.compile(rf"(?<![^{_NO_ADDRESS}@])[^{_NO_ADDRESS}@]+@[^{_NO_ADDRESS}]+|\+?\d[\d\s().-]{{5,}}\d")


def without_personal_data(text: str, longest: int = 200) -> str:
    """The text with e-mail addresses and long numbers replaced by "…", cut to `longest` characters."""
    return _PERSONAL.sub("…", text).strip()[:longest]
