"""Opens a file as text: finds its encoding, refuses what is not text. Reads in constant memory."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SAMPLE = 65_536
LINE_LIMIT = 1_000_000
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, ""),
    (codecs.BOM_UTF32_BE, ""),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TEXT_CONTROLS = frozenset(b"\t\n\r\x0b\x0c\x00\x1a")


class UnusableFile(Exception):
    """The file as a whole cannot be imported; the message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line with its end, counted from 1. `problem` says why it cannot be used."""

    number: int
    text: str
    problem: str = ""


class TextFile:
    """A file opened as text. Iterate it for lines; `position` is how many bytes have been read of `size`."""

    def __init__(self, path: Path) -> None:
        try:
            self._raw = path.open("rb", buffering=0)
            self.size = path.stat().st_size
        except OSError as error:
            raise UnusableFile(f"{path.name} cannot be read: {error.strerror}.") from error
        try:
            self.encoding = _find_encoding(self._raw, path.name)
        except (UnusableFile, OSError) as error:
            self._raw.close()
            if isinstance(error, OSError):
                raise UnusableFile(f"{path.name} cannot be read: {error.strerror}.") from error
            raise
        # Bytes that do not fit the encoding become lone surrogates, so that only their own line is refused.
        errors = "replace" if self.encoding.startswith("utf-16") else "surrogateescape"
        self._text = io.TextIOWrapper(
            io.BufferedReader(self._raw, 1 << 18), encoding=self.encoding, errors=errors, newline=""
        )

    def __enter__(self) -> TextFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()

    @property
    def position(self) -> int:
        return 0 if self._raw.closed else min(self._raw.tell(), self.size)

    def __iter__(self) -> Iterator[Line]:
        number = 0
        while text := self._text.readline(LINE_LIMIT):
            number += 1
            if len(text) >= LINE_LIMIT and not text.endswith(("\n", "\r")):
                self._skip_line()
                yield Line(number, "", f"the line is longer than {LINE_LIMIT:,} characters")
                continue
            yield Line(number, text, _problem(text))

    def _skip_line(self) -> None:
        while (rest := self._text.readline(LINE_LIMIT)) and not rest.endswith(("\n", "\r")):
            pass


def _problem(text: str) -> str:
    if text.isascii():
        return "the line has a NUL character" if "\0" in text else ""
    if "\0" in text:
        return "the line has a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "the line has bytes that do not fit the encoding of the file"
    return "the line has bytes that do not fit the encoding of the file" if "\ufffd" in text else ""


def _find_encoding(raw: io.FileIO, name: str) -> str:
    sample = raw.read(SAMPLE)
    if not sample:
        raise UnusableFile(f"{name} is empty.")
    for bom, encoding in _BOMS:
        if sample.startswith(bom):
            if not encoding:
                break
            raw.seek(0)
            return encoding
    encoding = _utf16_without_bom(sample)
    if not encoding:
        if _is_binary(sample):
            raise UnusableFile(f"{name} is not a text file: export the contacts as CSV or vCard and import that.")
        encoding = "utf-8" if _mostly_utf8(raw, sample) else "cp1251"
    raw.seek(0)
    return encoding


def _utf16_without_bom(sample: bytes) -> str:
    head = sample[: len(sample) // 2 * 2]
    if len(head) < 4 or head.count(0) < len(head) * 0.2:
        return ""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 10 * even:
        return "utf-16-le"
    return "utf-16-be" if even > 10 * odd else ""


def _is_binary(sample: bytes) -> bool:
    controls = sum(sample.count(code) for code in range(32) if code not in _TEXT_CONTROLS)
    return controls * 100 > len(sample) or sample.count(0) * 20 > len(sample)


def _mostly_utf8(raw: io.FileIO, sample: bytes) -> bool:
    """True when the whole file is UTF-8, or when the faults in it are fewer than the letters that are right."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    right = wrong = 0
    block = sample
    while block:
        try:
            decoder.decode(block)
        except UnicodeDecodeError:
            decoder.reset()
            text = block.decode("utf-8", "surrogateescape")
            faults = sum("\udc80" <= letter <= "\udcff" for letter in text)
            wrong += faults
            right += sum(letter > "\x7f" for letter in text) - faults
            if wrong + right > 10_000:
                break
        block = raw.read(1 << 20)
    return right >= wrong
