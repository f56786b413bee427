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
    "auth", "connections", "contacts", "gateway", "health", "mirror", "reviews", "runs", "sync", "tokens", "webhooks",
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
