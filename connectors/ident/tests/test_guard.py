"""What passes for reading, and what never does, however it is dressed."""

from __future__ import annotations

import pytest

from connectors.ident.readonly.guard import FORBIDDEN, NotReading, require_reading


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "select top (5) [delete] from [dbo].[x]",
        "WITH a AS (SELECT 1 AS n) SELECT n FROM a;",
        "SELECT 'DROP TABLE x', N'it''s EXEC' FROM x",
        'SELECT "update" FROM x',
        "SELECT updated_at, insertion, intoxicated FROM deletions",
        "SELECT [a]]; DROP TABLE x] FROM x",
        "SELECT 1 -- DELETE FROM x\nFROM y",
        "SELECT /* DELETE FROM x */ 1",
        "SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC) FROM x WHERE c >= CAST(%s AS datetime)",
    ],
)
def test_reading_passes(sql: str) -> None:
    require_reading(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO x VALUES (1)",
        "UPDATE x SET a = 1",
        "DELETE FROM x",
        "MERGE x USING y ON 1 = 1 WHEN MATCHED THEN DELETE",
        "EXEC sp_who",
        "execute('DROP TABLE x')",
        "TRUNCATE TABLE x",
        "SELECT * INTO y FROM x",
        "select a\tinto\ny from x",
        "SELECT 1; DELETE FROM x",
        "SELECT 1 DELETE FROM x",
        "WITH a AS (SELECT 1 AS n) DELETE FROM a",
        "SELECT /* harmless */ 1 /**/ INTO y",
        "SELECT 1 -- it's a comment\nINTO y FROM x",
        "SELECT 'a' INTO y FROM x --'",
        "SELECT [a] INTO [b] FROM x",
        'SELECT "a" INTO "b" FROM x',
        "SELECT 1INTO y FROM x",
        "SELECT * FROM OPENROWSET('x', 'y', 'z')",
        "SELECT * FROM OPENQUERY(other, 'DELETE FROM x')",
        "SELECT * FROM x WITH (UPDLOCK)",
        "SELECT * FROM x FOR UPDATE",
        "SELECT NEXT VALUE FOR dbo.numbers",
        "DECLARE @a int",
        "SET LOCK_TIMEOUT 5",
        "BEGIN TRAN",
        "GRANT SELECT ON x TO y",
        "CREATE TABLE x (a int)",
        "ALTER TABLE x ADD a int",
        "DROP VIEW x",
        "WAITFOR DELAY '1:00'",
        "",
        "  ;  ",
        "-- SELECT 1",
        "VALUES (1)",
    ],
)
def test_everything_else_is_refused(sql: str) -> None:
    with pytest.raises(NotReading):
        require_reading(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'a\\' INTO y FROM x --'",  # where a backslash escapes, the text goes on
        "SELECT 1 -- a\rINTO y",  # where a carriage return ends the line
        "SELECT 1 -- a\u2028INTO y",
        "SELECT 1 /* a /* b */ INTO y */",  # where comments nest
        "SELECT 'a",
        "SELECT [a FROM x",
        "SELECT 1 /* a",
        "SELECT $$a$$ FROM x",
        "SELECT 0x1AINTO y",
    ],
)
def test_what_cannot_be_read_for_certain_is_refused(sql: str) -> None:
    with pytest.raises(NotReading):
        require_reading(sql)


def test_brackets_are_names_in_tsql_alone() -> None:
    require_reading("SELECT [into] FROM x")
    with pytest.raises(NotReading):
        require_reading("SELECT a[1] FROM x", brackets=False)


@pytest.mark.parametrize("word", sorted(FORBIDDEN))
def test_no_forbidden_word_passes_in_any_case(word: str) -> None:
    for written in (word, word.lower(), word.title()):
        with pytest.raises(NotReading):
            require_reading(f"SELECT 1 {written} x")
        require_reading(f"SELECT '{written}', [{written}], \"{written}\" FROM x")


def test_a_refusal_quotes_no_values() -> None:
    with pytest.raises(NotReading) as raised:
        require_reading("DELETE FROM x WHERE phone = '+79161234567'")
    assert "7916" not in str(raised.value)
