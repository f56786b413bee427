"""Undoes what a push wrote into the remote system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext_noop as _

from connectors import services as connections
from connectors.core.metrics import Totals
from connectors.core.types import CONTACTS, Change, Op, Outcome, ReadMode, ReadQuery, RemoteRecord
from syncjobs.models import ContactSync, Run, RunItem, SyncSnapshot
from syncjobs.rules import jsonable, same
from syncjobs.undo_items import CHANGED_SINCE, GONE_SINCE, UNKNOWN_BEFORE, Reverted

NOT_READABLE = _(
    "What it holds cannot be read there, so nothing tells whether it has changed since; change it by hand."
)
NOT_DELETABLE = _("It was made by the run, and cannot be deleted from here: delete it there by hand.")


class RecordUndo:
    """Records that the run made are deleted where that is possible, others get their values from before.

    They are read first: one that no longer holds what the run wrote is somebody else's work by now.
    """

    def __init__(self, run: Run, totals: Totals) -> None:
        """Raises ApiError."""
        self._run = run
        self._connector = connections.open_connector(run.connection, recorder=totals)
        self._capabilities = self._connector.capabilities(CONTACTS)
        rules = run.connection.rules.filter(entity=CONTACTS)
        self._fields = list(dict.fromkeys(rules.values_list("theirs", flat=True)))

    def close(self) -> None:
        self._connector.close()

    def revert(self, items: Sequence[RunItem], *, dry_run: bool) -> list[Reverted]:
        held = self._read([item.external_id for item in items if item.external_id])
        reverted: list[Reverted] = []
        changes: dict[int, tuple[RunItem, Change]] = {}
        for item in items:
            refusal, change = self._planned(item, held.get(item.external_id))
            if change is None:
                reverted.append(Reverted.skipped(item, refusal))
            elif dry_run:
                reverted.append(_done(item))
            else:
                changes[item.pk] = (item, change)
        return reverted + self._written(changes)

    def _read(self, ids: Sequence[str]) -> Mapping[str, RemoteRecord]:
        if not ids or not self._capabilities.read:
            return {}
        query = ReadQuery(CONTACTS, ReadMode.IDS, ids=list(dict.fromkeys(ids)), fields=self._fields)
        return {record.id: record for page in self._connector.read(query) for record in page.records}

    def _planned(self, item: RunItem, record: RemoteRecord | None) -> tuple[str, Change | None]:
        """The change that takes the item back, else why there is none."""
        if record is None:
            return GONE_SINCE if self._capabilities.read else NOT_READABLE, None
        if item.action == RunItem.Action.CREATE:
            if not self._capabilities.delete:
                return NOT_DELETABLE, None
            return "", Change(item.pk, Op.DELETE, {}, external_id=record.id, version=record.version)
        if not item.changes:
            return UNKNOWN_BEFORE, None
        if not all(same(after, jsonable(record.values.get(name))) for name, (_b, after) in item.changes.items()):
            return CHANGED_SINCE, None
        values = {name: before for name, (before, _after) in item.changes.items()}
        every = {name: value for name, value in record.values.items() if name in self._fields} | values
        held = {name: after for name, (_before, after) in item.changes.items()}
        return "", Change(
            item.pk, Op.UPDATE, values, external_id=record.id, version=record.version, all_values=every, before=held
        )

    def _written(self, changes: Mapping[int, tuple[RunItem, Change]]) -> list[Reverted]:
        if not changes:
            return []
        self._connector.prepare(CONTACTS, self._fields)
        outcomes = list(self._connector.write(CONTACTS, [change for _item, change in changes.values()]))
        return [self._settled(changes[outcome.ref][0], outcome) for outcome in outcomes]

    def _settled(self, item: RunItem, outcome: Outcome) -> Reverted:
        if not outcome.ok:
            return Reverted.failed(item, outcome.error.message if outcome.error is not None else "")
        links = ContactSync.objects.filter(connection=self._run.connection, external_id=item.external_id)
        if item.action == RunItem.Action.CREATE:
            links.delete()
        else:
            for snapshot in SyncSnapshot.objects.filter(link__in=links):
                snapshot.values = snapshot.values | {name: pair[0] for name, pair in (item.changes or {}).items()}
                snapshot.save(update_fields=["values"])
        return _done(item)


def _done(item: RunItem) -> Reverted:
    return Reverted.deleted(item) if item.action == RunItem.Action.CREATE else Reverted.restored(item)
