"""Cleaning of text that comes from outside. Free of Django."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Joiners are format characters too, but they belong to emoji and to the spelling of several scripts.
_KEPT = frozenset("\u200c\u200d")


def squeeze(text: str) -> str:
    """NFC, runs of white space as one space, no control, invisible or unassigned characters, no edges.

    >>> squeeze("  Анна\\t\\x00 Петрова\\n")
    'Анна Петрова'
    """
    text = " ".join(text.split())
    if text.isascii() and text.isprintable():
        return text
    text = unicodedata.normalize("NFC", text)
    if not text.isprintable():
        text = "".join(
            letter for letter in text if letter in _KEPT or unicodedata.category(letter) not in _DROPPED_CATEGORIES
        )
    return " ".join(text.split())


@lru_cache(maxsize=16_384)
def name_key(*parts: str) -> str:
    """A full name for comparing: case, order of the words, ё and punctuation at word ends do not matter.

    >>> name_key("Пётр", "Иванов") == name_key("иванов", "ПЕТР")
    True
    """
    words = [word.strip(".,;'\"") for word in " ".join(parts).casefold().replace("ё", "е").split()]
    words.sort()
    return " ".join(words).strip()
