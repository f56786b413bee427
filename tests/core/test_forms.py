"""Form bodies with bracket keys: what PHP would make of them, and what strangers may do to the parser."""

from __future__ import annotations

import sys
from urllib.parse import quote, urlencode

import pytest

from connectors.core.forms import FormLimits, Malformed, flat, parse_form


def test_brackets_become_a_tree_with_decoded_texts() -> None:
    pairs = [("contacts[update][0][name]", "Эрик Леонхард"), ("contacts[update][0][id]", 17), ("account[id]", 5)]
    tree = parse_form(urlencode(pairs).encode())
    assert tree == {"contacts": {"update": {"0": {"name": "Эрик Леонхард", "id": "17"}}}, "account": {"id": "5"}}
    assert parse_form(b"a[b]=x+y%20z%2B&c") == {"a": {"b": "x y z+"}, "c": ""}


def test_indexes_may_have_gaps_repeat_and_be_left_out() -> None:
    assert parse_form(b"a[7]=x&a[3]=y&a[]=z&a[]=w") == {"a": {"7": "x", "3": "y", "8": "z", "9": "w"}}
    assert parse_form(b"a[x][]=1&a[x][]=2") == {"a": {"x": {"0": "1", "1": "2"}}}
    assert parse_form(b"a=1&a=2") == {"a": "2"}


@pytest.mark.parametrize("body", [b"a=1&a[b]=2", b"a[b]=2&a=1"])
def test_where_keys_conflict_the_branch_stays(body: bytes) -> None:
    assert parse_form(body) == {"a": {"b": "2"}}


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        (b"", {}),
        (b"&&=&=1", {}),
        (b"a[b=1", {"a[b": "1"}),
        (b"a[b]c[d]=1", {"a": {"b": "1"}}),
        (b"[a]=1", {"[a]": "1"}),
        (b"a]=1", {"a]": "1"}),
        (b"a=%zz%f0%00b", {"a": "%zz\ufffdb"}),
    ],
)
def test_what_is_not_well_formed_is_survived(body: bytes, tree: dict) -> None:
    assert parse_form(body) == tree


@pytest.mark.parametrize(
    "body",
    [
        b"a" + b"[b]" * 12 + b"=1",
        b"a" + quote("[" * 300).encode() + b"=1",
        b"a" * 1001 + b"=1",
        b"%61" * 1001 + b"=1",
        b"a=1&" * 100_000,
        b"a=" + b"x" * (4 << 20),
    ],
)
def test_what_is_too_deep_too_long_or_too_much_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse_form(body)


def test_depth_counts_names_and_recursion_is_not_used() -> None:
    limits = FormLimits(depth=sys.getrecursionlimit() * 2, name=100_000)
    deep = parse_form(b"a" + b"[b]" * (sys.getrecursionlimit() + 500) + b"=1", limits)
    ((path, value),) = flat(deep)
    assert (path.count("[b]"), value) == (sys.getrecursionlimit() + 500, "1")


PIECES = ["a[]={}", "a[{}]=1", "a[0][b][{}][c]=1", "a{}[b]=1", "a[b]={}", "a[" + "9" * 900 + "]={}"]


@pytest.mark.parametrize("piece", PIECES)
def test_work_grows_with_length_alone(piece: str) -> None:
    """Counted in calls, which no busy machine changes."""

    def calls(count: int) -> int:
        body = "&".join(piece.replace("{}", str(i)) for i in range(count)).encode()
        counted = 0

        def count_one(*_: object) -> None:
            nonlocal counted
            counted += 1

        sys.setprofile(count_one)
        try:
            parse_form(body)
        finally:
            sys.setprofile(None)
        return counted

    assert calls(2000) < 4.1 * calls(500)


def test_flat_reads_lists_too() -> None:
    assert list(flat({"a": [{"b": 1}, 2], "c": {}})) == [("a[0][b]", "1"), ("a[1]", "2")]
