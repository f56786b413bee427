"""The same table by fast-bitrix24 and COPY, as its users do it: all records into a list, then the list into the table.

Needs requirements/bench.txt. Its limits are as good as switched off, as those of the others are. Prints the seconds and
the peak memory in MB.
"""

from __future__ import annotations

import resource
import sys
import time
import warnings
from typing import Any

import psycopg
import requests

from tests.bench.mirror_floor import SELECT, columns_of, lines, make_table

AT_ONCE = 2500
NO_LIMIT = 1_000_000


def everything(address: str) -> list[dict[str, Any]]:
    from fast_bitrix24 import Bitrix

    portal = Bitrix(
        address,
        verbose=False,
        operating_time_limit=NO_LIMIT,
        request_pool_size=NO_LIMIT,
        requests_per_second=float(NO_LIMIT),
    )
    found: list[dict[str, Any]] = portal.get_all("crm.contact.list", {"select": SELECT})
    return found


def main(address: str, database: str) -> float:
    warnings.simplefilter("ignore")
    columns = columns_of(requests.Session(), address)
    began = time.monotonic()
    rows = everything(address)
    with psycopg.connect(database) as connection, connection.cursor() as cursor:
        make_table(cursor, columns)
        with cursor.copy("COPY mirror_floor FROM STDIN") as copy:
            for start in range(0, len(rows), AT_ONCE):
                copy.write(lines(rows[start : start + AT_ONCE], columns))
    return time.monotonic() - began


if __name__ == "__main__":
    print(main(*sys.argv[1:]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
