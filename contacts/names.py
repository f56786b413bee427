"""Splits a full name into its parts: English and Russian habits. Free of Django."""

from __future__ import annotations

import re

from contacts.text import squeeze

_PATRONYMIC = re.compile(
    r".+(?:ович|евич|ьич|овна|евна|ична|инична|ovich|evich|ovna|evna|ichna)|ильич|кузьмич|фомич|лукич|никитич", re.I
)
_PATRONYMIC_WORDS = frozenset({"оглы", "кызы", "ogly", "kyzy", "oglu", "qizi"})
_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv", "phd", "md", "esq"})


def split_name(full: str, *, family_first: bool = False) -> tuple[str, str, str]:
    """(first, last, middle) of a full name. A patronymic tells the order; else `family_first` does.

    >>> split_name("Иванов Иван Петрович"), split_name("Martin Luther King Jr.")
    (('Иван', 'Иванов', 'Петрович'), ('Martin', 'King Jr.', 'Luther'))
    """
    full = squeeze(full)
    family, comma, given = full.partition(",")
    if comma and given.strip() and given.strip(" .").lower() not in _SUFFIXES:
        words = given.split()
        return words[0], family.strip(), " ".join(words[1:])
    words = full.replace(",", " ").split()
    suffix = ""
    if len(words) > 2 and words[-1].strip(".").lower() in _SUFFIXES:
        suffix = " " + words.pop()
    if len(words) > 3 and words[-1].lower() in _PATRONYMIC_WORDS:
        words[-2:] = [" ".join(words[-2:])]
        return words[1], words[0], words[2]
    if len(words) == 3 and _PATRONYMIC.fullmatch(words[2]):
        return words[1], words[0], words[2]
    if len(words) == 3 and _PATRONYMIC.fullmatch(words[1]):
        return words[0], words[2], words[1]
    if len(words) < 2:
        return full, "", ""
    if family_first:
        return words[1], words[0] + suffix, " ".join(words[2:])
    return words[0], words[-1] + suffix, " ".join(words[1:-1])
