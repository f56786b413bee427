"""/metrics: what it shows, that Prometheus can read it, that it stays quick, and who may read it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from connectors import services
from connectors.core import registry
from connectors.core.metrics import Exchange
from connectors.core.sandbox import Fault
from connectors.core.testing import SandboxAdapter
from connectors.models import Connection, OAuthGrant
from connectors.traffic import meter
from contacts.models import Contact
from crmsync.models import ApiToken, Heartbeat
from crmsync.roles import VIEWER, give_role
from syncjobs.models import ContactSync, Run, RunKind, RunStatus

pytestmark = pytest.mark.django_db(transaction=True)

SLUG = sorted(registry.all_connectors())[0]
OUTSIDE = "203.0.113.9"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(autouse=True)
def _nothing_counted_before() -> Iterator[None]:
    meter.discard()
    yield
    meter.discard()


@pytest.fixture
def connection() -> Connection:
    sandbox: Any = registry.sandbox_class(SLUG)()  # type: ignore[misc]
    return services.create_connection(SLUG, SLUG, sandbox.config("https://sandbox.example.com") | {"rps": 0})


def scrape() -> Samples:
    caches["process"].clear()
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    found: Samples = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


def test_requests_as_they_went_over_the_wire(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox: Any = registry.sandbox_class(SLUG)(enforce_limits=False)  # type: ignore[misc]
    monkeypatch.setattr("connectors.core.http.GuardedAdapter", lambda *a, **k: SandboxAdapter(sandbox))
    monkeypatch.setattr("connectors.core.http._pause", lambda *a: 0.0)
    sandbox.faults.append(Fault("status", status=503))
    connector = services.open_connector(connection)
    connector.check()
    sandbox.faults.append(Fault("status", status=401, times=9))
    with pytest.raises(Exception, match="401"):
        connector.check()
    connector.close()
    assert meter.flush()

    samples = scrape()
    asked = {dict(labels)["status"]: n for (name, labels), n in samples.items() if name == "crmsync_requests_total"}
    assert asked == {"503": 1, "200": 1, "401": 1}
    endpoint = next(dict(labels)["endpoint"] for name, labels in samples if name == "crmsync_requests_total")
    assert endpoint.startswith("/")
    assert value(samples, "crmsync_request_retries_total", connection=SLUG, endpoint=endpoint) == 1
    assert value(samples, "crmsync_auth_errors_total", connection=SLUG) == 1
    duration = "crmsync_request_duration_seconds"
    assert value(samples, f"{duration}_count", connection=SLUG, endpoint=endpoint) == 3
    assert value(samples, f"{duration}_bucket", connection=SLUG, endpoint=endpoint, le="+Inf") == 3


def test_the_histogram_adds_up_and_waits_are_told() -> None:
    for seconds in (0.01, 0.05, 0.2, 100.0):
        meter.count("toy", Exchange("GET", "/a", 200, seconds, 0.5, False))
    assert meter.flush()
    samples = scrape()
    at = {bound: value(samples, "crmsync_request_duration_seconds_bucket", connection="toy", endpoint="/a", le=bound)
          for bound in ("0.05", "0.1", "0.25", "60.0", "+Inf")}  # fmt: skip
    assert at == {"0.05": 2, "0.1": 2, "0.25": 3, "60.0": 3, "+Inf": 4}
    assert value(samples, "crmsync_rate_limit_waits_total", connection="toy") == 4
    assert value(samples, "crmsync_rate_limit_wait_seconds_total", connection="toy") == pytest.approx(2.0)


def test_queue_runs_tokens_and_heartbeats(connection: Connection) -> None:
    other = services.create_connection(SLUG, "second", {})
    contacts = Contact.objects.bulk_create([Contact(first_name=f"Ann {i}") for i in range(4)])
    now = timezone.now()
    ages = [(0, 600), (10, 60), (0, -900)]
    ContactSync.objects.bulk_create(
        ContactSync(contact=c, connection=connection, sync_status="Queued", processing_status="Queued",
                    priority=priority, due_at=now - timedelta(seconds=age))
        for c, (priority, age) in zip(contacts, ages, strict=False)
    )  # fmt: skip
    done = {"connection": connection, "kind": RunKind.PUSH}
    Run.objects.create(**done, status=RunStatus.DONE, created=5, failed=1)
    live = Run.objects.create(**done, created=2)
    Run.objects.create(**done, status=RunStatus.DONE, dry_run=True, created=100)
    OAuthGrant.objects.create(connection=connection, expires_at=now + timedelta(hours=2))
    OAuthGrant.objects.create(connection=other, broken="Give access again.", expires_at=now + timedelta(hours=2))
    services.park(other, "Give access again.")
    Heartbeat.beat("worker-1")

    samples = scrape()
    assert value(samples, "crmsync_queue_depth", connection=SLUG) == 3
    assert value(samples, "crmsync_links", connection=SLUG, status="Queued") == 3
    assert value(samples, "crmsync_oldest_due_seconds", connection=SLUG) == pytest.approx(600, abs=30)
    assert value(samples, "crmsync_oldest_due_seconds", connection="second") == 0
    assert value(samples, "crmsync_runs_total", connection=SLUG, kind="push", status="done") == 1
    assert value(samples, "crmsync_runs_running", connection=SLUG, kind="push") == 1
    assert value(samples, "crmsync_records_total", connection=SLUG, kind="push", outcome="created") == 7
    assert value(samples, "crmsync_token_seconds_left", connection=SLUG) == pytest.approx(7200, abs=30)
    assert value(samples, "crmsync_token_seconds_left", connection="second") == 0
    assert value(samples, "crmsync_connection_state", connection="second", state="needs_attention") == 1
    assert value(samples, "crmsync_connection_state", connection="second", state="ok") == 0
    assert value(samples, "crmsync_heartbeat_age_seconds", part="worker") < 30

    Run.objects.filter(pk=live.pk).update(status=RunStatus.STOPPED, created=3)
    Run.objects.filter(pk=live.pk).update(status=RunStatus.STOPPED)
    samples = scrape()
    assert value(samples, "crmsync_runs_total", connection=SLUG, kind="push", status="stopped") == 1
    assert value(samples, "crmsync_records_total", connection=SLUG, kind="push", outcome="created") == 8


def test_a_look_costs_a_fixed_number_of_statements_and_nothing_soon_after(connection: Connection) -> None:
    with CaptureQueriesContext(database) as first:
        scrape()
    for number in range(3):
        services.create_connection(SLUG, f"more-{number}", {})
        Run.objects.create(connection=connection, kind=RunKind.PUSH, status=RunStatus.DONE)
        meter.count(f"more-{number}", Exchange("GET", "/a", 200, 0.1, 0.0, False))
    meter.flush()
    with CaptureQueriesContext(database) as second:
        scrape()
    assert len(second) == len(first) <= 12
    with CaptureQueriesContext(database) as soon:
        assert Client().get("/metrics").status_code == 200
    assert len(soon) == 0


@pytest.mark.parametrize(
    ("meta", "status"),
    [
        ({}, 200),
        ({"REMOTE_ADDR": "172.18.0.5"}, 200),
        ({"REMOTE_ADDR": "::ffff:10.0.0.7"}, 200),
        ({"REMOTE_ADDR": "fd00::1"}, 200),
        ({"REMOTE_ADDR": OUTSIDE}, 401),
        ({"REMOTE_ADDR": ""}, 401),
        ({"REMOTE_ADDR": "2001:4860::1"}, 401),
        ({"HTTP_X_FORWARDED_FOR": OUTSIDE}, 401),
        ({"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 401),
        ({"HTTP_X_REAL_IP": OUTSIDE}, 401),
        ({"HTTP_FORWARDED": f"for={OUTSIDE}"}, 401),
        ({"HTTP_HOST": "crm.example.com"}, 401),
        ({"HTTP_AUTHORIZATION": "Bearer nonsense"}, 401),
        ({"HTTP_ACCEPT": "text/plain"}, 200),
    ],
)
def test_without_a_token_only_the_neighbourhood_looks(settings: Any, meta: dict[str, str], status: int) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.SITE_URL = "https://crm.example.com"
    answer = Client().get("/metrics", **meta)  # type: ignore[arg-type]
    assert answer.status_code == status
    if status == 401:
        assert set(answer.json()) == {"error", "code"}
        assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("site", ["http://127.0.0.1:8000", "http://localhost:8000", "http://192.168.1.5:8000"])
def test_an_address_in_our_own_network_is_not_public(settings: Any, site: str) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.SITE_URL = site
    assert Client().get("/metrics", HTTP_HOST=site.removeprefix("http://")).status_code == 200


def test_a_public_address_with_https_does_not_lead_prometheus_away(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/metrics").status_code == 200
    assert Client().get("/api/schema").status_code == 301


def test_people_with_a_role_look_from_anywhere(django_user_model: Any) -> None:
    viewer, nobody = (django_user_model.objects.create_user(name) for name in ("viewer", "nobody"))
    give_role(viewer, VIEWER)
    for user, status in ((viewer, 200), (nobody, 403)):
        _token, plain = ApiToken.objects.issue(user, "scraper")
        by_token = APIClient(REMOTE_ADDR=OUTSIDE).get("/metrics", HTTP_AUTHORIZATION=f"Bearer {plain}")
        by_session = Client(REMOTE_ADDR=OUTSIDE)
        by_session.force_login(user)
        assert (by_token.status_code, by_session.get("/metrics").status_code) == (status, status)


@pytest.mark.parametrize(
    ("header", "status"),
    [("Bearer the-token", 200), ("Bearer other", 401), ("the-token", 401), ("Bearer \xff", 401), (None, 401)],
)
def test_with_a_token_nothing_else_opens(
    settings: Any, django_user_model: Any, header: str | None, status: int
) -> None:
    settings.METRICS_TOKEN = "the-token"
    client = Client(REMOTE_ADDR=OUTSIDE if status == 200 else "127.0.0.1")
    client.force_login(django_user_model.objects.create_superuser("admin", "admin@example.com", "x"))
    answer = client.get("/metrics", **({"HTTP_AUTHORIZATION": header} if header else {}))  # type: ignore[arg-type]
    assert answer.status_code == status
    if status == 401:
        assert answer.json()["code"] == "not_authenticated"
