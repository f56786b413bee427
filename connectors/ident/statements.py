"""Every statement that is sent to the clinic's database when reading. Values travel as parameters."""

from __future__ import annotations

from connectors.ident.configuration import Source
from connectors.ident.dialects import Dialect

PATIENT_COLUMNS = (
    "patient_id", "last_name", "first_name", "middle_name", "sex", "birth_date", "phone", "phone2", "email",
    "card_number", "patient_number", "comment", "discount_percent", "sms_optout", "archive_reason", "is_archived",
    "snils", "inn", "branch", "visits_count", "last_visit_at", "next_visit_at", "advance", "debt",
)  # fmt: skip
RECEPTION_COLUMNS = ("reception_id", "patient_id", "starts_at", "doctor", "status")
CHANGE_COLUMNS = ("patient_id", "changed_at")
# The shortest line of a visit: its date, its time and the end of the line.
SHORTEST_VISIT = 17


class Statements:
    """The statements for one source's names."""

    def __init__(self, dialect: Dialect, source: Source) -> None:
        self._dialect = dialect
        self.objects = {
            dialect.quoted(source.schema, name): columns
            for name, columns in (
                (source.patients, PATIENT_COLUMNS),
                (source.receptions, RECEPTION_COLUMNS),
                (source.changes, CHANGE_COLUMNS),
            )
        }
        self._patients, self._receptions, self._changes = self.objects
        self._columns = ", ".join(PATIENT_COLUMNS)
        self._only = " AND is_archived = 0" if source.only_active else ""
        self._visits_kept = source.visits_limit // SHORTEST_VISIT + 1

    def shape(self, name: str) -> str:
        """No rows, for the columns that an object has."""
        return self._dialect.first(0, "*", f"FROM {name}")

    def page(self, count: int) -> str:
        """Patients behind one. Parameters: the id before the page."""
        rest = f"FROM {self._patients} WHERE patient_id > %s{self._only} ORDER BY patient_id"
        return self._dialect.first(count, self._columns, rest)

    def patients(self, count: int) -> str:
        """Patients by id, whatever their status. Parameters: `count` ids."""
        return f"SELECT {self._columns} FROM {self._patients} WHERE patient_id IN ({_marks(count)}) ORDER BY patient_id"

    def visits_between(self) -> str:
        """The newest visits of a page's patients. Parameters: the id before the page, its last id."""
        return self._visits("patient_id > %s AND patient_id <= %s")

    def visits_of(self, count: int) -> str:
        """The newest visits of some patients. Parameters: `count` ids."""
        return self._visits(f"patient_id IN ({_marks(count)})")

    def changes(self, count: int) -> str:
        """(patient, time of change, the server's time) by patient; without changes one row that has the last alone.

        Parameters: a moment, the id before the page. The list has one line per row of the clinic's tables, so that the
        condition reaches each of them.
        """
        dialect = self._dialect
        columns = f"found.patient_id, {dialect.stamp('found.changed_at')}, {dialect.stamp(dialect.now)}"
        rest = (
            f"FROM (SELECT 1 AS always) AS clock LEFT JOIN (SELECT patient_id, changed_at FROM {self._changes} "
            f"WHERE changed_at >= {dialect.moment} AND patient_id > %s) AS found ON 1 = 1 "
            "ORDER BY found.patient_id, found.changed_at"
        )
        return dialect.first(count, columns, rest)

    def totals(self) -> str:
        """(number of changes, sum of their patients' ids, sum of their times), one row. Parameters: a moment."""
        dialect = self._dialect
        sums = f"SUM(CAST(patient_id AS bigint)), SUM({dialect.milliseconds('changed_at')})"
        return f"SELECT COUNT(*), {sums} FROM {self._changes} WHERE changed_at >= {dialect.moment}"

    def latest(self) -> str:
        """(the newest time of change, the server's time), one row."""
        dialect = self._dialect
        newest = f"(SELECT MAX(changed_at) FROM {self._changes})"
        return f"SELECT {dialect.stamp(newest)}, {dialect.stamp(dialect.now)}"

    def _visits(self, condition: str) -> str:
        return (
            "SELECT patient_id, starts_at, doctor, status FROM (SELECT patient_id, starts_at, doctor, status, "
            "ROW_NUMBER() OVER (PARTITION BY patient_id ORDER BY starts_at DESC, reception_id DESC) AS place "
            f"FROM {self._receptions} WHERE {condition} AND starts_at IS NOT NULL) AS visits "
            f"WHERE place <= {self._visits_kept} ORDER BY patient_id, place"
        )


def _marks(count: int) -> str:
    return ", ".join(["%s"] * count)
