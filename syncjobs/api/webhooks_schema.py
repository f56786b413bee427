"""Puts the plain webhook view into the API schema: one pair of addresses for every connector that has webhooks."""

from __future__ import annotations

from typing import Any

from connectors.core import registry

TEXT = {"type": "string"}
_FORM = {"title": "WebhookForm", "type": "object", "additionalProperties": True}
_EVENT_TYPE = {
    "name": "event_type",
    "in": "path",
    "required": True,
    "schema": TEXT,
    "description": "Any word; subscriptions made by the hub say `all`.",
}
_TOKEN = {"name": "token", "in": "path", "required": True, "schema": TEXT, "description": "The subscription's secret."}
_TOKEN_IN_QUERY = {**_TOKEN, "in": "query", "required": False}
_ERROR = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
_ACCEPTED = {"title": "WebhookAccepted", "type": "object", "required": ["status"], "properties": {"status": TEXT}}


def add_webhooks(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Postprocessing hook. Runs before the one that adds what every operation refuses."""
    paths = result.setdefault("paths", {})
    for slug, connector in registry.all_connectors().items():
        if connector.webhooks is not None:
            base = f"/api/v1/webhooks/{slug}/{{event_type}}"
            paths[base] = {"post": _operation(f"webhooks_{slug}", [_EVENT_TYPE, _TOKEN_IN_QUERY])}
            for name in (slug, *connector.spec.aliases):
                paths[f"/api/v1/webhooks/{name}"] = {"post": _operation(f"webhooks_{name}_all", [_TOKEN_IN_QUERY])}
            with_token = _operation(f"webhooks_{slug}_with_token", [_EVENT_TYPE, _TOKEN])
            paths[f"{base}/{{token}}"] = {"post": with_token}
    result["paths"] = dict(sorted(paths.items()))
    return result


def _operation(name: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "operationId": name,
        "description": "Takes in a webhook: stored, answered at once, processed by the worker.",
        "parameters": parameters,
        "tags": ["webhooks"],
        "security": [{}],
        "requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": _FORM}}},
        "responses": {
            "200": {"description": "Stored.", "content": {"application/json": {"schema": _ACCEPTED}}},
            "413": {"description": "The body is too large.", "content": _ERROR},
        },
    }
