"""Logs carry neither secrets nor personal data, in whatever dress they come."""

import io
import json
import logging
import logging.config
import time
from typing import Any

import pytest
import structlog

from crmsync import logs
from crmsync.logs import MASK, redact, redact_text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abcdef.123-456", "abcdef"),
        ("sent Token crmsync_1234_secretpart", "secretpart"),
        ("{'api-key': 'xkeysib-998877'}", "xkeysib"),
        ('{"refresh_token":"def50200abc","x":1}', "def50200abc"),
        ("client_secret=s3cr3t&grant_type=x", "s3cr3t"),
        ("password: hunter2", "hunter2"),
        ("Server=db;UID=crm;PWD=hunter2;Encrypt=yes", "hunter2"),
        ("Server=db;PWD={hunt;er 2};Encrypt=yes", "er 2"),
        ("postgres://crm:hunter2@db/crm", "hunter2"),
        ("https://portal.example.com/rest/1/abc123secret/crm.item.list", "abc123secret"),
        ("no contact for ann.lee+x@example.co.uk here", "ann.lee"),
        ("called +7 (916) 123-45-67 twice", "123-45-67"),
        ("called 89161234567 twice", "89161234567"),
        ("called +14155550123", "4155550123"),
    ],
)
def test_a_secret_in_a_text_is_masked(text: str, secret: str) -> None:
    masked = redact_text(text)
    assert secret not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    "text",
    [
        "pushed 100000 contacts in 52.6 s",
        "contact 019360f2-7a53-7c1e-8c1d-79161234567a",
        "2026-11-21T09:00:00.123456Z run 12345",
        "retry at 1700000000.25",
    ],
)
def test_harmless_texts_stay_as_they_are(text: str) -> None:
    assert redact_text(text) == text


def test_values_are_masked_by_the_name_of_their_key_at_any_depth() -> None:
    event = {"headers": [{"X-Api-Key": "abc", "Accept": "json"}], "email": "x", "count": 3, "ok": True, "none": None}
    assert redact(event) == {
        "headers": [{"X-Api-Key": MASK, "Accept": "json"}],
        "email": MASK,
        "count": 3,
        "ok": True,
        "none": None,
    }


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A handler of the production format that writes into a buffer."""
    config = logs.configure("INFO", as_json=True)["formatters"]["structured"]
    buffer = io.StringIO()
    handler = logging.StreamHandler(buffer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=config["foreign_pre_chain"], processors=config["processors"]
        )
    )
    logger = logging.getLogger("tests.redaction")
    logger.addHandler(handler)
    yield logger, buffer
    logger.removeHandler(handler)


def test_a_log_line_is_json_and_its_traceback_is_masked_too(captured: Any) -> None:
    logger, buffer = captured
    try:
        raise ValueError("refused for ann@example.com with token=abc123")
    except ValueError:
        logger.exception("could not push %s", "+79161234567")
    line = json.loads(buffer.getvalue())
    assert line["level"] == "error"
    assert line["event"] == f"could not push {MASK}"
    assert "ValueError" in line["exception"]
    for secret in ("ann@example.com", "abc123", "9161234567"):
        assert secret not in buffer.getvalue()


@pytest.mark.parametrize("word", ["9", "a", "token", "a.", "a-", "+7 ", "://a:", "(495) ", "a@", "Bearer "])
def test_masking_a_long_text_takes_no_longer_than_its_length_asks_for(word: str) -> None:
    began = time.process_time()
    redact(word * (100_000 // len(word)))
    assert time.process_time() - began < 1.0  # in proportion it is hundredths of a second, squared it is minutes
