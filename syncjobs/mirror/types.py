"""Which type of column holds a field's values without loss, and which type may take the place of which."""

from __future__ import annotations

from enum import StrEnum

from connectors.core.types import FieldSpec, FieldType


class ColumnType(StrEnum):
    TEXT = "text"
    BIGINT = "bigint"
    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMPTZ = "timestamptz"
    JSONB = "jsonb"


_SINGLE: dict[FieldType, ColumnType] = {
    FieldType.TEXT: ColumnType.TEXT,
    FieldType.INTEGER: ColumnType.BIGINT,
    FieldType.NUMBER: ColumnType.NUMERIC,
    FieldType.BOOLEAN: ColumnType.BOOLEAN,
    FieldType.DATE: ColumnType.DATE,
    FieldType.DATETIME: ColumnType.TIMESTAMPTZ,
    FieldType.CHOICE: ColumnType.TEXT,
}
# Lists whose members have parts of their own in the remote system.
_WITH_PARTS = (FieldType.EMAILS, FieldType.PHONES, FieldType.JSON)

# Old type → new type → how the values are carried over, {0} standing for the column.
WIDENINGS: dict[tuple[str, str], str] = {
    (ColumnType.BIGINT, ColumnType.NUMERIC): "{0}::numeric",
    **{
        (old, ColumnType.TEXT): "{0}::text"
        for old in (ColumnType.BIGINT, ColumnType.NUMERIC, ColumnType.BOOLEAN, ColumnType.DATE)
    },
    # As ISO 8601 in UTC: the text of a moment otherwise depends on the session.
    (ColumnType.TIMESTAMPTZ, ColumnType.TEXT): "to_json({0} AT TIME ZONE 'UTC') #>> '{{}}' || 'Z'",
    **{
        (old, ColumnType.JSONB): "CASE WHEN {0} IS NOT NULL THEN jsonb_build_array({0}) END"
        for old in ColumnType
        if old is not ColumnType.JSONB
    },
}


def column_type(spec: FieldSpec) -> ColumnType:
    """The type of a field's column. Codes of a list that are all whole numbers are stored as such."""
    if spec.multiple or spec.type in (*_WITH_PARTS, FieldType.CHOICES):
        return ColumnType.JSONB
    if spec.type is FieldType.CHOICE and spec.options and all(_is_whole(value) for value, _label in spec.options):
        return ColumnType.BIGINT
    return _SINGLE[spec.type]


def keeps_parts(spec: FieldSpec) -> bool:
    """Whether the remote's own form says more than the decoded value does."""
    return spec.type in _WITH_PARTS


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and str(int(text)) == text and int(text) < 2**63
