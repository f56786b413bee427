"""Every refusal has one form, and bad input never ends in a 500."""

import io
import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError as DjangoValidationError
from django.test import Client, RequestFactory
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.test import APIClient

from crmsync import errors
from crmsync.errors import exception_handler
from crmsync.parsers import StrictJSONParser

LOGIN = "/api/v1/auth/login"
pytestmark = pytest.mark.django_db


def post(body: bytes | str, content_type: str = "application/json", **headers: Any) -> Any:
    return Client().post(LOGIN, body, content_type=content_type, **headers)


def parse(text: str | bytes) -> Any:
    return StrictJSONParser().parse(io.BytesIO(text.encode() if isinstance(text, str) else text))


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "nul",
        "[1,]",
        '{"email": NaN}',
        '{"email": Infinity}',
        b"\xff\xfe",
        b'{"a": "\xc3"}',
        "9" * 5000,
        "[" * 99999,
    ],
)
def test_malformed_json_is_a_400_that_says_so(body: bytes | str) -> None:
    answer = post(body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "parse_error"
    assert answer.json()["error"].startswith("The body is")


@pytest.mark.parametrize("body", ["", "[]", '"text"', "1", "null", "true"])
def test_json_of_the_wrong_shape_is_a_400(body: str) -> None:
    assert post(body).status_code == 400


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ('"a\\u0000b"', "NUL"),
        ('"\\ud800"', "surrogate"),
        ("9223372036854775808", "too large"),
        ("-9223372036854775809", "too large"),
        ("1e999", "too large"),
        ("1" + "0" * 400 + ".5", "too large"),
    ],
)
def test_values_that_cannot_be_stored_are_refused_under_their_field(value: str, complaint: str) -> None:
    answer = post(f'{{"contact": {{"names": ["fine", {value}]}}}}')
    assert answer.status_code == 400
    body = answer.json()
    assert body["error"].startswith("contact.names.1: ")
    assert complaint in body["fields"]["contact.names.1"][0]


def test_storable_values_of_every_kind_pass() -> None:
    value = {"n": [2**63 - 1, -(2**63), 1e300, None, True], "text": "😀 Ёлка", "escaped": "\ud83d\ude00"}
    assert parse(json.dumps(value)) == {**value, "escaped": "😀"}


def test_a_nul_in_a_fields_name_is_refused() -> None:
    with pytest.raises(ValidationError, match="name"):
        parse('{"a\\u0000": 1}')


def test_a_body_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(ParseError, match="UTF-8"):
        parse("{}".encode("utf-16"))


def test_missing_fields_are_named_in_the_sentence_and_in_fields() -> None:
    answer = post("{}")
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "email: This field is required.",
        "code": "invalid",
        "fields": {"email": ["This field is required."], "password": ["This field is required."]},
    }


def test_another_method_another_type_and_an_unknown_address() -> None:
    client = Client()
    assert client.get(LOGIN).json()["code"] == "method_not_allowed"
    assert client.get(LOGIN).status_code == 405
    form = post("email=a", "application/x-www-form-urlencoded")
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
    strict = Client(enforce_csrf_checks=True)
    for missing in (client.get("/api/v9/nothing"), strict.post("/api/v9/nothing")):
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert client.get("/nowhere").json()["code"] == "not_found"


@pytest.mark.parametrize("address", ["/api/v1/auth/tokens?cursor=a%00b", "/api/v1/auth/tokens?a=1&%00x=b"])
def test_a_nul_in_the_query_is_refused(address: str) -> None:
    answer = Client().get(address)
    assert answer.status_code == 400
    assert "NUL" in answer.json()["error"]


def test_a_nul_in_the_path_is_refused_by_the_api_and_the_admin() -> None:
    assert Client().get("/api/v1/a%00b").json()["code"] == "invalid"
    assert Client().get("/admin/a%00b").status_code == 400


def test_a_huge_body_is_refused_without_being_read() -> None:
    answer = post(b'{"email": "' + b"a" * (10 * 1024 * 1024) + b'"}')
    assert (answer.status_code, answer.json()["code"]) == (400, "body_too_large")


def test_addresses_work_with_and_without_a_slash_at_the_end(make_user: Any) -> None:
    client = APIClient()
    client.force_authenticate(make_user("ann", "viewer"))
    assert client.get("/api/v1/auth/me").status_code == client.get("/api/v1/auth/me/").status_code == 200
    assert client.get("/health/").status_code == 200
    assert client.post("/api/v1/auth/tokens/", {"name": "x"}).status_code == 201


def test_a_cursor_from_elsewhere_is_no_500(make_user: Any) -> None:
    client = APIClient()
    client.force_authenticate(make_user("ann", "viewer"))
    for cursor in ("x", "cD1hYmM%3D", "bz05OTk5OTk5OTk5OTk5OTk5OTk5OQ%3D%3D"):
        assert client.get(f"/api/v1/auth/tokens?cursor={cursor}").status_code in (200, 400, 404)


def test_an_id_beyond_any_column_is_a_404(make_user: Any) -> None:
    client = APIClient()
    client.force_authenticate(make_user("ann", "viewer"))
    assert client.delete(f"/api/v1/auth/tokens/{10**30}").status_code == 404
    assert client.delete(f"/api/v1/auth/tokens/{10**17}").json()["code"] == "not_found"


class ParkedError(Exception):
    status_code = 409
    code = "parked"
    extra = {"auth_url": "https://example.com/start"}


def test_a_services_own_exception_is_answered_as_it_says() -> None:
    answer = exception_handler(ParkedError("Connect it again."), {})
    assert answer is not None
    assert answer.status_code == 409
    assert answer.data == {"error": "Connect it again.", "code": "parked", "auth_url": "https://example.com/start"}


def test_djangos_validation_is_a_400_and_an_unforeseen_error_is_left_to_django() -> None:
    answer = exception_handler(DjangoValidationError({"email": ["Not an address."]}), {})
    assert answer is not None
    assert answer.data["error"] == "email: Not an address."
    assert exception_handler(RuntimeError("boom"), {}) is None


def test_an_unforeseen_error_answers_json_with_the_id_of_its_log_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: Any) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("crmsync.health.health", explode)
    answer = Client(raise_request_exception=False).get("/health")
    assert answer.status_code == 500
    assert answer.json()["id"] == answer["X-Request-ID"]
    assert "boom" not in answer.content.decode()


def test_the_admin_answers_people_with_pages() -> None:
    answer = errors.not_found(RequestFactory().get("/admin/nothing"), Exception())
    assert answer["Content-Type"].startswith("text/html")


def test_only_the_admin_may_evaluate_scripts() -> None:
    client = Client()
    assert "'unsafe-eval'" in client.get("/admin/login/")["Content-Security-Policy"]
    assert "'unsafe-eval'" not in client.get("/health")["Content-Security-Policy"]
