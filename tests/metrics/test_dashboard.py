"""docker/: the dashboard asks only for what /metrics tells, and each part is found where the next looks for it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from connectors import services
from connectors.core import registry
from connectors.core.metrics import Exchange
from connectors.models import OAuthGrant
from connectors.traffic import meter
from crmsync.models import Heartbeat
from syncjobs.models import Run, RunKind, RunStatus

DOCKER = Path(settings.BASE_DIR) / "docker"
DASHBOARD: dict[str, Any] = json.loads((DOCKER / "grafana" / "dashboards" / "amocrm.json").read_text(encoding="utf-8"))
PANELS = DASHBOARD["panels"]
(VARIABLE,) = DASHBOARD["templating"]["list"]


def loaded(*parts: str) -> Any:
    return yaml.safe_load(DOCKER.joinpath(*parts).read_text(encoding="utf-8"))


@pytest.fixture
def told(transactional_db: None) -> dict[str, set[str]]:
    """The labels of every sample that /metrics gives of a hub in which something has happened."""
    slug = next(iter(registry.all_connectors()))
    connection = services.create_connection(slug, slug, {})
    OAuthGrant.objects.create(connection=connection, expires_at=timezone.now())
    Run.objects.create(connection=connection, kind=RunKind.PUSH, status=RunStatus.DONE)
    Run.objects.create(connection=connection, kind=RunKind.PUSH)
    Heartbeat.beat("worker")
    meter.discard()
    meter.count(slug, Exchange("GET", "/a", 200, 0.1, 0.1, False))
    assert meter.flush()
    labels: dict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(Client().get("/metrics").content.decode()):
        for sample in family.samples:
            labels[sample.name] |= set(sample.labels)
    return labels


def targets() -> Iterator[tuple[str, str]]:
    """(expression, legend) of every query, the variable's among them."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield target["expr"], target["legendFormat"]
    name, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", VARIABLE["query"]["query"]).groups()  # type: ignore[union-attr]
    yield f"{name}{{{label}='x'}}", ""


def test_every_metric_and_label_of_the_dashboard_exists(told: dict[str, set[str]]) -> None:
    for expression, legend in targets():
        names = set(re.findall(r"\b[a-z]+(?:_[a-z0-9]+)*_[a-z]+\b(?=\{)", expression))
        assert names, expression
        assert names <= told.keys(), expression
        known = set().union(*(told[name] for name in names))
        asked = {label for inside in re.findall(r"\{([^}]*)\}", expression)
                 for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside)}  # fmt: skip
        grouped = {label.strip() for inside in re.findall(r"by \(([^)]*)\)", expression) for label in inside.split(",")}
        assert asked, expression
        assert asked | grouped | set(re.findall(r"\{\{(\w+)\}\}", legend)) <= known, expression


def test_the_four_things_and_the_queue_are_shown(told: dict[str, set[str]]) -> None:
    shown = " ".join(expression for expression, _ in targets())
    for name in (
        "crmsync_requests_total", "crmsync_request_duration_seconds_bucket", "crmsync_auth_errors_total",
        "crmsync_token_seconds_left", "crmsync_request_retries_total", "crmsync_rate_limit_waits_total",
        "crmsync_queue_depth",
    ):  # fmt: skip
        assert name in shown
        assert name in told


def test_the_dashboard_is_loadable_as_it_is() -> None:
    (source,) = loaded("grafana", "provisioning", "datasources", "prometheus.yml")["datasources"]
    assert (DASHBOARD["title"], DASHBOARD["uid"]) == ("AmoCRM Integration", "amocrm-integration")
    assert DASHBOARD["schemaVersion"] >= 36
    assert not {"__inputs", "__requires", "id"} & DASHBOARD.keys()
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for part in [*PANELS, *(target for panel in PANELS for target in panel["targets"]), VARIABLE]:
        assert part["datasource"] == {"type": source["type"], "uid": source["uid"]}
    assert (VARIABLE["name"], VARIABLE["type"], VARIABLE["current"]["value"]) == ("connection", "query", "amocrm")
    assert VARIABLE["definition"] == VARIABLE["query"]["query"]
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_parts_of_the_compose_file_find_each_other() -> None:
    compose = loaded("compose.yml")
    services_ = compose["services"]
    prometheus, grafana = services_["prometheus"], services_["grafana"]
    for service in (prometheus, grafana):
        assert service["profiles"] == ["metrics"]
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (DOCKER / source).exists() if source.startswith(".") else source in compose["volumes"]
    (job,) = loaded("prometheus", "prometheus.yml")["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["web:8000"]}]
    assert "web" in services_
    assert services_["web"]["environment"]["ALLOWED_HOSTS"].endswith(",web")
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{prometheus['secrets'][0]}"
    assert compose["secrets"]["metrics_token"] == {"environment": "METRICS_TOKEN"}
    (source,) = loaded("grafana", "provisioning", "datasources", "prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = loaded("grafana", "provisioning", "dashboards", "crmsync.yml")["providers"]
    mounts = dict(reversed(volume.split(":")[:2]) for volume in grafana["volumes"])
    assert (DOCKER / mounts[provider["options"]["path"]] / "amocrm.json").exists()
    assert grafana["ports"] == ["127.0.0.1:3001:3000"]
