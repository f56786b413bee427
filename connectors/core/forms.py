"""Reads form bodies with PHP's bracket keys, `a[b][0][c]=1`, whatever a stranger puts into them.

Time and memory grow with the body's length alone: nothing recurses, and what is too deep, too long or too much is
refused before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

LONGEST_INDEX = 9


class Malformed(Exception):
    """A body that cannot be what it says it is. The text is a sentence without any of the body's own words."""


@dataclass(frozen=True, slots=True)
class FormLimits:
    """`size` in bytes, `keys` in `name=value` pairs, `depth` in names of one key, `name` in bytes of a whole key."""

    size: int = 4 * 1024 * 1024
    keys: int = 100_000
    depth: int = 12
    name: int = 1000


class _Branch(dict[str, Any]):
    """A part of the tree; `next` is the index that an empty pair of brackets stands for."""

    __slots__ = ("next",)

    def __init__(self) -> None:
        super().__init__()
        self.next = 0


def check_form(body: bytes, limits: FormLimits = FormLimits()) -> None:
    """Refuses what is too long or has too many keys, without reading it. Raises Malformed."""
    if len(body) > limits.size:
        raise Malformed("The body is too large.")
    if body.count(b"&") >= limits.keys:
        raise Malformed("The body has too many keys.")


def parse_form(body: bytes, limits: FormLimits = FormLimits()) -> dict[str, Any]:
    """A tree of dicts with texts as leaves; indexes stay keys, as they may have gaps. Raises Malformed.

    Of two equal keys the later counts, as in PHP. Where a key is both a text and a branch the branch stays: ids are
    in branches. Bytes that are not UTF-8 become U+FFFD, NUL characters are dropped.
    """
    check_form(body, limits)
    root = _Branch()
    for piece in body.split(b"&"):
        raw_name, _, raw_value = piece.partition(b"=")
        if not raw_name:
            continue
        if len(raw_name) > 3 * limits.name:
            raise Malformed("A key is too long.")
        _put(root, _path(_text(raw_name), limits), _text(raw_value))
    return root


def flat(tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(`a[b][0]`, text) of every leaf, in order; lists count from 0."""
    waiting: list[tuple[str, Any]] = list(tree.items())[::-1]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, Mapping | list):
            inner = value.items() if isinstance(value, Mapping) else enumerate(value)
            waiting += [(f"{path}[{name}]", held) for name, held in inner][::-1]
        else:
            yield path, str(value)


def _text(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8", "replace").replace("\0", "")


def _path(name: str, limits: FormLimits) -> list[str]:
    """`a[b][]` → a, b, "". What is not closed properly belongs to the name before it, as in PHP."""
    if len(name) > limits.name:
        raise Malformed("A key is too long.")
    if name.count("[") >= limits.depth:
        raise Malformed("A key is nested too deeply.")
    head, bracket, rest = name.partition("[")
    if not bracket or not head:
        return [name]
    parts = [head]
    while True:
        inner, closed, rest = rest.partition("]")
        if not closed:
            parts[-1] += f"[{inner}"
            return parts
        parts.append(inner)
        if not rest.startswith("["):
            return parts
        rest = rest[1:]


def _put(root: _Branch, path: list[str], value: str) -> None:
    at = root
    for name in path[:-1]:
        name = _named(at, name)
        inner = at.get(name)
        if not isinstance(inner, _Branch):
            inner = at[name] = _Branch()
        at = inner
    name = _named(at, path[-1])
    if not isinstance(at.get(name), _Branch):
        at[name] = value


def _named(branch: _Branch, name: str) -> str:
    """The key itself, or the next free index for an empty one."""
    if not name:
        name = str(branch.next)
    if name.isascii() and name.isdecimal() and len(name) <= LONGEST_INDEX:
        branch.next = max(branch.next, int(name) + 1)
    return name
