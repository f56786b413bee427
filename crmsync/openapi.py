"""Teaches the API schema our authentication and our form of errors."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

ERROR = {
    "type": "object",
    "description": "Every refusal has this form.",
    "required": ["error", "code"],
    "properties": {
        "error": {"type": "string", "description": "A sentence for people."},
        "code": {"type": "string", "description": "A word for programs."},
        "fields": {
            "type": "object",
            "description": "What is wrong with which field of the input.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}
COMMON_REFUSALS = {
    "400": "The input is not valid.",
    "401": "Nobody, or somebody unknown, is calling.",
    "403": "The caller's role does not allow this.",
    "404": "There is no such thing.",
    "415": "The body is not JSON.",
    "429": "Too many requests: the header Retry-After says when to try again.",
}
WRITE_REFUSALS = {"409": "It does not fit the present state of things."}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "crmsync.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token from /api/v1/auth/login, an API token, or a Supabase session.",
        }


def add_refusals(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Postprocessing hook: documents the refusals that every operation shares."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for operations in result.get("paths", {}).values():
        for method, operation in operations.items():
            if method not in {"get", "post", "put", "patch", "delete"}:
                continue
            refusals = COMMON_REFUSALS if method == "get" else {**COMMON_REFUSALS, **WRITE_REFUSALS}
            for code, description in refusals.items():
                operation["responses"].setdefault(code, {"description": description, "content": content})
    return result


def tell_open_operations(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Postprocessing hook: what needs no credentials has an empty list of ways in.

    A list of one way without conditions means the same, but generated clients then ask for credentials.
    """
    for operations in result.get("paths", {}).values():
        for operation in operations.values():
            if isinstance(operation, dict) and operation.get("security") == [{}]:
                operation["security"] = []
    return result


def name_objects(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Postprocessing hook: an object with a title becomes a component of that name, which clients make a type of."""
    named: dict[str, Any] = {}
    result["paths"] = _named(result.get("paths", {}), named)
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    taken = sorted(named.keys() & schemas.keys())
    if taken:
        raise ValueError(f"These titles are names of serializers too: {', '.join(taken)}")
    result["components"]["schemas"] = dict(sorted({**schemas, **named}.items()))
    return result


def _named(node: Any, named: dict[str, Any]) -> Any:
    """The node with references in the place of titled objects, which are collected in `named`."""
    if isinstance(node, list):
        return [_named(item, named) for item in node]
    if not isinstance(node, dict):
        return node
    made = {name: _named(value, named) for name, value in node.items()}
    title = made.get("title")
    if made.get("type") != "object" or not isinstance(title, str):
        return made
    named[title] = {name: value for name, value in made.items() if name != "title"}
    return {"$ref": f"#/components/schemas/{title}"}
