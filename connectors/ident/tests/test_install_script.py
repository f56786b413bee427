"""The script for the clinic's administrator: T-SQL of 2012, exactly the views that are read, on the tables known.

The tables are those of sheet 2.4, the views those of 2.3.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from connectors.ident.statements import CHANGE_COLUMNS, PATIENT_COLUMNS, RECEPTION_COLUMNS

FOLDER = Path(__file__).resolve().parents[1] / "sql"
SCRIPT = (FOLDER / "install.sql").read_text(encoding="utf-8")
TABLES = {
    "Persons": "ID Surname Name Patronymic Sex Birthday Phone MobilePhone Email INN SNILS DateTimeChanged",
    "Patients": "ID_Persons FirstVisit MinStatus InitialBalance CardNumber PatientNumber Comment ID_ArchivingReasons "
    "SMSRejection ID_Branches DiscountPercent Status DateTimeChanged",
    "Receptions": "ID ID_Patients ID_Staffs PlanStart PlanEnd PatientAppeared ReceptionStarted ReceptionEnded "
    "CheckIssued ID_ReceptionCancelReasons ReceptionCanceled Comment RowVersion DateTimeAdded DateTimeChanged",
    "Staffs": "ID_Persons Archive",
    "ArchivingReasons": "ID Name",
    "Branches": "ID Name",
    "PaymentsIn": "ID ID_Patients DateTimePayment Payment DateTimeAdded DateTimeChanged",
    "OrderPaymentsJournal": "ID_Orders ID_Patients DateTimeBill AmountWithDiscount Debt",
}
READ = {
    "crmsync_patients": list(PATIENT_COLUMNS),
    "crmsync_receptions": [
        *("reception_id", "patient_id", "starts_at", "ends_at", "comment", "doctor", "status"),
        *("changed_at", "row_version"),
    ],
    "crmsync_changes": list(CHANGE_COLUMNS),
}
# What came after SQL Server 2012.
LATER = (
    r"STRING_AGG|STRING_SPLIT|CONCAT_WS|TRANSLATE|TRIM(?=\s*\()|OR\s+ALTER|IF\s+EXISTS|GREATEST|LEAST|DATETRUNC|"
    r"JSON_\w+|OPENJSON|FOR\s+JSON|AT\s+TIME\s+ZONE|DATEDIFF_BIG|APPROX_\w+|GENERATE_SERIES|DATE_BUCKET|"
    r"IS\s+(?:NOT\s+)?DISTINCT\s+FROM|WINDOW\s+\w+\s+AS"
)


def without_remarks(script: str) -> str:
    found = re.sub(r"/\*.*?\*/", "", script, flags=re.DOTALL)
    return re.sub(r"--[^\n]*", "", found)


def batches(script: str) -> list[str]:
    """As the administrator's program sends them: GO stands alone on a line."""
    return [text.strip() for text in re.split(r"^GO\s*$", without_remarks(script), flags=re.MULTILINE) if text.strip()]


def views() -> dict[str, exp.Query]:
    found = {}
    for batch in batches(SCRIPT):
        if batch.startswith("CREATE VIEW"):
            (tree,) = sqlglot.parse(batch, read="tsql")
            assert isinstance(tree, exp.Create)
            found[tree.this.name] = tree.expression
    return found


def test_a_view_is_alone_in_its_batch() -> None:
    for batch in batches(SCRIPT):
        statements = len(re.findall(r"\bCREATE\s+VIEW\b", batch))
        assert statements == 0 or (statements == 1 and batch.startswith("CREATE VIEW") and batch.count(";") == 1)
    assert SCRIPT.rstrip().endswith("GO")
    assert not re.search(r"^\s*GO\s*;", SCRIPT, re.MULTILINE)
    assert batches(SCRIPT)[0] == "USE IDENT;"


@pytest.mark.parametrize("name", ["install.sql", "uninstall.sql"])
def test_nothing_in_it_is_newer_than_2012(name: str) -> None:
    text = without_remarks((FOLDER / name).read_text(encoding="utf-8"))
    # IF EXISTS (SELECT …) is old; only behind DROP it is new.
    text = re.sub(r"\bIF\s+(?:NOT\s+)?EXISTS\s*\(", "(", text)
    assert re.findall(rf"(?<![\w_])(?:{LATER})\b", text.replace("LTRIM", "").replace("RTRIM", ""), re.IGNORECASE) == []


def test_the_views_have_exactly_the_columns_that_are_read() -> None:
    for name, columns in READ.items():
        assert [column.alias_or_name for column in views()[name].selects] == columns
    assert set(RECEPTION_COLUMNS) <= set(READ["crmsync_receptions"])


def test_only_columns_that_the_tables_have_are_read() -> None:
    known = {table: set(columns.split()) for table, columns in TABLES.items()}
    made = views()
    known |= {name: {column.alias_or_name for column in query.selects} for name, query in made.items()}
    for name, query in made.items():
        scopes = traverse_scope(query)
        aliases = {
            alias: known[source.name]
            if isinstance(source, exp.Table)
            else {*next(source.expression.find_all(exp.Select)).named_selects}
            for scope in scopes
            for alias, source in scope.sources.items()
        }
        checked = 0
        for scope in scopes:
            for column in scope.columns:
                assert column.name in aliases[column.table or next(iter(scope.sources))], f"{name}: {column.sql()}"
                checked += 1
        assert checked >= len(query.selects)


def test_views_stand_on_views_that_were_made_before() -> None:
    made: list[str] = []
    for name, query in views().items():
        used = {table.name for table in query.find_all(exp.Table)}
        assert used <= set(TABLES) | set(made), name
        assert all(table.db == "dbo" for table in query.find_all(exp.Table))
        made.append(name)
    assert set(made) == {*READ, "crmsync_patient_rules", "crmsync_visit_rules"}


def test_every_rule_of_the_clinic_is_in_the_views_of_rules_alone() -> None:
    """Sheet 2.4: the columns that rules decide by are named once, in section 1."""
    deciding = {"ReceptionEnded", "ID_ReceptionCancelReasons", "ReceptionCanceled", "CheckIssued", "ReceptionStarted"}
    deciding |= {"PatientAppeared", "InitialBalance", "Payment", "AmountWithDiscount", "Debt", "DiscountPercent"}
    for name, query in views().items():
        used = {column.name for column in query.find_all(exp.Column)}
        assert name.endswith("_rules") or used.isdisjoint(deciding), name


def test_the_list_of_changes_is_bare_columns_of_every_table() -> None:
    """So that a condition on the time reaches each table's index (sheet 2.3)."""
    branches = [part for part in views()["crmsync_changes"].find_all(exp.Select)]
    named = {
        (part.find(exp.Table).name, part.selects[1].this.name if part.selects[1].alias else part.selects[1].name)
        for part in branches
    }
    assert named == {
        ("Patients", "DateTimeChanged"),
        ("Persons", "DateTimeChanged"),
        ("Receptions", "DateTimeChanged"),
        ("Receptions", "DateTimeAdded"),
        ("PaymentsIn", "DateTimeChanged"),
        ("PaymentsIn", "DateTimeAdded"),
        ("OrderPaymentsJournal", "DateTimeBill"),
    }
    for part in branches:
        assert all(isinstance(column.unalias(), exp.Column) for column in part.selects)
        assert not part.args.get("where")
        assert not part.args.get("group")


def test_the_login_may_read_three_views_and_nothing_else() -> None:
    grants = re.findall(r"^GRANT .*$", without_remarks(SCRIPT), re.MULTILINE)
    assert grants == [f"GRANT SELECT ON dbo.{name} TO crmsync_ro;" for name in READ]
    assert not re.search(r"db_datareader|sp_addrolemember|ALTER ROLE", without_remarks(SCRIPT))


def test_no_table_is_touched() -> None:
    for script in (SCRIPT, (FOLDER / "uninstall.sql").read_text(encoding="utf-8")):
        verbs = set(
            re.findall(r"\b(?:CREATE|ALTER|DROP|INSERT|UPDATE|DELETE|MERGE|TRUNCATE)\s+\w+", without_remarks(script))
        )
        assert verbs <= {f"{verb} {kind}" for verb in ("CREATE", "DROP") for kind in ("VIEW", "LOGIN", "USER")}


def test_it_can_be_run_again_and_taken_back() -> None:
    made = set(views())
    for script in (SCRIPT, (FOLDER / "uninstall.sql").read_text(encoding="utf-8")):
        dropped = re.findall(r"IF OBJECT_ID\(N'dbo\.(\w+)', N'V'\) IS NOT NULL DROP VIEW dbo\.(\w+);", script)
        assert {one for one, other in dropped if one == other} == made
