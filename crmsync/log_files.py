"""A log file that several processes write: it is put aside at a size, and what is old is deleted."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

NAME = "sync.log"
LARGEST = 10 * 1024 * 1024
KEEP_DAYS = 30
_SECONDS_A_DAY = 86_400


def prepared(folder: Path) -> Path:
    """The file's path in `folder`, which is made. Raises ImproperlyConfigured when it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"LOG_DIR names {folder}, which cannot be made: {error.strerror}.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ImproperlyConfigured(f"LOG_DIR names {folder}, which this user may not write.")
    return folder / NAME


class SharedRotatingHandler(logging.Handler):
    """Appends under a lock that all processes respect, so that none writes to a file that another has put aside.

    The lock is a record lock, which belongs to a process: it is not inherited by forks, and ends with the process.
    """

    def __init__(self, filename: str | Path, largest: int = LARGEST, keep_days: float = KEEP_DAYS) -> None:
        super().__init__()
        self._path, self._largest, self._keep = Path(filename), largest, keep_days * _SECONDS_A_DAY
        self._file: TextIOWrapper | None = None
        self._lock_file: TextIOWrapper | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record) + "\n"
            with self._alone():
                self._current(len(line.encode())).write(line)
        except Exception:  # noqa: BLE001 - as every handler: what cannot be logged must not stop the work
            self.handleError(record)

    def close(self) -> None:
        self.acquire()
        try:
            for held in (self._file, self._lock_file):
                if held is not None:
                    held.close()
            self._file = self._lock_file = None
        finally:
            self.release()
        super().close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._lock_file is None:
            self._lock_file = self._open(self._path.with_name(f".{self._path.name}.lock"))
        fcntl.lockf(self._lock_file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock_file, fcntl.LOCK_UN)

    def _current(self, coming: int) -> TextIOWrapper:
        """The file to write to, as it is now: another process may have put aside the one we hold."""
        if self._file is not None and not self._is_there(self._file):
            self._file.close()
            self._file = None
        if self._file is None:
            self._file = self._open(self._path)
        size = os.fstat(self._file.fileno()).st_size
        if size and size + coming > self._largest:
            self._file.close()
            self._put_aside()
            self._file = self._open(self._path)
        return self._file

    def _is_there(self, file: TextIOWrapper) -> bool:
        try:
            ours, theirs = os.fstat(file.fileno()), self._path.stat()
        except FileNotFoundError:
            return False
        return (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)

    def _put_aside(self) -> None:
        stamp, number = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), 0
        while (aside := self._path.with_name(f"{self._path.name}.{stamp}-{number:03d}")).exists():
            number += 1
        self._path.rename(aside)
        for old in self._path.parent.glob(f"{self._path.name}.*"):
            if old.stat().st_mtime < time.time() - self._keep:
                old.unlink(missing_ok=True)

    @staticmethod
    def _open(path: Path) -> TextIOWrapper:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        return os.fdopen(descriptor, "a", encoding="utf-8", buffering=1)
