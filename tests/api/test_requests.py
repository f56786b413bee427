"""What HTTP itself brings along: slashes, methods, odd bodies and odd headers, at every operation that has them."""

from __future__ import annotations

import gzip
import time
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.api import fuzz_data
from tests.api.operations import METHODS, SCHEMA, address, operations, send

PATHS = sorted(SCHEMA["paths"])
WITH_BODY = [
    pytest.param(method, path, id=f"{method.upper()} {path}")
    for method, path, described in operations()
    if "application/json" in described.get("requestBody", {}).get("content", {})
]
REAL_PLACES = {"contact_id": fuzz_data.CONTACT_IDS[1], "key": fuzz_data.SLUGS[0], "id": str(fuzz_data.ROW_IDS[0])}
CONTACTS = "/api/v3/contacts"
RATHER_QUICK = 2.0  # seconds; reading or nesting through such a body would take far more, or the process


@pytest.fixture
def _hub(db: None) -> None:
    """The things that REAL_PLACES names: a body is only looked at where they are."""
    fuzz_data.fill()


@pytest.mark.parametrize("path", PATHS)
def test_addresses_end_in_a_slash_or_not(administrator: APIClient, path: str) -> None:
    for method in sorted(METHODS & SCHEMA["paths"][path].keys()):
        without, with_slash = (send(administrator, method, address(path) + end, b"[]") for end in ("", "/"))
        assert without.status_code == with_slash.status_code
        assert without.headers.get("Content-Type") == with_slash.headers.get("Content-Type")


@pytest.mark.parametrize("path", PATHS)
def test_other_methods_are_refused_in_the_form_of_errors(administrator: APIClient, path: str) -> None:
    offered = METHODS & SCHEMA["paths"][path].keys()
    for method in sorted((METHODS | {"trace"}) - offered):
        answer = send(administrator, method, address(path))
        assert answer.status_code == 405
        assert answer.json()["code"] == "method_not_allowed"
        assert {name.strip().lower() for name in answer["Allow"].split(",")} >= offered


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_a_body_and_options_tell_the_methods(administrator: APIClient, path: str) -> None:
    options = administrator.options(address(path))
    assert options.status_code in {200, 404}
    if "get" in SCHEMA["paths"][path]:
        get, head = administrator.get(address(path)), administrator.head(address(path))
        assert head.status_code == get.status_code
        assert head.content == b""


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v3/nothing", "/api/v3/contacts/not-an-id", "/api/v3/runs/x"])
def test_unknown_addresses_are_404_as_json(db: None, method: str, path: str) -> None:
    answer = getattr(APIClient(), method)(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xef\xbb\xbf{",
        b"\xff\xfe{\x00}\x00",
        b'{"a": NaN}',
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"crm": "\\u0000", "key": "\\ud800", "name": "a\\u0000", "email": "\\u0000"}',
        gzip.compress(b"{}"),
    ],
    ids=["empty", "cut", "bom", "utf16", "nan", "lists in lists", "objects in objects", "nul", "gzip"],
)
@pytest.mark.parametrize(("method", "path"), WITH_BODY)
@pytest.mark.usefixtures("_hub")
def test_a_body_of_no_use_is_a_400(administrator: APIClient, method: str, path: str, body: bytes) -> None:
    began = time.monotonic()
    answer = send(administrator, method, address(path, REAL_PLACES), body)
    assert time.monotonic() - began < RATHER_QUICK
    if body == b"" and answer.status_code == 200:
        return  # PATCH of nothing
    assert answer.status_code == 400
    assert set(answer.json()) <= {"error", "code", "fields", "known"}


def test_a_body_said_to_be_gzip_is_not_taken_for_json(administrator: APIClient) -> None:
    body = gzip.compress(b'{"first_name": "Ann"}')
    assert send(administrator, "post", CONTACTS, body, HTTP_CONTENT_ENCODING="gzip").status_code == 400


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_a_body_of_more_than_10_mb_is_refused(administrator: APIClient, method: str, path: str) -> None:
    began = time.monotonic()
    answer = send(administrator, method, address(path), b'{"first_name": "' + b"a" * (10 * 1024 * 1024) + b'"}')
    assert time.monotonic() - began < RATHER_QUICK
    assert (answer.status_code, answer.json()["code"]) == (400, "body_too_large")


def test_a_body_of_unknown_length_is_refused_rather_than_taken_for_empty(administrator: APIClient) -> None:
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    answer = send(administrator, "post", CONTACTS, b'{"first_name": "Ann"}', **chunked)
    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")


def test_a_byte_order_mark_is_no_part_of_the_json(administrator: APIClient) -> None:
    assert send(administrator, "post", CONTACTS, b'\xef\xbb\xbf{"first_name": "Ann"}').status_code == 201


def test_of_a_field_named_twice_the_last_counts(administrator: APIClient) -> None:
    answer = send(administrator, "post", CONTACTS, b'{"first_name": "Ann", "first_name": "Bea"}')
    assert answer.json()["first_name"] == "Bea"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
def test_other_kinds_of_body_are_415(administrator: APIClient, content_type: str) -> None:
    answer = administrator.generic("POST", CONTACTS, b"first_name=Ann", content_type=content_type)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer a b", "Bearer \xe9", "Bearer a\x00b", "Token x", "\x00"]
)
def test_a_token_that_is_none_is_a_401(db: None, header: str) -> None:
    assert APIClient().get(CONTACTS, HTTP_AUTHORIZATION=header).status_code == 401


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"first_name": 1}, "first_name"),
        ({"emails": "ann@example.com"}, "emails"),
        ({"emails": [{"value": "ann@example.com", "primary": "true"}]}, "emails.0.primary"),
        ({"birth_date": "30.02.2000"}, "birth_date"),
        ({"attributes": []}, "attributes"),
        ({"last_name": "a\x00"}, "last_name"),
    ],
)
def test_a_wrong_value_is_named(administrator: APIClient, value: dict[str, Any], field: str) -> None:
    answer = administrator.post(CONTACTS, value)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]
    assert answer.json()["error"].startswith(f"{field}: ")


@pytest.mark.parametrize("limit", ["0", "-1", "201", "1e2", "٣", "null", "9" * 5000, ""])
@pytest.mark.parametrize("path", ["/api/v3/runs", "/api/v3/connections", "/api/v1/auth/tokens"])
def test_a_limit_is_a_number_of_rows(administrator: APIClient, path: str, limit: str) -> None:
    answer = administrator.get(path, {"limit": limit})
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["limit"]


@pytest.mark.parametrize("cursor", ["x", "cD1hYmM=", "%00", "😀", "bz05OTk5OTk5OTk5OTk5OTk5OTk5OQ==", "a" * 5000])
@pytest.mark.parametrize("path", [CONTACTS, "/api/v3/runs", "/api/v3/connections", "/api/v1/auth/tokens"])
def test_a_cursor_from_elsewhere_never_ends_in_a_500(administrator: APIClient, path: str, cursor: str) -> None:
    assert administrator.get(path, {"cursor": cursor}).status_code in {200, 400, 404}


@pytest.mark.parametrize("number", [str(2**63), "9" * 40, "9" * 5000])
@pytest.mark.parametrize("path", ["/api/v3/runs/{}", "/api/v3/runs/{}/items", "/api/v1/auth/tokens/{}"])
def test_a_number_beyond_any_row_is_a_404(administrator: APIClient, path: str, number: str) -> None:
    method = administrator.delete if "tokens" in path else administrator.get
    assert method(path.format(number)).json()["code"] == "not_found"
