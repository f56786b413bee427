"""The bodies of n8n's answers, as a real one gave them (sheets 3, 4 and 8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# Stands for Express's page about the address that was asked for.
NOT_FOUND = {"page": "not found"}
STARTED = {"message": "Workflow was started"}
FAILED = {"message": "Error in workflow"}
NO_RESPONSE = {"code": 0, "message": "No Respond to Webhook node found in the workflow"}
OVER_LIMIT = {"code": 0, "message": "There was a problem executing the workflow"}
NOT_JSON = {
    "code": 422,
    "message": "Failed to parse request body",
    "hint": "Unterminated string in JSON at position 3",
}
NOT_UNPACKED = {"message": "unsupported content encoding"}
NO_KEY = {"message": "'X-N8N-API-KEY' header required"}
BAD_KEY = {"message": "unauthorized"}
LIMIT_TOO_HIGH = {"message": "request/query/limit must be <= 250"}
PROXY_PAGE = b"<html><head><title>413 Request Entity Too Large</title></head><body></body></html>"


def no_such_page(method: str, path: str) -> bytes:
    return f"<!DOCTYPE html>\n<html><body><pre>Cannot {method} {path}</pre></body></html>\n".encode()


def not_registered(method: str, path: str) -> dict[str, Any]:
    return {
        "code": 404,
        "message": f'The requested webhook "{method} {path}" is not registered.',
        "hint": "The workflow must be active for a production URL to run successfully. You can activate the workflow"
        " using the toggle in the top-right of the editor. Note that unlike test URL calls, production URL calls"
        " aren't shown on the canvas (only in the executions list)",
    }


def not_listening(method: str, path: str) -> dict[str, Any]:
    return {
        "code": 404,
        "message": f'The requested webhook "{method} {path}" is not registered.',
        "hint": "Click the 'Execute workflow' button on the canvas, then try again. (In test mode, the webhook only"
        " works for one call after you click this button)",
    }


def other_method(method: str, taken: Sequence[str]) -> dict[str, Any]:
    *most, last = taken
    named = f"{', '.join(most)} or {last}" if most else last
    message = f"This webhook is not registered for {method} requests. Did you mean to make a {named} request?"
    return {"code": 404, "message": message}


def unknown_parameter(name: str) -> dict[str, Any]:
    return {"message": f"Unknown query parameter '{name}'"}


def workflow(path: str, methods: Sequence[str], door: str, responds: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {"path": path, "responseMode": responds, "options": {}}
    parameters |= {"httpMethod": methods[0]} if len(methods) == 1 else {"multipleMethods": True, "httpMethod": methods}
    if door != "none":
        parameters["authentication"] = door
    node = {"name": "Webhook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "parameters": parameters}
    return {"id": "crmsyncIntake0001", "name": "crmsync intake", "active": True, "nodes": [node]}
