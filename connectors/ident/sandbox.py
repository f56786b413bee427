"""The stand-in: the clinic's three views in a schema of the hub's own PostgreSQL, and what a clinic does all day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from connectors.core.clock import Clock
from connectors.core.sandbox import Sandbox
from connectors.ident import sandbox_people as people
from connectors.ident import sandbox_tables as tables

PATIENTS = 120
ZONE = "Europe/Moscow"


class IdentSandbox(Sandbox):
    """Writes through the hub's own connection; the connector reads it back through a read-only one of its own."""

    slug = "ident"
    key_field = "card_number"
    speaks_http = False

    def __init__(self, clock: Clock | None = None, *, enforce_limits: bool = True) -> None:
        super().__init__(clock, enforce_limits=enforce_limits)
        self._made = False

    def config(self, base_url: str) -> dict[str, Any]:
        return {"database_url": own_database(), "schema": tables.SCHEMA, "time_zone": ZONE}

    def open(self) -> str:
        self.make()
        if not self._rows(f"SELECT 1 FROM {tables.SCHEMA}.patient LIMIT 1"):
            self.fill(PATIENTS)
        return f"the schema {tables.SCHEMA} of the hub's own database"

    def make(self) -> None:
        """The schema, where it is not there yet."""
        if not self._made:
            self._run(tables.CREATE)
            self._made = True

    def reset(self) -> None:
        self.make()
        self._run(tables.EMPTY)

    def fill(self, count: int) -> None:
        """`count` made-up patients behind those there are, with their visits and payments."""
        self.make()
        first = self._next_id()
        today, numbers = self.now().date(), range(first, first + count)
        long_ago = self.now() - timedelta(days=1)
        self._copy("patient", people.PATIENT_COLUMNS, (people.patient(n, long_ago) for n in numbers))
        visits = (row for n in numbers for row in people.receptions(n, today))
        self._copy("reception", people.RECEPTION_COLUMNS, visits)
        self._copy("payment", people.PAYMENT_COLUMNS, (row for n in numbers for row in people.payments(n, today)))

    def now(self) -> datetime:
        """The clinic's naive time."""
        return self.clock.now().astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)

    # --- What the clinic does

    def add_patient(self, **columns: Any) -> int:
        """A new card; answers the patient's id."""
        self.make()
        values = {"id": self._next_id(), "changed_at": self.now(), **columns}
        names = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        self._run(f"INSERT INTO {tables.SCHEMA}.patient ({names}) VALUES ({marks})", list(values.values()))
        return int(values["id"])

    def edit_patient(self, patient_id: int, **columns: Any) -> None:
        values = {"changed_at": self.now(), **columns}
        pairs = ", ".join(f"{name} = %s" for name in values)
        self._run(f"UPDATE {tables.SCHEMA}.patient SET {pairs} WHERE id = %s", [*values.values(), patient_id])

    def add_visit(
        self,
        patient_id: int,
        starts_at: datetime,
        *,
        status: str = "done",
        doctor: str = "",
        changed_at: datetime | None = None,
    ) -> None:
        """A visit; the patient's own row stays as it is."""
        self._copy(
            "reception",
            people.RECEPTION_COLUMNS,
            [(patient_id, starts_at, starts_at + timedelta(minutes=40), doctor, status, changed_at or self.now())],
        )

    def add_payment(self, patient_id: int, amount: Decimal = Decimal(0), *, debt: Decimal = Decimal(0)) -> None:
        """Money paid, or still owed; the patient's own row stays as it is."""
        self._copy("payment", people.PAYMENT_COLUMNS, [(patient_id, amount, debt, self.now())])

    def merge_patients(self, kept: int, gone: int) -> None:
        """Two cards of one person become one: the second one's row vanishes, its visits and payments move."""
        for table in ("reception", "payment"):
            self._run(f"UPDATE {tables.SCHEMA}.{table} SET patient_id = %s WHERE patient_id = %s", [kept, gone])
        self._run(f"DELETE FROM {tables.SCHEMA}.patient WHERE id = %s", [gone])

    def archive_patient(self, patient_id: int, reason: str = people.REASONS[0]) -> None:
        self.edit_patient(patient_id, archive_reason=reason)

    def have_birthday(self, patient_id: int, years: int) -> None:
        """Today the patient is `years` old, and nobody touches the card."""
        today = self.now().date()
        born = date(today.year - years, today.month, min(today.day, 28))
        self._run(f"UPDATE {tables.SCHEMA}.patient SET birth_date = %s WHERE id = %s", [born, patient_id])

    # --- What the conformance cases need

    def people(self) -> list[dict[str, Any]]:
        self.make()
        names = ("id", "last_name", "first_name", "card_number")
        rows = self._rows(f"SELECT {', '.join(names)} FROM {tables.SCHEMA}.patient ORDER BY id")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def sample_values(self, number: int) -> dict[str, Any]:
        return {"card_number": f"K{number:05d}", "last_name": "Проверкина", "first_name": f"Анна {number}"}

    def bad_values(self, number: int) -> dict[str, Any]:
        """There are none: nothing is written here."""
        return self.sample_values(number)

    def store(self, values: Mapping[str, Any]) -> None:
        self.make()
        known = self._rows(f"SELECT id FROM {tables.SCHEMA}.patient WHERE card_number = %s", [values["card_number"]])
        if known:
            self.edit_patient(known[0][0], **values)
        else:
            self.add_patient(**values)

    def _next_id(self) -> int:
        return int(self._rows(f"SELECT coalesce(max(id), 0) + 1 FROM {tables.SCHEMA}.patient")[0][0])

    def _run(self, sql: str, params: Sequence[Any] | None = None) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(sql, params)

    def _rows(self, sql: str, params: Sequence[Any] | None = None) -> list[Any]:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.fetchall()

    def _copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        from django.db import connection

        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY {tables.SCHEMA}.{table} ({', '.join(columns)}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)


def own_database() -> str:
    """The address of the hub's own database, as this process is connected to it."""
    from django.db import connection

    held = connection.settings_dict
    login = quote(str(held.get("USER") or ""), safe="")
    password = quote(str(held.get("PASSWORD") or ""), safe="")
    host = str(held.get("OPTIONS", {}).get("host") or held.get("HOST") or "localhost")
    port = f":{held['PORT']}" if held.get("PORT") else ""
    name = quote(str(held["NAME"]), safe="")
    account = f"{login}:{password}" if password else login
    if host.startswith("/"):
        return f"postgres://{account}@{port}/{name}?{urlencode({'host': host})}"
    return f"postgres://{account}@{quote(host, safe='')}{port}/{name}"


SANDBOX = IdentSandbox
