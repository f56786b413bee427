"""Named changes of a value on its way through a field rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

TRANSFORMS: Mapping[str, Callable[[Any], Any]] = {
    "text": str,
    "upper": lambda value: str(value).upper(),
    "lower": lambda value: str(value).lower(),
    "digits": lambda value: "".join(c for c in str(value) if c.isdigit()),
    "year": lambda value: getattr(value, "year", None),
}

LABELS: Mapping[str, str | Promise] = {
    "text": _("as text"),
    "upper": _("CAPITAL LETTERS"),
    "lower": _("small letters"),
    "digits": _("digits only"),
    "year": _("the year of a date"),
}
