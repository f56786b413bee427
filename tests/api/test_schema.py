"""The schema that generated clients are made of: kept in docs/openapi.yaml, with names that read well in code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from drf_spectacular.renderers import OpenApiYamlRenderer

from tests.api.operations import SCHEMA, operations

KEPT = Path(settings.BASE_DIR) / "docs" / "openapi.yaml"
AREAS = {
    "audit", "auth", "connections", "contacts", "duplicates", "gateway", "health", "mirror", "reviews", "runs", "sync",
    "tokens", "webhooks",
}  # fmt: skip
REGENERATE = "docs/openapi.yaml is out of date: run `.venv/bin/python manage.py spectacular --file docs/openapi.yaml`"


def test_the_kept_schema_is_the_one_that_is_served() -> None:
    served = OpenApiYamlRenderer().render(SCHEMA, renderer_context={}).decode()
    assert KEPT.read_text(encoding="utf-8") == served, REGENERATE


def test_operations_have_names_of_their_own_that_a_client_can_use() -> None:
    names = [described["operationId"] for _, _, described in operations()]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name)


@pytest.mark.parametrize(("method", "path", "described"), list(operations()))
def test_each_operation_belongs_to_an_area_and_documents_its_refusals(method: str, path: str, described: dict) -> None:
    assert len(described["tags"]) == 1
    assert described["tags"][0] in AREAS
    assert {"400", "401", "403", "404", "429"} <= described["responses"].keys()
    # Only what depends on something outside may be unavailable, and nothing may plan to fail.
    assert {code for code in described["responses"] if code.startswith("5")} <= {"503"}


@pytest.mark.parametrize(("name", "described"), SCHEMA["components"]["schemas"].items())
def test_no_name_is_both_an_object_and_a_member_of_it(name: str, described: dict) -> None:
    """Generated code has one variable for the two; only plain values survive that."""
    member = described.get("properties", {}).get(re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(), {})
    assert member.get("type", "string") == "string"
    assert "$ref" not in member


def test_every_object_of_an_answer_has_a_name() -> None:
    for method, path, described in operations():
        for answer in described["responses"].values():
            for content in answer.get("content", {}).values():
                assert content["schema"].get("type") != "object", f"{method} {path}"


def test_only_what_is_open_to_strangers_says_so() -> None:
    open_ones = {described["operationId"] for _, _, described in operations() if described.get("security") == []}
    assert {"auth_login", "auth_refresh", "health"} <= open_ones
    assert all(name in ("auth_login", "auth_refresh", "health") or name.startswith("webhooks_") for name in open_ones)
