"""What the remote's fields ask of a table: pure decisions, before anything is done to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from connectors.core.types import FieldSpec
from syncjobs.mirror.names import ID, column_of
from syncjobs.mirror.types import WIDENINGS, ColumnType, column_type, keeps_parts
from syncjobs.models import MirrorColumn, SchemaChange

Kind = SchemaChange.Kind


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: `column` is as it is to be, `before` and `after` say what changes."""

    kind: Kind
    column: MirrorColumn
    before: str = ""
    after: str = ""


@dataclass
class Steps:
    """What has to be done, and the columns whose labels or marks have to be stored anew beside it."""

    steps: list[Step] = field(default_factory=list)
    touched: list[MirrorColumn] = field(default_factory=list)


def id_type_of(specs: Iterable[FieldSpec]) -> str:
    """The type of the table's key: that of the field that is called id, text where there is none."""
    for spec in specs:
        if spec.key.lower() == ID and column_type(spec) is ColumnType.BIGINT:
            return ColumnType.BIGINT
    return ColumnType.TEXT


def decide(mirror_id: int, known: Sequence[MirrorColumn], specs: Sequence[FieldSpec]) -> Steps:
    """Compares the columns with the fields that the account has now. Removed fields keep theirs."""
    found = Steps()
    current = {c.key: c for c in known if not c.superseded}
    taken = {c.column for c in known}
    wanted = {spec.key[:255]: spec for spec in specs if spec.key.lower() != ID}
    for key, spec in wanted.items():
        column = current.get(key)
        if column is None:
            _add(found, mirror_id, spec, taken, Kind.ADDED)
            continue
        _follow(found, column, spec)
        _retype(found, column, spec, taken)
    for key, column in current.items():
        if key not in wanted and column.gone_at is None:
            found.steps.append(Step(Kind.REMOVED, column, column.label))
    return found


def park(mirror_id: int, column: MirrorColumn, type_: str, taken: set[str]) -> MirrorColumn:
    """A column for the field's new type beside the old one, which keeps its values."""
    name = column_of(f"{column.column}_{type_}", taken)
    return MirrorColumn(
        mirror_id=mirror_id,
        key=column.key,
        column=name,
        type=type_,
        label=column.label,
        remote_id=column.remote_id,
        as_it_came=column.as_it_came,
        has_options=column.has_options,
    )


def _add(found: Steps, mirror_id: int, spec: FieldSpec, taken: set[str], kind: Kind) -> None:
    name = column_of(spec.key, taken)
    taken.add(name)
    made = MirrorColumn(mirror_id=mirror_id, key=spec.key[:255], column=name, type=column_type(spec).value)
    _describe(made, spec)
    found.steps.append(Step(kind, made, after=made.type))


def _follow(found: Steps, column: MirrorColumn, spec: FieldSpec) -> None:
    """What is said about the field, and whether it is the same one."""
    was = (column.label, column.remote_id, column.as_it_came, column.has_options)
    _describe(column, spec)
    if column.gone_at is not None:
        found.steps.append(Step(Kind.RETURNED, column, after=column.label))
    elif was[1] and column.remote_id and was[1] != column.remote_id:
        found.steps.append(Step(Kind.REMADE, column, was[1], column.remote_id))
    if was[0] != column.label:
        found.steps.append(Step(Kind.RELABELLED, column, was[0], column.label))
    elif was[1:] != (column.remote_id, column.as_it_came, column.has_options):
        found.touched.append(column)


def _retype(found: Steps, column: MirrorColumn, spec: FieldSpec, taken: set[str]) -> None:
    type_ = column_type(spec).value
    if type_ == column.type or holds(column.type, type_, spec):
        return
    if (column.type, type_) in WIDENINGS:
        found.steps.append(Step(Kind.WIDENED, column, column.type, type_))
    else:
        found.steps.append(Step(Kind.PARKED, column, column.type, type_))


def holds(type_: str, wanted: str, spec: FieldSpec) -> bool:
    """Whether the column may stay as it is: the codes of a list that are numbers for now are texts as well."""
    return bool(spec.options) and type_ == ColumnType.TEXT and wanted == ColumnType.BIGINT


def _describe(column: MirrorColumn, spec: FieldSpec) -> None:
    column.label = spec.label.replace("\0", "")
    column.remote_id, column.as_it_came = spec.remote_id[:100] or column.remote_id, keeps_parts(spec)
    column.has_options = bool(spec.options)
