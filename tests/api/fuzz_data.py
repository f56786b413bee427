"""The hub that the fuzzer meets: rows of every kind under known ids, in every state, and an administrator's token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import requests
from django.contrib.auth.models import User
from django.utils import timezone

from connectors import services
from connectors.core import registry
from connectors.core.sandbox import Sandbox
from connectors.core.testing import SandboxAdapter
from connectors.models import Connection, FieldRule
from contacts.models import Contact
from crmsync.models import TOKEN_MARK, ApiToken, digest
from crmsync.roles import ADMINISTRATOR, give_role
from syncjobs.models import ContactSync, Run, RunItem, RunKind, RunStatus
from syncjobs.states import ERROR, LEGAL_PAIRS, PROCESSING, QUEUED, Pair
from tests.api.conftest import SLUGS
from tests.factories import ContactFactory

TOKEN = f"{TOKEN_MARK}0badcafe_for-tests-only"
CONTACT_IDS = [f"01900000-0000-7000-8000-{number:012x}" for number in range(len(LEGAL_PAIRS) + 1)]
ROW_IDS = [1_000_001, 1_000_002]  # of API tokens, field rules and runs: the fuzzer knows a path's `id`, not its kind


class AdapterBySite(SandboxAdapter):
    """Asks the sandbox whose key the host's name begins with; there is nothing at other addresses."""

    def __init__(self, sandboxes: dict[str, Sandbox]) -> None:
        super().__init__(next(iter(sandboxes.values())))
        self.sandboxes = sandboxes

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        name = str(urlsplit(request.url or "").hostname).partition(".")[0]
        if name not in self.sandboxes:
            raise requests.ConnectionError("nobody answers there", request=request)
        return SandboxAdapter(self.sandboxes[name]).send(request, *args, **kwargs)


def fill() -> AdapterBySite:
    """Stores all of it; answers the transport to the sandboxes of its connections."""
    user = User.objects.create_user("fuzzer", "fuzzer@example.com")
    give_role(user, ADMINISTRATOR)
    ApiToken.objects.create(user=user, name="fuzzer", prefix="0badcafe", sha256=digest(TOKEN))
    for number in ROW_IDS:
        ApiToken.objects.create(id=number, user=user, name="another", prefix="00000000", sha256=digest(str(number)))
    contacts = [ContactFactory(id=UUID(contact_id), domain_id="example") for contact_id in CONTACT_IDS]
    sandboxes = {slug: registry.sandbox_class(slug)() for slug in SLUGS}  # type: ignore[misc]
    for slug, number in zip(SLUGS, ROW_IDS, strict=True):
        config = sandboxes[slug].config(f"https://{slug}.example.com") | {"rps": 0}
        add_rows_of(services.create_connection(slug, slug, config), contacts, number)
    return AdapterBySite(sandboxes)


def add_rows_of(connection: Connection, contacts: list[Contact], number: int) -> None:
    """A link in every state, one contact without any, a run with outcomes, and a rule."""
    status = RunStatus.RUNNING if number == ROW_IDS[0] else RunStatus.FAILED
    run = Run.objects.create(id=number, connection=connection, kind=RunKind.PUSH, status=status, total=3)
    for contact, pair in zip(contacts, LEGAL_PAIRS, strict=False):
        ContactSync.objects.create(contact=contact, connection=connection, **link_columns(pair, contact, run))
    actions = RunItem.Action.values
    RunItem.objects.bulk_create(
        RunItem(run=run, contact_id=contact.pk, action=action, message=f"It came to {action}.", fields=["email"])
        for contact, action in zip(contacts, actions, strict=False)
    )
    FieldRule.objects.create(id=number, connection=connection, ours="attributes.city", theirs="CITY_OF_THEIRS")


def link_columns(pair: Pair, contact: Contact, run: Run) -> dict[str, object]:
    now = timezone.now()
    columns: dict[str, object] = {"sync_status": pair.sync, "processing_status": pair.processing}
    columns |= {"external_id": f"remote-{contact.pk}", "synced_at": now - timedelta(days=1)}
    if pair is QUEUED:
        columns |= {"due_at": now}
    elif pair is PROCESSING:
        columns |= {"run": run}
    elif pair is ERROR:
        columns |= {"processing_error": "The address was refused.", "error_kind": "data", "retry_count": 3}
        columns |= {"last_retry_at": now, "next_retry_at": now + timedelta(minutes=5)}
    return columns
