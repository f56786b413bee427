"""The stand-in's `batch`: commands in order, references into earlier results, and one answer for all (sheet 6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from connectors.bitrix24.sandbox_refusals import not_found, refused
from connectors.core.forms import FormLimits, parse_form
from connectors.core.sandbox import Refused

MOST = 50
_REFERENCE = re.compile(r"\$result((?:\[[^\[\]]*\])+)")
_LIMITS = FormLimits(keys=1_000_000)

# (result, total, next, time) of one command.
Done = tuple[Any, int | None, int | None, dict[str, Any]]


def php(tree: Any) -> Any:
    """As PHP's own JSON has it: what has the keys 0 to n-1 is a list."""
    if not isinstance(tree, dict):
        return tree
    inner = {name: php(value) for name, value in tree.items()}
    return list(inner.values()) if list(inner) == [str(n) for n in range(len(inner))] and inner else inner


def form(text: bytes) -> dict[str, Any]:
    """The parameters of a query or of a form."""
    found = php(parse_form(text, _LIMITS))
    return found if isinstance(found, dict) else {}


def carry_out(asked: Mapping[str, Any], run: Callable[[str, dict[str, Any]], Done]) -> dict[str, Any]:
    """The `result` of a batch. A command that fails has an entry in `result_error` and none in `result`."""
    commands = asked.get("cmd")
    listed = list(commands.items()) if isinstance(commands, dict) else list(enumerate(commands or []))
    halt = str(asked.get("halt") or "0") not in ("0", "false", "False")
    results: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    totals: dict[str, int] = {}
    nexts: dict[str, int] = {}
    times: dict[str, Any] = {}
    for place, (key, command) in enumerate(listed):
        try:
            if place >= MOST:
                raise refused(400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
            method, _, query = str(command).partition("?")
            if method == "batch":
                raise refused(405, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
            result, total, following, time = run(method, _resolved(form(query.encode()), results))
        except Refused as e:
            errors[str(key)] = e.reply.body
            if halt:
                break
            continue
        results[str(key)], times[str(key)] = result, time
        if total is not None:
            totals[str(key)] = total
        if following is not None:
            nexts[str(key)] = following
    numbered = not isinstance(commands, dict)
    shaped = {name: _shape(part, numbered) for name, part in (("result", results), ("result_error", errors))}
    return {
        **shaped, "result_total": _shape(totals, numbered), "result_next": _shape(nexts, numbered),
        "result_time": _shape(times, numbered),
    }  # fmt: skip


def _shape(part: dict[str, Any], numbered: bool) -> Any:
    """Empty maps are lists, and so are those whose keys are 0 to n-1."""
    return php(part) if numbered and part else part or []


def _resolved(value: Any, results: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _resolved(inner, results) for name, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, results) for inner in value]
    return _REFERENCE.sub(lambda found: _referred(found[1], results), value) if isinstance(value, str) else value


def _referred(path: str, results: Mapping[str, Any]) -> str:
    """What does not resolve is empty."""
    at: Any = results
    for name in re.findall(r"\[([^\[\]]*)\]", path):
        if isinstance(at, dict) and name in at:
            at = at[name]
        elif isinstance(at, list) and name.isdigit() and int(name) < len(at):
            at = at[int(name)]
        else:
            return ""
    return "" if isinstance(at, dict | list) or at is None else str(at)


def number_of(asked: Mapping[str, Any]) -> int:
    """The `id` of a method. Raises Refused when it is none."""
    text = str(asked.get("id") or asked.get("ID") or "")
    if not text.isdigit() or int(text) == 0:
        raise not_found("ID is not defined or invalid.")
    return int(text)
