"""What both read-only engines refuse: writing statements, batches, procedures, schema changes, test databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from django.db import NotSupportedError
from django.db.backends.utils import CursorWrapper

from connectors.ident.readonly.guard import NotReading, require_reading

# A driver's cursor has more: bulk copies and procedures among it.
_PASSED_ON = {"description", "rowcount", "fetchone", "fetchmany", "fetchall", "nextset", "arraysize", "close"}
REFUSAL = "This database is only read: {what} is refused."


def refuse(what: str) -> NoReturn:
    raise NotSupportedError(REFUSAL.format(what=what))


class ReadOnlyCursor(CursorWrapper):
    """A cursor with `execute` of reading statements, and fetching."""

    def __getattr__(self, name: str) -> Any:
        if name not in _PASSED_ON:
            refuse(f"cursor.{name}")
        return super().__getattr__(name)

    def callproc(self, procname: str, params: Any = None, kparams: Any = None) -> NoReturn:
        refuse("calling a procedure")


def reading_only(brackets: bool) -> Callable[..., Any]:
    """An execute wrapper that lets nothing but reading statements through."""

    def wrapper(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        if many:
            refuse("executemany")
        try:
            require_reading(str(sql), brackets=brackets)
        except NotReading as e:
            raise NotSupportedError(str(e)) from None
        return execute(sql, params, many, context)

    return wrapper


class RefusingSchemaEditor:
    """Stands where a schema editor is made: migrations end here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        refuse("changing tables")


class RefusingCreation:
    """Mixin for a backend's creation class: a test run neither makes nor drops a database here."""

    def create_test_db(self, *args: Any, **kwargs: Any) -> NoReturn:
        refuse("a test database")

    def clone_test_db(self, *args: Any, **kwargs: Any) -> NoReturn:
        refuse("a test database")

    def destroy_test_db(self, *args: Any, **kwargs: Any) -> NoReturn:
        refuse("dropping a database")


class ReadOnlyWrapper:
    """Mixin for a backend's DatabaseWrapper. `brackets`: whether the system writes names as [x]."""

    SchemaEditorClass = RefusingSchemaEditor
    brackets = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute_wrappers: list[Any] = [reading_only(self.brackets)]

    def make_cursor(self, cursor: Any) -> ReadOnlyCursor:
        return ReadOnlyCursor(cursor, self)

    def make_debug_cursor(self, cursor: Any) -> ReadOnlyCursor:
        """The same: a debug log of statements would keep what patients are asked for."""
        return ReadOnlyCursor(cursor, self)
