"""What n8n's refusals mean. The status judges; bodies tell sentences apart, as people make them (sheet 3)."""

from __future__ import annotations

import re

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.replies import Reply

INACTIVE = (
    "No active workflow has this webhook: publish (activate) the workflow in n8n, and copy the node's Production URL"
    " anew; capital letters count."
)
WRONG_METHOD = "The webhook does not take POST: choose POST as the HTTP method of the webhook node, and publish again."
TEST_ADDRESS = (
    "This is the webhook's Test URL, which takes one call after a click on “Execute workflow” in n8n: enter the"
    " Production URL."
)
NOT_N8N = "What answers at this address is not an n8n webhook: check the address."
NOTHING_THERE = (
    "There is no n8n webhook at this address yet (HTTP 404, no answer of n8n's): n8n is starting, or the address is"
    " that of another server; check it if this goes on."
)
BAD_CREDENTIALS = (
    "The webhook refuses the credentials (HTTP %d): enter those of the webhook node, in the way that it has chosen."
)
NOT_LET_IN = (
    "n8n does not let this server in (HTTP 403): look at the allowed IP addresses and “Ignore Bots” of the webhook"
    " node."
)
TOO_LARGE = (
    "This contact alone is larger than n8n or the proxy before it takes: send fewer fields of it, or raise"
    " N8N_PAYLOAD_SIZE_MAX there."
)
UNREADABLE = "n8n could not read the request."
REFUSED = "The workflow refused this contact: its execution in n8n tells why."
FAILS_WITH_IT = "The workflow fails with this contact: its failed execution in n8n tells why."
WORKFLOW_FAILS = "The workflow fails (HTTP 500): look at its failed executions in n8n."
NO_ANSWER = (
    "n8n answered with nothing, as it does when a workflow fails before its Respond to Webhook node: look at its"
    " executions in n8n. If the workflow means to answer nothing, switch “Empty answers are good” on."
)
NO_RESPONSE_NODE = (
    "The workflow ended without its Respond to Webhook node (HTTP 500): connect every way through it to that node."
)
A_PAGE = "A web page came instead of the workflow's answer: a login or maintenance page stands before n8n."
# Its whole text, where a body is over N8N_PAYLOAD_SIZE_MAX (sheet 2).
_OVER_LIMIT = "There was a problem executing the workflow"
_WRONG_DATA = re.compile(rb"Authorization data is wrong|Authorization is required|invalid token|jwt |No token", re.I)
_PAGE = re.compile(rb"\s*(<!doctype html|<html)\b", re.I)
_NOT_FOR = re.compile(r"not registered for \w+ requests\. Did you mean to make an? (.+) request")


def read_refusal(reply: Reply) -> ApiError | None:
    """n8n's meaning of a refused answer, None where the general reading will do."""
    status = reply.status
    match status:
        case 401:
            return ApiError(ErrorKind.AUTH, BAD_CREDENTIALS % status, status=status)
        case 403:
            return _forbidden(reply)
        case 404:
            return _not_found(reply)
        case 400 | 415 | 422:
            return ApiError(ErrorKind.DATA, UNREADABLE, status=status)
        case 413:
            return ApiError(ErrorKind.DATA, TOO_LARGE, status=status)
        case 405 | 406 | 409 | 410 | 411 | 412 | 414:
            return ApiError(ErrorKind.DATA, REFUSED, status=status)
        case 500 if not is_page(reply):
            return _workflow_failed(reply)
    return None


def _forbidden(reply: Reply) -> ApiError:
    """Wrong credentials carry a challenge and n8n's own words; a node's lists of addresses and bots do not."""
    if "www-authenticate" in reply.headers or _WRONG_DATA.search(reply.content[:500]):
        return ApiError(ErrorKind.AUTH, BAD_CREDENTIALS % 403, status=403)
    return ApiError(ErrorKind.CONFIG, NOT_LET_IN, status=403)


def _not_found(reply: Reply) -> ApiError:
    """n8n says in JSON what is wrong; a page is its start-up, or another server."""
    if not isinstance(reply.json, dict):
        return ApiError(ErrorKind.TRANSIENT, NOTHING_THERE, status=404)
    message, hint = str(reply.json.get("message") or ""), str(reply.json.get("hint") or "")
    if other_methods(reply.json):
        sentence = WRONG_METHOD
    elif "Execute workflow" in hint or "Test workflow" in hint:
        sentence = TEST_ADDRESS
    elif "registered" in message:
        sentence = INACTIVE
    else:
        sentence = NOT_N8N
    return ApiError(ErrorKind.CONFIG, sentence, status=404, body=reply.json)


def other_methods(body: object) -> list[str]:
    """The methods that the webhook takes instead of the one it was called with, none where it is not there."""
    found = _NOT_FOR.search(str(body.get("message") or "")) if isinstance(body, dict) else None
    return re.findall(r"[A-Z]+", found[1]) if found else []


def _workflow_failed(reply: Reply) -> ApiError:
    """Nobody knows how far it came: UNKNOWN."""
    message = str(reply.member("message") or "")
    sentence = NO_RESPONSE_NODE if "No Respond to Webhook node" in message else WORKFLOW_FAILS
    return ApiError(ErrorKind.UNKNOWN, sentence, status=500, body=message)


def is_page(reply: Reply) -> bool:
    """Whether a whole web page came. The content type would not tell: n8n gives that of HTML to plain texts too."""
    return _PAGE.match(reply.content) is not None


def is_oversize(error: ApiError) -> bool:
    """Whether the request may have been too large: n8n says so with 500, a proxy before it with 413 (sheet 2)."""
    return error.status == 413 or (error.status == 500 and error.body == _OVER_LIMIT)


def is_unread(error: ApiError) -> bool:
    """Whether the body did not get as far as the workflow."""
    return error.status in (400, 415, 422)


def is_workflow_failure(error: ApiError) -> bool:
    """Whether it was a node that failed, not n8n or what stands before it."""
    return error.message in (WORKFLOW_FAILS, NO_RESPONSE_NODE, NO_ANSWER)
