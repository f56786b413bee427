"""Fuzzing: whatever arrives at an operation of the schema, the answer is one the schema documents, never a 500.

An ordinary run tries the boundaries and a few examples of each operation, always the same ones;
`FUZZ_EXAMPLES=200 make test ARGS=tests/api/test_fuzz.py` goes further.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import AcceptedNegativeData, Failure

from connectors.limits import limiter
from contacts.text import squeeze
from tests.api import fuzz_data
from tests.api.conftest import SLUGS
from tests.api.operations import SCHEMA

CHECKS = (
    "content_type_conformance",
    "negative_data_rejection",
    "response_headers_conformance",
    "response_schema_conformance",
    "status_code_conformance",  # refuses every 5xx too: none is documented but the 503 of an absent remote system
    "unsupported_method",
)


def mostly(dictionary: str) -> dict[str, Any]:
    return {"dictionary": dictionary, "probability": 0.8}


def fuzzer() -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": 20_251_118,
            "generation": {
                "max-examples": int(os.environ.get("FUZZ_EXAMPLES", "5")),
                "deterministic": True,
                "database": "none",
            },
            "dictionaries": {
                "contacts": {"values": fuzz_data.CONTACT_IDS},
                "keys": {"values": SLUGS},
                "rows": {"values": fuzz_data.ROW_IDS},
            },
            "checks": {"enabled": False, **{name: {"enabled": True} for name in CHECKS}},
            # It refuses each bad item by itself, in an answer of 200.
            "operations": [
                {
                    "include-operation-id": "contacts_bulk_upsert",
                    "checks": {"negative_data_rejection": {"enabled": False}},
                }
            ],
            # Without these hardly an address would have anything behind it.
            "parameters": {
                "path.contact_id": mostly("contacts"),
                "path.key": mostly("keys"),
                "path.id": mostly("rows"),
                "query.crm": mostly("keys"),
                "body.crm": mostly("keys"),
                "body.contact_ids[*]": mostly("contacts"),
            },
        }
    )


schema = schemathesis.openapi.from_dict(SCHEMA, config=fuzzer())
schema.app = get_wsgi_application()


@schema.hook
def filter_failure(context: Any, failure: Failure, case: schemathesis.Case, response: Any) -> bool:
    """Taken on purpose: `?status=` for every status, as forms send it, and texts too long before they are trimmed."""
    if not isinstance(failure, AcceptedNegativeData):
        return True
    trimmed = "`maxLength`" in failure.message and any(squeeze(text) != text for text in texts(case.body))
    return not trimmed and "" not in (case.query or {}).values()


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


@pytest.fixture
def _one_connection() -> Iterator[None]:
    """Requests run in the test's transaction, whose connection Django would close after each of them."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)
    limiter.close()


@pytest.fixture
def _hub(db: None, _one_connection: None, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = fuzz_data.fill()
    monkeypatch.setattr("connectors.core.http.GuardedAdapter", lambda *args, **kwargs: adapter)
    monkeypatch.setattr("syncjobs.services.async_task", lambda *a, **k: None)


@schema.parametrize()
@pytest.mark.usefixtures("_hub")
def test_every_answer_is_a_documented_one(case: schemathesis.Case) -> None:
    cache.clear()  # else the brake on logins would soon answer everything
    with transaction.atomic():
        case.call_and_validate(headers={"Authorization": f"Bearer {fuzz_data.TOKEN}"})
        transaction.set_rollback(True)
