"""Log files: ten megabytes each, kept for thirty days, written by several processes at once, without personal data."""

from __future__ import annotations

import json
import logging
import logging.config
import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from crmsync import log_files, logs
from crmsync.log_files import SharedRotatingHandler

LINES, WRITERS = 400, 4


def handler_of(folder: Path, largest: int = 4_000, keep_days: float = 30) -> SharedRotatingHandler:
    made = SharedRotatingHandler(folder / "sync.log", largest, keep_days)
    made.setFormatter(logging.Formatter("%(message)s"))
    return made


def write(folder: Path, number: int) -> None:
    handler = handler_of(folder)
    for line in range(LINES):
        handler.emit(logging.makeLogRecord({"msg": f"writer {number} line {line:04d} {'x' * 40}"}))
    handler.close()


def logged(folder: Path) -> list[str]:
    return [line for path in sorted(folder.glob("sync.log*")) for line in path.read_text().splitlines()]


def test_the_seeds_sizes() -> None:
    assert (log_files.LARGEST, log_files.KEEP_DAYS, log_files.NAME) == (10 * 1024 * 1024, 30, "sync.log")


def test_several_processes_lose_no_line_and_break_none(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write, args=(tmp_path, number)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    expected = {f"writer {w} line {line:04d} {'x' * 40}" for w in range(WRITERS) for line in range(LINES)}
    lines = logged(tmp_path)
    assert len(lines) == len(expected)
    assert set(lines) == expected
    files = list(tmp_path.glob("sync.log*"))
    assert len(files) > 10
    assert max(path.stat().st_size for path in files) <= 4_000


def test_a_file_put_aside_by_another_process_is_let_go_of(tmp_path: Path) -> None:
    one, other = handler_of(tmp_path), handler_of(tmp_path)
    for number in range(200):
        (one, other)[number % 2].emit(logging.makeLogRecord({"msg": f"{number:03d}{'x' * 50}"}))
    one.close()
    other.close()
    assert sorted(line[:3] for line in logged(tmp_path)) == [f"{number:03d}" for number in range(200)]


def test_what_is_older_than_thirty_days_is_deleted(tmp_path: Path) -> None:
    for name, days in (("sync.log.20260101T000000Z-000", 31), ("sync.log.20260201T000000Z-000", 29), ("other.log", 99)):
        path = tmp_path / name
        path.write_text("x")
        os.utime(path, (time.time() - days * 86_400,) * 2)
    write(tmp_path, 0)
    assert not (tmp_path / "sync.log.20260101T000000Z-000").exists()
    assert (tmp_path / "sync.log.20260201T000000Z-000").exists()
    assert (tmp_path / "other.log").exists()


def test_a_file_is_for_its_owner_and_group(tmp_path: Path) -> None:
    write(tmp_path, 0)
    assert {path.stat().st_mode & 0o007 for path in tmp_path.glob("sync.log*")} == {0}


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ImproperlyConfigured, match="LOG_DIR"):
        log_files.prepared(tmp_path / "file" / "logs")


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[logging.Logger]:
    """A logger with the formatter and the file of production."""
    import structlog

    config = logs.configure("INFO", as_json=True, folder=tmp_path)
    assert config["handlers"]["file"]["class"] == "crmsync.log_files.SharedRotatingHandler"
    handler = SharedRotatingHandler(config["handlers"]["file"]["filename"])
    formatter = {name: value for name, value in config["formatters"]["structured"].items() if name != "()"}
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(**formatter))
    made = logging.getLogger("tests.log_files")
    made.addHandler(handler)
    yield made
    made.removeHandler(handler)
    handler.close()


def test_nothing_personal_is_in_a_file(logger: logging.Logger, tmp_path: Path) -> None:
    logger.warning("patient %s: %s, %s", 17, "+7 912 345-67-89", "ann@example.com")
    try:
        raise ValueError("Server=clinic;PWD=hunter2 for 89123456789")
    except ValueError:
        logger.exception("refused by mssql://crmsync_ro:hunter2@clinic/IDENT")
    (path,) = tmp_path.glob("sync.log")
    text = path.read_text()
    assert [json.loads(line)["level"] for line in text.splitlines()] == ["warning", "error"]
    for personal in ("345-67-89", "9123456789", "ann@", "mssql://crmsync_ro:hunter2"):
        assert personal not in text
    assert "hunter2" not in text
