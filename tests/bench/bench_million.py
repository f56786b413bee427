"""One million contacts, three million links: what lists, pages and queueing take, beside the bare SQL.

Usage: python -m tests.bench.bench_million [CONTACTS]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.bench.common import prepare

prepare()

from django.contrib.auth import get_user_model  # noqa: E402
from django.db import connection as database  # noqa: E402
from django.test import Client  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402

from connectors import services  # noqa: E402
from connectors.core import registry  # noqa: E402
from contacts import duplicates  # noqa: E402
from contacts.models import Contact  # noqa: E402
from crmsync import metrics  # noqa: E402
from syncjobs import counts, enqueue  # noqa: E402
from syncjobs.alerts import finding  # noqa: E402
from syncjobs.models import Run  # noqa: E402

SYSTEMS = 3

# UUIDs of version 7 in the order of their numbers, so that rows and keys lie as they would after real imports.
ID = "(lpad(to_hex(1795239785000 + i), 12, '0') || '7000' || 'a' || lpad(to_hex(i), 15, '0'))::uuid"


def fill(count: int) -> None:
    contacts = f"""
        INSERT INTO contacts_contact (id, first_name, last_name, middle_name, email, phone, company, job_title,
            domain_id, attributes, provenance, version, created_at, updated_at, name_hash)
        SELECT {ID}, 'Имя' || i % 1000, 'Фамилия' || i % 50000, '', 'person' || i || '@example.com',
            '+7916' || lpad(i::text, 7, '0'), 'Acorn', 'Buyer', 'd' || i % 100, '{{}}', '{{}}', 1, now(),
            now() - make_interval(secs => i), i
        FROM generate_series(1, {count}) AS i"""
    points = f"""
        INSERT INTO contacts_contactpoint (contact_id, kind, value, raw, label, is_primary, position)
        SELECT {ID}, 'email', 'person' || i || '@example.com', '', '', true, 0 FROM generate_series(1, {count}) AS i"""
    with database.cursor() as cursor:
        for statement in (
            "TRUNCATE contacts_contact, syncjobs_linkcount, connectors_connection CASCADE", contacts, points,
        ):  # fmt: skip
            cursor.execute(statement)


def fill_links(connection_id: int, count: int) -> None:
    """85 % in step, 12 % queued, 3 % failed."""
    with database.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO syncjobs_contactsync (contact_id, connection_id, sync_status, processing_status,
                  external_id, synced_at, last_retry_at, retry_count, due_at, processing_error, error_kind)
                SELECT {ID}, %s, s, s, CASE s WHEN 'Complete' THEN i::text ELSE '' END,
                  CASE s WHEN 'Complete' THEN now() - make_interval(secs => i / 4) END,
                  CASE s WHEN 'Error' THEN now() - make_interval(secs => i) END, 1,
                  CASE s WHEN 'Queued' THEN now() END, '', CASE s WHEN 'Error' THEN 'transient' ELSE '' END
                FROM generate_series(1, {count}) AS i
                CROSS JOIN LATERAL (SELECT CASE WHEN i %% 100 < 85 THEN 'Complete' WHEN i %% 100 < 97 THEN 'Queued'
                                    ELSE 'Error' END AS s) AS status""",
            [connection_id],
        )
        cursor.execute("ANALYZE")


def fill_runs(connection_ids: list[int]) -> None:
    """A month of runs, one every two minutes, and what the last thousand did to single records."""
    with database.cursor() as cursor:
        cursor.execute(
            """INSERT INTO syncjobs_run (connection_id, kind, status, trigger, dry_run, cancel_requested, started_at,
                  heartbeat_at, finished_at, total, updated)
               SELECT c, 'push', 'done', 'schedule', false, false, t, t, t + interval '5 seconds', 100, i %% 3
               FROM unnest(%s::bigint[]) AS c, generate_series(1, 21600) AS i,
               LATERAL (SELECT now() - make_interval(mins => 2 * (21600 - i))) AS s(t)""",
            [connection_ids],
        )
        cursor.execute(
            f"""INSERT INTO syncjobs_runitem (run_id, contact_id, action, fields, at)
                SELECT r.id, {ID}, 'update', '["EMAIL"]', now()
                FROM (SELECT id FROM syncjobs_run ORDER BY id DESC LIMIT 1000) r, generate_series(1, 500) AS i"""
        )
        cursor.execute("ANALYZE")


def pages(page: Client, connection_id: int) -> None:
    """Every page of the admin that shows many, or one of many."""
    contact, run = Contact.objects.order_by("-updated_at").first(), Run.objects.latest("id")
    if contact is None:
        raise RuntimeError("there are no contacts")
    admin, failed = "/admin/syncjobs", f"?connection__id__exact={connection_id}&sync_status__exact=Error"
    for label, path in {
        "dashboard": "/admin/",
        "one contact": f"/admin/contacts/contact/{contact.pk}/change/",
        "links": f"{admin}/contactsync/",
        "failed links of a connection": f"{admin}/contactsync/{failed}",
        "runs": f"{admin}/run/",
        "one run": f"{admin}/run/{run.pk}/change/",
        "outcomes of a run": f"{admin}/runitem/?run__id__exact={run.pk}",
        "questions": f"{admin}/reviewitem/",
        "duplicates": "/admin/contacts/duplicate/",
        "alerts": f"{admin}/alert/",
        "connections": "/admin/connectors/connection/",
    }.items():
        timed(f"admin: {label}", lambda path=path: page.get(path), 5)  # type: ignore[misc]


def timed(label: str, work: Callable[[], Any], repeat: int = 9) -> None:
    answer = work()
    if getattr(answer, "status_code", 200) != 200:
        raise RuntimeError(f"{label}: HTTP {answer.status_code}")
    took = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        took.append((time.perf_counter() - started) * 1000)
    print(f"  {label:58} {statistics.median(took):9.1f} ms  (worst {max(took):.1f})")


def sql(statement: str, *params: Any) -> Callable[[], Any]:
    def run() -> Any:
        with database.cursor() as cursor:
            cursor.execute(statement, params)
            return cursor.fetchall()

    return run


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    fill(count)
    slugs = [slug for slug in registry.all_connectors() if registry.is_writable(slug)][:SYSTEMS]
    slug = slugs[0]
    connection, *_rest = made = [services.create_connection(one, one, {}) for one in slugs]
    started = time.perf_counter()
    for one in made:
        fill_links(one.pk, count)
    fill_runs([one.pk for one in made])
    print(f"{count:,} contacts; their links in {time.perf_counter() - started:.1f} s")
    user = get_user_model().objects.create_superuser("bench", "bench@example.com", "x")
    api, page = APIClient(), Client()
    api.force_authenticate(user)
    page.force_login(user)
    base = "/api/v3/contacts"
    grouped = "SELECT sync_status, count(*) FROM syncjobs_contactsync WHERE connection_id = %s GROUP BY 1"
    timed("bare SQL: links by status", sql(grouped, connection.pk), 3)
    timed("sync-stats", lambda: api.get(f"{base}/sync-stats", {"crm": slug}))
    timed("sync-failures, 50", lambda: api.get(f"{base}/sync-failures", {"crm": slug}))
    timed("sync-failures, 1,000", lambda: api.get(f"{base}/sync-failures", {"crm": slug, "limit": 1000}), 3)
    timed("contacts, first page of 100", lambda: api.get(base, {"limit": 100}))
    timed("contacts by e-mail", lambda: api.get(base, {"email": "person777@example.com"}))
    timed("contacts, search of a rare word", lambda: api.get(base, {"search": "person77777"}))
    timed("contacts, search of two words", lambda: api.get(base, {"search": "имя7 фамилия77"}))
    timed("contacts that failed", lambda: api.get(base, {"crm": slug, "sync_status": "Error"}))
    timed("contacts in step", lambda: api.get(base, {"crm": slug, "sync_status": "Complete"}))
    timed("admin: list of contacts", lambda: page.get("/admin/contacts/contact/"), 5)
    timed("admin: failed contacts", lambda: page.get("/admin/contacts/contact/", {f"status_{slug}": "Error"}), 5)
    pages(page, connection.pk)
    for label, work in (("looking for duplicates", duplicates.find), ("looking for trouble", finding.find)):
        started = time.perf_counter()
        work()
        print(f"  {label:58} {(time.perf_counter() - started) * 1000:9.1f} ms")
    timed("/metrics, not cached", lambda: list(metrics.HubCollector().collect()))
    started = time.perf_counter()
    filters = enqueue.Filters(not_already_synced=True)
    queued = enqueue.enqueue_filtered(connection, filters)
    print(f"  queue what is not in step: {queued:,} in {time.perf_counter() - started:.2f} s")
    counts.fold()
    timed("sync-stats after folding", lambda: api.get(f"{base}/sync-stats", {"crm": slug}))


if __name__ == "__main__":
    main()
