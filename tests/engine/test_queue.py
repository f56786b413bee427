"""The queue's statements: who becomes due, who is claimed, what the database refuses, how many statements it takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from connectors.core import registry
from connectors.models import Connection
from contacts.models import Contact
from syncjobs import counts, enqueue, queue, runs, services
from syncjobs.enqueue import Filters
from syncjobs.errors import Refused
from syncjobs.models import ContactSync, LinkCount, RunKind
from syncjobs.states import LEGAL_PAIRS, ProcessingStatus, SyncStatus
from tests.engine.conftest import Destination

MakeContacts = Callable[..., list[Contact]]


def test_only_contacts_that_can_be_sent_are_queued(destination: Destination, make_contacts: MakeContacts) -> None:
    make_contacts(3)
    make_contacts(2, email=None)
    make_contacts(1, deleted_at=timezone.now())

    assert destination.queue_all() == (3 if destination.needs_email else 5)


def test_filters(destination: Destination, make_contacts: MakeContacts) -> None:
    made = make_contacts(4, domain_id="d-1")
    make_contacts(4, domain_id="d-2")
    connection = destination.connection
    assert enqueue.enqueue_filtered(connection, Filters(domain_id="d-1")) == 4
    destination.push()
    assert enqueue.enqueue_filtered(connection, Filters(not_already_synced=True)) == 4
    assert set(ContactSync.objects.filter(contact__in=made).values_list("sync_status", flat=True)) == {"Complete"}
    assert enqueue.enqueue_filtered(connection, Filters(not_already_synced=True)) == 0


def test_a_selection_of_the_admin_is_queued_by_one_statement(
    destination: Destination, make_contacts: MakeContacts
) -> None:
    make_contacts(30, company="100% Acorn")
    make_contacts(30)
    selected = Contact.objects.filter(company__contains="100%", first_name__startswith="Ann")
    sql, params = selected.values("pk").query.sql_with_params()
    with CaptureQueriesContext(database) as queries:
        assert enqueue.enqueue_query(destination.connection, sql, params) == 30
    assert len(queries) == 1


def test_queueing_again_starts_afresh(destination: Destination, make_contacts: MakeContacts) -> None:
    (contact,) = make_contacts(1)
    destination.queue_all()
    ContactSync.objects.update(
        sync_status="Error",
        processing_status="Error",
        retry_count=4,
        processing_error="x",
        error_kind="data",
        due_at=None,
    )
    destination.queue_all()
    link = destination.link(contact)
    assert (link.sync_status, link.retry_count, link.processing_error, link.error_kind) == ("Queued", 0, "", "")


def test_a_link_in_work_is_not_torn_away(destination: Destination, make_contacts: MakeContacts) -> None:
    (contact,) = make_contacts(1)
    destination.queue_all()
    run = runs.start(destination.connection, RunKind.PUSH, trigger="test")
    assert len(queue.claim(destination.connection, run, 10)) == 1

    destination.queue_all()

    link = destination.link(contact)
    assert link.sync_status == "Processing"
    assert link.due_at is not None
    assert queue.claim(destination.connection, run, 10) == []


@pytest.mark.parametrize("sync", SyncStatus.values)
@pytest.mark.parametrize("processing", [None, *ProcessingStatus.values])
def test_the_database_holds_the_legal_pairs(
    destination: Destination, make_contacts: MakeContacts, sync: str, processing: str | None
) -> None:
    (contact,) = make_contacts(1)
    link = ContactSync(
        contact=contact, connection=destination.connection, sync_status=sync, processing_status=processing
    )
    legal = any((pair.sync, pair.processing) == (sync, processing) for pair in LEGAL_PAIRS)
    if legal:
        link.save()
        return
    with pytest.raises(IntegrityError, match="link_statuses_agree"), transaction.atomic():
        link.save()


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outcomes are stored when there are enough of them, not because the machine was busy."""
    monkeypatch.setattr("syncjobs.push.STORE_AFTER_SECONDS", 3600.0)


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("many", [1, 300])
def test_a_page_takes_the_same_statements_however_full(
    destination: Destination, make_contacts: MakeContacts, many: int, record_property: Callable[[str, object], None]
) -> None:
    make_contacts(many)
    destination.queue_all()
    with CaptureQueriesContext(database) as first:
        destination.push()
    ContactSync.objects.update(remote_hash=b"0", due_at=timezone.now() - timedelta(days=1), sync_status="Queued",
                               processing_status="Queued")  # fmt: skip
    with CaptureQueriesContext(database) as second:
        destination.push()
    own = [[q for q in queries if "connectors_rateslot" not in q["sql"]] for queries in (first, second)]
    # Claimed once, seen to be empty once; planned, stored and counted once each: a page more would be caught.
    assert len(own[0]) <= 40
    assert len(own[1]) <= 40
    record_property("statements", [len(own[0]), len(own[1])])


@pytest.mark.usefixtures("unhurried")
def test_statements_do_not_grow_with_the_page(destination: Destination, make_contacts: MakeContacts) -> None:
    taken = []
    for many in (1, 400):
        make_contacts(many)
        destination.queue_all()
        with CaptureQueriesContext(database) as queries:
            destination.push()
        taken.append(len(queries))
    assert taken[1] - taken[0] <= 12  # one more batch of outcomes may be stored, nothing per contact


def truth(connection: Connection) -> dict[str, int]:
    found: dict[str, int] = {}
    for status in ContactSync.objects.filter(connection=connection).values_list("sync_status", flat=True):
        found[status] = found.get(status, 0) + 1
    return found


@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["queue", "push", "fail", "delete", "fold", "half"]), max_size=8))
def test_counts_agree_with_the_links(destination: Destination, make_contacts: MakeContacts, steps: list[str]) -> None:
    make_contacts(3)
    for step in steps:
        if step == "queue":
            destination.queue_all()
        elif step == "push":
            destination.push()
        elif step == "fail":
            ContactSync.objects.filter(sync_status="Queued").update(
                sync_status="Error", processing_status="Error", last_retry_at=timezone.now()
            )
        elif step == "delete":
            ContactSync.objects.filter(pk__in=ContactSync.objects.values("pk")[:2]).delete()
        elif step == "half":
            ContactSync.objects.filter(sync_status="Complete").update(synced_at=timezone.now() - timedelta(days=2))
        else:
            counts.fold()
        stats = counts.stats(destination.connection)
        assert stats.by_status == truth(destination.connection)
        recent = ContactSync.objects.filter(
            connection=destination.connection,
            sync_status="Complete",
            synced_at__gt=timezone.now() - timedelta(hours=24),
        )
        assert stats.last_synced == recent.count()


def test_folding_keeps_the_sums_and_few_rows(destination: Destination, make_contacts: MakeContacts) -> None:
    made = make_contacts(40)
    for contact in made:
        enqueue.enqueue_ids(destination.connection, [contact.pk])
    before = counts.stats(destination.connection)
    counts.fold()
    assert counts.stats(destination.connection) == before
    assert LinkCount.objects.filter(connection_id=destination.connection.pk).count() == 1


@pytest.mark.parametrize("slug", [slug for slug in registry.all_connectors() if not registry.is_writable(slug)])
def test_nothing_is_queued_for_a_system_that_is_only_read(slug: str, make_contacts: MakeContacts) -> None:
    connection = Connection.objects.create(key=slug, connector=slug)
    (contact,) = make_contacts(1)
    ContactSync.objects.create(
        contact=contact, connection=connection, external_id="7", sync_status="Complete", processing_status="Complete"
    )
    assert enqueue.follow_changes([contact.pk]) == 0
    for ask in (services.queue_one, lambda pk, to: services.queue_many([pk], to)):
        with pytest.raises(Refused) as refused:
            ask(contact.pk, connection)
        assert refused.value.code == "not_writable"
    with pytest.raises(Refused):
        services.queue_filtered(connection, Filters())
    with pytest.raises(CommandError):
        call_command("push", slug)
    assert ContactSync.objects.get().sync_status == "Complete"
