"""The two statuses of a link, the pairs that may occur, and the one table of transitions."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _


class SyncStatus(models.TextChoices):
    """What was decided about the pair."""

    SELECTED = "Selected", _("Selected")
    QUEUED = "Queued", _("Queued")
    PROCESSING = "Processing", _("Processing")
    COMPLETE = "Complete", _("Complete")
    ERROR = "Error", _("Error")
    SKIPPED = "Skipped", _("Skipped")


class ProcessingStatus(models.TextChoices):
    """What the system is doing about it."""

    QUEUED = "Queued", _("Queued")
    PROCESSING = "Processing", _("Processing")
    COMPLETE = "Complete", _("Complete")
    ERROR = "Error", _("Error")


@dataclass(frozen=True, slots=True)
class Pair:
    sync: str
    processing: str | None


SELECTED = Pair(SyncStatus.SELECTED.value, None)
QUEUED = Pair(SyncStatus.QUEUED.value, ProcessingStatus.QUEUED.value)
PROCESSING = Pair(SyncStatus.PROCESSING.value, ProcessingStatus.PROCESSING.value)
COMPLETE = Pair(SyncStatus.COMPLETE.value, ProcessingStatus.COMPLETE.value)
ERROR = Pair(SyncStatus.ERROR.value, ProcessingStatus.ERROR.value)
SKIPPED = Pair(SyncStatus.SKIPPED.value, None)

LEGAL_PAIRS = (SELECTED, QUEUED, PROCESSING, COMPLETE, ERROR, SKIPPED)


@dataclass(frozen=True, slots=True)
class Transition:
    """From any of `sources` to `target`; statements that carry it out take both from here."""

    sources: tuple[Pair, ...]
    target: Pair


ENQUEUE = Transition((SELECTED, QUEUED, COMPLETE, ERROR, SKIPPED), QUEUED)
CLAIM = Transition((QUEUED, ERROR), PROCESSING)
RELEASE = Transition((PROCESSING,), QUEUED)
SUCCEED = Transition((PROCESSING,), COMPLETE)
FAIL = Transition((PROCESSING,), ERROR)
SKIP = Transition((SELECTED, QUEUED, COMPLETE, ERROR), SKIPPED)
SKIP_IN_FLIGHT = Transition((PROCESSING,), SKIPPED)
RETRY = Transition((ERROR,), QUEUED)


def in_sql(pairs: tuple[Pair, ...], column: str = "sync_status") -> str:
    """`column IN ('Queued', …)`: the sync status alone tells the pairs apart."""
    return f"{column} IN ({', '.join(repr(p.sync) for p in pairs)})"


def set_sql(pair: Pair) -> str:
    """`sync_status = 'Queued', processing_status = 'Queued'`."""
    processing = "NULL" if pair.processing is None else f"'{pair.processing}'"
    return f"sync_status = '{pair.sync}', processing_status = {processing}"
