"""The floor that a mirror is measured against: read, decode and COPY, and nothing else. No hub is involved.

One chain of batches, JSON into values, values into the text of COPY, one transaction; no limits, resuming, growing,
comparing nor anything that a second run would need.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
import psycopg
import requests

PAGES, PAGE = 50, 50
TYPES = {"integer": "bigint", "double": "numeric", "date": "date", "datetime": "timestamptz", "user": "bigint"}
LISTS = ["PHONE", "EMAIL", "WEB", "IM", "LINK"]
SELECT = ["*", "UF_*", *LISTS]


def chain(after: int) -> dict[str, str]:
    commands, mark = {}, str(after)
    for number in range(PAGES):
        asked = [("order[ID]", "ASC"), ("filter[>ID]", mark), ("start", "-1")]
        asked += [("select[]", name) for name in SELECT]
        commands[f"p{number}"] = "crm.contact.list?" + urlencode(asked, safe="$[]")
        mark = f"$result[p{number}][{PAGE - 1}][ID]"
    return commands


def columns_of(session: requests.Session, address: str) -> dict[str, str]:
    """The type of the column of each field."""
    fields = session.post(f"{address}crm.contact.fields", json={}).json()["result"]
    return {name: "jsonb" if told["isMultiple"] else TYPES.get(told["type"], "text") for name, told in fields.items()}


def make_table(cursor: psycopg.Cursor[Any], columns: Mapping[str, str]) -> None:
    cursor.execute("DROP TABLE IF EXISTS mirror_floor")
    made = ", ".join(f'"{name}" {type_}' for name, type_ in columns.items())
    cursor.execute(f'CREATE TABLE mirror_floor ({made}, PRIMARY KEY ("ID"))')


def lines(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> bytes:
    """Records as COPY takes them."""
    block = ["\t".join([cell(row.get(n), t) for n, t in columns.items()]) + "\n" for row in rows]
    return "".join(block).encode()


def cell(value: Any, type_: str) -> str:
    if value is None or value == "" or value is False or value == []:
        return "\\N"
    if isinstance(value, str):
        if type_ == "date":
            return value[:10]
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return orjson.dumps(value).decode().replace("\\", "\\\\")


def main(address: str, database: str) -> float:
    session = requests.Session()
    columns = columns_of(session, address)
    began = time.monotonic()
    with psycopg.connect(database) as connection, connection.cursor() as cursor:
        make_table(cursor, columns)
        after, ended = 0, False
        with cursor.copy("COPY mirror_floor FROM STDIN") as copy:
            while not ended:
                answer = session.post(f"{address}batch", json={"halt": 0, "cmd": chain(after)})
                pages = orjson.loads(answer.content)["result"]["result"]
                for number in range(PAGES):
                    rows = pages[f"p{number}"]
                    copy.write(lines(rows, columns))
                    after = int(rows[-1]["ID"]) if rows else after
                    if len(rows) < PAGE:
                        ended = True
                        break
    return time.monotonic() - began


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
