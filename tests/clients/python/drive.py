"""The seed's routes through the generated Python client: log in, queue, poll, retry.

The hub's address, the administrator and the connection come from the environment. The first record that is written
fails; `tests.clients.run` sees to that.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from crmsync_client import AuthenticatedClient, Client
from crmsync_client.api.auth import auth_login, auth_me
from crmsync_client.api.connections import connections_push, crm_config, test_crm_credentials
from crmsync_client.api.contacts import contacts_create, contacts_list
from crmsync_client.api.runs import runs_read
from crmsync_client.api.sync import (
    bulk_queue_sync,
    queue_all_sync,
    queue_sync,
    retry_all_failures,
    retry_sync,
    sync_failures,
    sync_stats,
    sync_status,
)
from crmsync_client.models import (
    BulkQueueRequest,
    ContactInputRequest,
    Error,
    FiltersRequest,
    LinkStatus,
    LoginRequest,
    PriorityEnum,
    QueueAllRequest,
    QueueRequest,
    RetryRequest,
    RunStatusEnum,
    TestCredentialsRequest,
)

HUB = os.environ["HUB"]
CRM = os.environ["CRM"]
SECONDS = 40.0
T = TypeVar("T")


def given(answer: T | Error | None) -> T:
    """A good answer. Raises AssertionError for a refusal."""
    assert answer is not None
    assert not isinstance(answer, Error), answer
    return answer


def until(condition: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + SECONDS
    while (found := condition()) is None:
        assert time.monotonic() < deadline, f"{what} did not happen within {SECONDS:g} seconds"
        time.sleep(0.2)
    return found


def log_in() -> AuthenticatedClient:
    stranger = Client(base_url=HUB)
    wrong = auth_login.sync(client=stranger, body=LoginRequest(email=os.environ["EMAIL"], password="wrong"))
    assert isinstance(wrong, Error)
    login = LoginRequest(email=os.environ["EMAIL"], password=os.environ["PASSWORD"])
    return AuthenticatedClient(base_url=HUB, token=given(auth_login.sync(client=stranger, body=login)).access)


def make(client: AuthenticatedClient, name: str) -> UUID:
    body = ContactInputRequest(first_name=name, last_name="Python", email=f"{name.lower()}.python@example.com")
    return given(contacts_create.sync(client=client, body=body)).id


def link(client: AuthenticatedClient, contact: UUID) -> LinkStatus:
    return given(sync_status.sync(contact, client=client))[CRM]


def ended(client: AuthenticatedClient, contact: UUID) -> LinkStatus:
    """Its link, once the contact has arrived or failed."""

    def look() -> LinkStatus | None:
        found = link(client, contact)
        return found if found.sync_status in ("Complete", "Error") else None

    return until(look, "the end of a sync")


def push(client: AuthenticatedClient) -> None:
    """Sends what is due, and waits for the run to end."""
    started = given(connections_push.sync(CRM, client=client)).run

    def look() -> bool | None:
        return True if given(runs_read.sync(started, client=client)).status is not RunStatusEnum.RUNNING else None

    until(look, "the end of a run")


def fail_and_retry(client: AuthenticatedClient) -> None:
    contact = make(client, "Ann")
    queued = queue_sync.sync(contact, client=client, body=QueueRequest(crm=CRM, priority=PriorityEnum.HIGH))
    assert given(queued).sync_status == "Queued"
    failed = ended(client, contact)
    assert failed.sync_status == "Error"
    assert failed.processing_error
    failures = given(sync_failures.sync(client=client, crm=CRM, limit=10))
    assert [failure.contact_id for failure in failures.failures] == [contact]
    retried = retry_sync.sync(contact, client=client, body=RetryRequest(crm=CRM, reset_retry_count=True))
    assert given(retried).retry_count == 0
    push(client)
    assert ended(client, contact).sync_status == "Complete"
    assert isinstance(retry_sync.sync(contact, client=client, body=RetryRequest(crm=CRM)), Error)
    assert given(retry_all_failures.sync(client=client, body=RetryRequest(crm=CRM))).retried_count == 0


def queue_many(client: AuthenticatedClient) -> None:
    before = given(sync_stats.sync(client=client, crm=CRM)).synced
    several = [make(client, name) for name in ("Bob", "Cleo")]
    done = given(bulk_queue_sync.sync(client=client, body=BulkQueueRequest(contact_ids=several, crm=CRM)))
    assert (done.queued, done.skipped) == (2, 0)
    make(client, "Dora")
    everybody = QueueAllRequest(crm=CRM, filters=FiltersRequest(has_email=True))
    assert given(queue_all_sync.sync(client=client, body=everybody)).queued_count >= 1
    push(client)
    assert [ended(client, contact).sync_status for contact in several] == ["Complete", "Complete"]
    assert given(sync_stats.sync(client=client, crm=CRM)).synced == before + 3
    page = given(contacts_list.sync(client=client, crm=CRM, search="python"))
    assert len(page.results) == 4


def main() -> None:
    client = log_in()
    assert given(auth_me.sync(client=client)).email == os.environ["EMAIL"]
    assert given(crm_config.sync(client=client))[CRM].api_key_configured
    assert given(test_crm_credentials.sync(client=client, body=TestCredentialsRequest(crm=CRM))).status == "valid"
    unknown = queue_all_sync.sync(client=client, body=QueueAllRequest(crm="nosuch"))
    assert isinstance(unknown, Error)
    assert unknown.code
    fail_and_retry(client)
    queue_many(client)


if __name__ == "__main__":
    main()
