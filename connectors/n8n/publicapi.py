"""n8n's public API, asked only whether the workflow is there and fits: no contact travels over it (sheet 8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import ApiClient
from connectors.core.replies import Reply
from connectors.n8n.address import Address
from connectors.n8n.refusals import INACTIVE, WRONG_METHOD
from connectors.n8n.signing import NONE

WEBHOOK_NODE = "n8n-nodes-base.webhook"
PAGE = 100
MOST_PAGES = 50
NO_API = "There is no public API of n8n at its address (HTTP 404): it is switched off there, or the address is another."
BAD_KEY = "n8n refuses the API key (HTTP 401): create one under Settings -> n8n API."
NO_SCOPE = "The API key may not list workflows (HTTP 403): give it the scope workflow:list."
OTHER_WAY_IN = {
    "none": "The webhook node lets everybody in: leave header, user and JWT empty.",
    "basicAuth": "The webhook node asks for Basic Auth: fill in user name and password, and nothing else.",
    "headerAuth": "The webhook node asks for Header Auth: fill in name and value of the header, and nothing else.",
    "jwtAuth": "The webhook node asks for JWT Auth: fill in the JWT secret, and nothing else.",
}
UNKNOWN_WAY_IN = "The webhook node asks for a way of signing in that is not known here; choose another one there."
INVISIBLE = (
    "The webhook responds immediately, so that a failure of the workflow cannot be seen here: let it respond with a"
    " Respond to Webhook node at its end."
)


@dataclass(frozen=True, slots=True)
class Intake:
    """A workflow's webhook node, as the API shows it."""

    workflow: str
    methods: Sequence[str]
    way_in: str
    response_mode: str


class PublicApi:
    """Raises ApiError only."""

    def __init__(self, context: Context, address: Address, *, account: str) -> None:
        key = context.secret("api_key")
        self._address = address
        self._http = ApiClient(
            context,
            f"{address.base}/api/v1",
            account=account,
            sign=lambda headers: headers.update({"X-N8N-API-KEY": key}),
            classify=self._read_refusal,
        )

    def check(self, way_in: str) -> tuple[str, tuple[str, ...]]:
        """The workflow's name, and sentences about what is unwise. Raises ApiError (CONFIG) for what cannot work."""
        intake = self._intake()
        if "POST" not in intake.methods:
            raise ApiError(ErrorKind.CONFIG, WRONG_METHOD)
        if intake.way_in != way_in:
            raise ApiError(ErrorKind.CONFIG, OTHER_WAY_IN.get(intake.way_in, UNKNOWN_WAY_IN))
        return intake.workflow, (INVISIBLE,) if intake.response_mode == "onReceived" else ()

    def close(self) -> None:
        self._http.close()

    def _intake(self) -> Intake:
        """The active workflow behind the address. Raises ApiError (CONFIG) when there is none."""
        for workflow in self._workflows():
            for node in _members(workflow.get("nodes")):
                found = _parameters(node)
                if node.get("type") == WEBHOOK_NODE and not node.get("disabled"):
                    path = str(found.get("path") or node.get("webhookId") or "")
                    if path and self._address.leads_to(path):
                        return _intake(str(workflow.get("name") or ""), found)
        raise ApiError(ErrorKind.CONFIG, INACTIVE)

    def _workflows(self) -> Iterator[Mapping[str, Any]]:
        params: dict[str, Any] = {"active": "true", "limit": PAGE}
        for _ in range(MOST_PAGES):
            reply = self._http.get("/workflows", params=params)
            yield from _members(reply.member("data"))
            cursor = reply.member("nextCursor")
            if not cursor:
                return
            params = {"cursor": cursor}

    def _read_refusal(self, reply: Reply) -> ApiError | None:
        match reply.status:
            case 401:
                return ApiError(ErrorKind.AUTH, BAD_KEY, status=401)
            case 403:
                return ApiError(ErrorKind.CONFIG, NO_SCOPE, status=403)
            case 404:
                return ApiError(ErrorKind.CONFIG, NO_API, status=404)
        return None


def _intake(workflow: str, parameters: Mapping[str, Any]) -> Intake:
    """What a node leaves out is its default: GET, no sign-in, an answer at once."""
    methods = parameters.get("httpMethod") or "GET"
    return Intake(
        workflow,
        [str(m) for m in methods] if isinstance(methods, list) else [str(methods)],
        str(parameters.get("authentication") or NONE),
        str(parameters.get("responseMode") or "onReceived"),
    )


def _parameters(node: Mapping[str, Any]) -> Mapping[str, Any]:
    found = node.get("parameters")
    return found if isinstance(found, dict) else {}


def _members(value: Any) -> list[Mapping[str, Any]]:
    return [m for m in value if isinstance(m, dict)] if isinstance(value, list) else []
