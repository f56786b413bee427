"""CSV lines → rows of cells. A broken row costs itself alone: an unclosed quotation mark does not swallow the file."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from contacts.importing.text_files import Line, TextFile

ROW_LINES = 100
DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Row:
    """One row and the line it starts on; `problem` says why it cannot be used."""

    line: int
    cells: list[str]
    problem: str = ""


def find_delimiter(header: str) -> str:
    """The one of , ; and tab that splits the header into most columns."""
    return max(DELIMITERS, key=lambda mark: len(next(csv.reader([header], delimiter=mark), [])))


class _Unclosed(Exception):
    """A quotation mark opened in this row is not closed within a sensible number of lines."""


class _Feed:
    """Hands lines to csv.reader and notices when a row wants more than it should have."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._again: deque[Line] = deque()
        self.row: list[Line] = []

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines, None)
        if line is None or len(self.row) >= ROW_LINES or (line.problem and self.row):
            if line is not None:
                self._again.appendleft(line)
            if self.row:
                raise _Unclosed
            raise StopIteration
        self.row.append(line)
        return line.text

    def give_back(self) -> None:
        """All lines of the row but its first are read again as rows of their own."""
        self._again.extendleft(reversed(self.row[1:]))


def read_rows(lines: Iterator[Line], delimiter: str) -> Iterator[Row]:
    """Every row in turn, blank ones left out."""
    feed = _Feed(lines)
    reader = csv.reader(feed, delimiter=delimiter)
    while True:
        feed.row = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _Unclosed:
            yield Row(feed.row[0].number, [], "a quotation mark is opened and never closed")
            feed.give_back()
            reader = csv.reader(feed, delimiter=delimiter)
            continue
        except csv.Error as error:
            yield Row(feed.row[0].number, [], _reason(error))
            feed.give_back()
            reader = csv.reader(feed, delimiter=delimiter)
            continue
        first = feed.row[0]
        if first.problem:
            yield Row(first.number, [], first.problem)
        elif any(cells):
            yield Row(first.number, cells)


def _reason(error: csv.Error) -> str:
    if "field larger" in str(error):
        return f"a cell is longer than {csv.field_size_limit():,} characters"
    return f"the row is not valid CSV ({error})"


def open_rows(file: TextFile) -> tuple[list[str], Iterator[Row]]:
    """(the header's cells, the rows below it). An empty header means that the file has none."""
    lines = iter(file)
    first = next((line for line in lines if line.text.strip() and not line.problem), None)
    if first is None:
        return [], iter(())
    declared = first.text.strip().lower()
    delimiter = ""
    if declared.startswith("sep=") and len(declared) == 5:
        delimiter = declared[4]
        first = next(lines, None) or first
    delimiter = delimiter or find_delimiter(first.text)
    rows = read_rows(_chain(first, lines), delimiter)
    header = next(rows, None)
    return (header.cells if header else []), rows


def _chain(first: Line, rest: Iterator[Line]) -> Iterator[Line]:
    yield first
    yield from rest
