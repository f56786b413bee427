"""Tells statements that only read from all others, by their text. Strict: what it cannot read for certain is refused.

The rights of the login are the real protection; this is the second lock, against mistakes of our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

_WRITES = "INSERT UPDATE DELETE MERGE TRUNCATE CREATE ALTER DROP INTO BULK COPY WRITETEXT UPDATETEXT"
_RUNS = "EXEC EXECUTE CALL DO PREPARE OPENROWSET OPENQUERY OPENDATASOURCE RECEIVE SEND WAITFOR DBCC KILL SHUTDOWN"
_RIGHTS = "GRANT REVOKE DENY BACKUP RESTORE RECONFIGURE USE SET DECLARE ENABLE DISABLE REVERT SETUSER"
_TRANSACTIONS = "BEGIN COMMIT ROLLBACK SAVE CHECKPOINT LOCK"
_LOCKS = "UPDLOCK XLOCK TABLOCK TABLOCKX HOLDLOCK SERIALIZABLE"
FORBIDDEN = frozenset(" ".join((_WRITES, _RUNS, _RIGHTS, _TRANSACTIONS, _LOCKS)).split())
# Two words that are harmless apart: sequences are moved on by the first, rows are locked by the others.
_PAIRS = {("NEXT", "VALUE"), ("FOR", "UPDATE"), ("FOR", "SHARE"), ("FOR", "NO"), ("FOR", "KEY")}

_LITERAL = r"(?P<literal>'(?:[^']|'')*')"
_QUOTED = r'(?P<quoted>"(?:[^"]|"")*")'
_BRACKETS = r"(?P<brackets>\[(?:[^\]]|\]\])*\])"
_LINE = r"(?P<line>--[^\n]*)"
_BLOCK = r"(?P<block>/\*(?:(?!/\*|\*/)[\s\S])*\*/)"
_WORD = r"(?P<word>[^\W\d][\w@#]*|[@#][\w@#]*)"
_NUMBER = r"(?P<number>\d[\w.]*)"
_OTHER = r"(?P<other>[\s(),.=<>+\-*/!%|:])"
_TOKEN = re.compile("|".join((_LITERAL, _QUOTED, _BRACKETS, _LINE, _BLOCK, _WORD, _NUMBER, _OTHER)))
# Servers do not agree on which of these ends a line.
_DOUBTFUL_LINE_ENDS = re.compile(r"\r(?!\n)|[\x0b\x0c\x85\u2028\u2029]")


class NotReading(ValueError):
    """The statement does more than read, or cannot be read for certain. The message quotes no values."""


def require_reading(sql: str, *, brackets: bool = True) -> None:
    """Raises NotReading unless `sql` is one SELECT, perhaps behind WITH, that changes, locks and calls nothing.

    `brackets`: whether [x] is a name, as in T-SQL; elsewhere it is refused.
    """
    words = list(_words(sql.strip().removesuffix(";"), brackets))
    if not words or words[0] not in ("SELECT", "WITH"):
        raise NotReading("Only SELECT is allowed here.")
    found = next((word for word in words if word in FORBIDDEN), None)
    pair = next((pair for pair in pairwise(words) if pair in _PAIRS), None)
    if found or pair:
        raise NotReading(f"{found or ' '.join(pair or ())} is not allowed here: this database is only read.")


def _words(sql: str, brackets: bool) -> Iterator[str]:
    """The words outside of literals, quoted names and comments, in capitals."""
    at = 0
    while at < len(sql):
        token = _TOKEN.match(sql, at)
        if token is None or (token.lastgroup == "other" and sql.startswith(("/*", "--"), at)):
            raise NotReading(f"The statement cannot be read for certain (at character {at + 1}).")
        at = token.end()
        text = token[0]
        _require_certain(str(token.lastgroup), text, brackets)
        if token.lastgroup == "word":
            yield text.upper()


def _require_certain(kind: str, text: str, brackets: bool) -> None:
    doubtful = (
        (kind == "literal" and "\\" in text)  # an escape on some servers, a backslash on others
        or (kind == "line" and _DOUBTFUL_LINE_ENDS.search(text) is not None)
        or (kind == "number" and not re.fullmatch(r"\d+(\.\d*)?", text))  # 1INTO is two words to a server
        or (kind == "brackets" and not brackets)
    )
    if doubtful:
        raise NotReading("The statement cannot be read for certain.")
