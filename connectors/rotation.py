"""Brings every stored secret under the first key of CREDENTIAL_KEYS, while the hub goes on working."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models.functions import Cast

from connectors.crypto import SecretUnreadable, decrypt, encrypt, key_of
from connectors.fields import EncryptedJSONField

BATCH = 200
# A row that changes under our hands is looked at again; each of its own saves encrypts it under the first key anyway.
_TRIES = 5


@dataclass(slots=True)
class Report:
    """How many secrets are under which key, counted from 0, and how many under none that is known.

    `rotated` of them were brought under the first key just now.
    """

    by_key: Counter[int] = field(default_factory=Counter)
    unreadable: int = 0
    rotated: int = 0

    @property
    def old(self) -> int:
        return self.by_key.total() - self.by_key[0]

    def note(self, key: int | None) -> None:
        if key is None:
            self.unreadable += 1
        else:
            self.by_key[key] += 1


def look() -> Report:
    """Counts, and changes nothing."""
    report = Report()
    for column in _columns():
        for batch in column.batches():
            for _pk, text in batch:
                report.note(key_of(text))
    return report


def rotate() -> Report:
    """Encrypts anew what is under an older key. May be stopped and started again at any time.

    Each secret is stored only if it is still the one that was read: a token that was renewed meanwhile stays.
    """
    report = Report()
    for column in _columns():
        for batch in column.batches():
            for pk, text in batch:
                _rotate_one(column, pk, text, report)
    return report


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of secrets, read and written as the encrypted text that it holds."""

    model: type[models.Model]
    name: str

    def rows(self) -> models.QuerySet[Any]:
        return self.model._base_manager.annotate(text=Cast(self.name, models.TextField()))

    def batches(self) -> Iterator[list[tuple[Any, str]]]:
        rows = self.rows().exclude(text="").order_by("pk").values_list("pk", "text")
        batch = list(rows[:BATCH])
        while batch:
            yield batch
            batch = list(rows.filter(pk__gt=batch[-1][0])[:BATCH])

    def read(self, pk: Any) -> str:
        return self.rows().filter(pk=pk).values_list("text", flat=True).first() or ""

    def replace(self, pk: Any, was: str, now: str) -> bool:
        """Whether the row still held what was read, and holds the new text now."""
        text = models.Value(now, models.TextField())
        return self.rows().filter(pk=pk, text=was).update(**{self.name: text}) == 1


def _rotate_one(column: _Column, pk: Any, text: str, report: Report) -> None:
    key = key_of(text)
    for _ in range(_TRIES):
        if not text or not key:
            break
        try:
            renewed = encrypt(decrypt(text))
        except SecretUnreadable:
            break
        if column.replace(pk, text, renewed):
            report.rotated += 1
            key = 0
            break
        text = column.read(pk)
        key = key_of(text)
    if text:
        report.note(key)


def _columns() -> list[_Column]:
    """Every column of every model that holds secrets: a new one is rotated by being there."""
    return [
        _Column(model, one.name)
        for model in apps.get_models()
        for one in model._meta.concrete_fields
        if isinstance(one, EncryptedJSONField)
    ]
