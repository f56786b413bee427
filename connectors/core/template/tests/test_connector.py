"""What is peculiar to Template CRM; the conformance suite has the rest."""

from __future__ import annotations

from connectors.core.clock import ManualClock
from connectors.core.sandbox import Fault
from connectors.core.template.connector import TemplateConnector
from connectors.core.template.sandbox import TemplateSandbox
from connectors.core.testing import sandbox_context
from connectors.core.types import CONTACTS, Change, MatchKey, Op


def change(ref: int, email: str) -> Change:
    return Change(ref, Op.UPSERT, {"email": email, "first_name": "Ann"}, key=MatchKey("email", email))


def test_an_answer_with_too_few_rows_loses_nobody() -> None:
    sandbox = TemplateSandbox(ManualClock())
    answer = {"contacts": [{"id": 1, "new": True}]}
    sandbox.faults.append(Fault("status", method="POST", status=200, body=answer))
    connector = TemplateConnector(sandbox_context(TemplateConnector, sandbox))
    outcomes = list(connector.write(CONTACTS, [change(1, "ann@example.com"), change(2, "bob@example.com")]))
    assert [(o.ref, o.ok) for o in outcomes] == [(1, True), (2, False)]
    connector.close()
