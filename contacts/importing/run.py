"""Imports a whole file: reads and normalises one chunk while the one before it is being stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from contacts import bulk
from contacts.bulk import Incoming
from contacts.garbage import rare_collection
from contacts.importing.columns import Column, recognise
from contacts.importing.csv_rows import open_rows
from contacts.importing.row_records import RefusedRow, RowReader
from contacts.importing.text_files import TextFile, UnusableFile
from contacts.importing.vcard import CardReader, read_cards
from contacts.phones import UnknownRegion, normalize_phone


@dataclass(frozen=True, slots=True)
class Options:
    """How to read a file. `region` reads national phones; `columns` maps headers to fields."""

    source: str
    region: str
    columns: Mapping[str, str] = field(default_factory=dict)
    keep_unknown: bool = False
    chunk_size: int = bulk.CHUNK_SIZE


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was not stored: the line it starts on and why."""

    line: int
    reason: str


@dataclass(slots=True)
class Counters:
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    line: int
    incoming: Incoming


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the import is, in bytes of the file."""

    position: int
    size: int
    counters: Counters


Parsed = Accepted | Refusal
_IGNORED_PROGRESS: Callable[[Progress], None] = lambda progress: None  # noqa: E731


class Reader:
    """A file opened for import: iterate it for accepted and refused rows. `columns` is empty for vCard."""

    def __init__(self, path: Path, options: Options) -> None:
        try:
            normalize_phone("1", options.region)
        except UnknownRegion as error:
            raise UnusableFile(f"{error}.") from error
        self.file = TextFile(path)
        self.columns: list[Column] = []
        try:
            self._parsed = self._open(path, options)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Parsed]:
        return self._parsed

    def close(self) -> None:
        self.file.__exit__()

    def _open(self, path: Path, options: Options) -> Iterator[Parsed]:
        if _is_vcard(path):
            if options.columns:
                raise UnusableFile("A vCard has no columns: --map is for CSV files.")
            return self._cards(CardReader(options.region))
        headers, rows = open_rows(self.file)
        if not any(header.strip() for header in headers):
            raise UnusableFile(f"{path.name} has no header: its first line must name the columns.")
        self.columns = recognise(headers, options.columns, keep_unknown=options.keep_unknown)
        if all(column.target == "-" for column in self.columns):
            raise UnusableFile(
                f"{path.name} has no column that is known: {', '.join(headers)[:300]}."
                " Name them with --map theirs=ours."
            )
        reader = RowReader(self.columns, options.region)
        return self._rows(rows, reader)

    def _rows(self, rows: Iterator, reader: RowReader) -> Iterator[Parsed]:
        for row in rows:
            if row.problem:
                yield Refusal(row.line, row.problem)
                continue
            try:
                yield Accepted(row.line, reader.read(row.cells))
            except RefusedRow as error:
                yield Refusal(row.line, error.reason)

    def _cards(self, reader: CardReader) -> Iterator[Parsed]:
        for card in read_cards(iter(self.file)):
            try:
                yield Accepted(card.line, reader.read(card))
            except RefusedRow as error:
                yield Refusal(card.line, error.reason)


def import_file(
    path: Path,
    options: Options,
    *,
    on_refused: Callable[[Refusal], None],
    on_progress: Callable[[Progress], None] = _IGNORED_PROGRESS,
    on_columns: Callable[[list[Column]], None] = lambda columns: None,
) -> Counters:
    """Stores every row of the file, chunk by chunk; what was refused is reported and does not stop the rest.

    Raises UnusableFile before anything is stored when the file as a whole is of no use.
    """
    reader = Reader(path, options)
    counters = Counters()
    try:
        on_columns(reader.columns)
        chunks = _chunks(iter(reader), options.chunk_size)
        with ThreadPoolExecutor(1, "read") as ahead, bulk.Touched() as touched, rare_collection():
            coming = ahead.submit(next, chunks, None)
            while (chunk := coming.result()) is not None:
                position = reader.file.position
                coming = ahead.submit(next, chunks, None)
                _store(chunk, options.source, touched, counters, on_refused)
                on_progress(Progress(position, reader.file.size, counters))
    finally:
        reader.close()
    return counters


def _store(
    chunk: list[Parsed],
    source: str,
    touched: bulk.Touched,
    counters: Counters,
    on_refused: Callable[[Refusal], None],
) -> None:
    accepted = [item for item in chunk if isinstance(item, Accepted)]
    outcomes = bulk.upsert([item.incoming for item in accepted], source=source, touched=touched) if accepted else []
    refusals = [item for item in chunk if isinstance(item, Refusal)]
    for item, outcome in zip(accepted, outcomes, strict=True):
        if outcome.result == "created":
            counters.created += 1
        elif outcome.result == "updated":
            counters.updated += 1
        elif outcome.result == "unchanged":
            counters.unchanged += 1
        else:
            refusals.append(Refusal(item.line, outcome.reason))
    counters.refused += len(refusals)
    for refusal in sorted(refusals, key=lambda item: item.line):
        on_refused(refusal)


def _chunks(parsed: Iterator[Parsed], size: int) -> Iterator[list[Parsed]]:
    chunk: list[Parsed] = []
    for item in parsed:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _is_vcard(path: Path) -> bool:
    if path.suffix.lower() in (".vcf", ".vcard"):
        return True
    with TextFile(path) as file:
        first = next((line.text for line in file if line.text.strip()), "")
    return first.strip().upper() == "BEGIN:VCARD"
