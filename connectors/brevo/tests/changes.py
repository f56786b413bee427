"""Changes and what became of them, for Brevo's tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.brevo.connector import Brevo
from connectors.brevo.sandbox import BrevoSandbox
from connectors.core.types import Change, MatchKey, Op, Outcome


def upsert(ref: int, email: str = "", **values: Any) -> Change:
    email = email or f"p{ref}@example.com"
    everything = {"EMAIL": email, "FIRSTNAME": f"N{ref}", **values}
    return Change(ref, Op.UPSERT, everything, key=MatchKey("email", email), all_values=everything)


def update(ref: int, number: str, email: str = "", **values: Any) -> Change:
    everything = {"EMAIL": email, **values} if email else values
    return Change(ref, Op.UPDATE, values, external_id=number, all_values=everything)


def written(brevo: Brevo, changes: Iterable[Change]) -> dict[int, Outcome]:
    changes = list(changes)
    outcomes = list(brevo.write("contacts", iter(changes)))
    assert len(outcomes) == len({o.ref for o in outcomes}) == len(changes)
    return {o.ref: o for o in outcomes}


def requests(sandbox: BrevoSandbox, method: str, path: str) -> int:
    return sum(1 for seen in sandbox.seen if seen.method == method and seen.path == f"/v3{path}")


def person(sandbox: BrevoSandbox, email: str) -> dict[str, Any]:
    return next(p for p in sandbox.people() if p["email"] == email)
