"""Imports a generated CSV file and prints rows per second, peak memory and the ratio to a bare COPY of the same rows.

Usage: python -m tests.bench.bench_import [ROWS]
"""

from __future__ import annotations

import csv
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.common import prepare

FIRST = ("Анна", "Иван", "Мария", "Пётр", "Mary", "John", "Aylin", "José", "Ольга", "Дмитрий")
LAST = ("Иванов", "Петрова", "Smith", "O'Brien", "Müller", "Кузнецов", "Ёлкина", "García", "Johnson", "Каримов")
MIDDLE = ("Иванович", "Петровна", "", "", "Lee", "Сергеевич")
COLUMNS = ["Имя", "Фамилия", "Отчество", "email", "Телефон", "phone_office", "company", "job title", "birth date"]


def write_file(path: Path, rows: int) -> None:
    """A file of people who do not exist; every twentieth has no e-mail, phones come in four spellings."""
    chance = random.Random(4)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(rows):
            mobile = f"{chance.randrange(10**7):07d}"
            spellings = (
                f"8 916 {mobile[:3]}-{mobile[3:5]}-{mobile[5:]}",
                f"+7 (926) {mobile[:3]} {mobile[3:]}",
                f"7985{mobile}",
                f"+44 20 7946 {mobile[:4]}",
            )
            writer.writerow(
                [
                    chance.choice(FIRST),
                    f"{chance.choice(LAST)}{number % 1000}",
                    chance.choice(MIDDLE),
                    f"user{number}@example.com" if number % 20 else "",
                    spellings[number % 4],
                    f"8 (495) {mobile[:3]}-{mobile[3:]}" if number % 3 == 0 else "",
                    f"Company {number % 5000}",
                    "manager",
                    f"19{50 + number % 50}-0{1 + number % 9}-15",
                ]
            )


def bare_copy(path: Path) -> float:
    """Seconds for COPY of the same cells into a plain table: the floor."""
    from django.db import connection

    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bare")
        cursor.execute("CREATE TABLE bare (a text, b text, c text, d text, e text, f text, g text, h text, i text)")
        with (
            path.open(newline="", encoding="utf-8") as file,
            cursor.copy("COPY bare FROM STDIN") as copy,
        ):
            for row in csv.reader(file):
                copy.write_row(row)
        cursor.execute("DROP TABLE bare")
    return time.perf_counter() - started


def main(rows: int) -> None:
    from contacts.importing.run import Options, import_file

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.csv"
        write_file(path, rows)
        floor = bare_copy(path)
        print(f"bare COPY of {rows:,} rows: {floor:.1f} s ({rows / floor:,.0f} rows/s)")
        for title in ("first import", "same file again"):
            started = time.perf_counter()
            counters = import_file(path, Options("bench", "RU"), on_refused=print)
            took = time.perf_counter() - started
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{title}: {rows / took:,.0f} rows/s, {took:.1f} s, {took / floor:.1f} x the bare COPY,"
                f" peak memory {peak:.0f} MB, {counters}"
            )


if __name__ == "__main__":
    prepare()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
