"""What /metrics tells of connections: their requests, and the access they have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from connectors.models import Connection, ConnectionState, OAuthGrant, Traffic
from connectors.traffic import BOUNDS

NO_ANSWER = "none"
_BOUND_NAMES = [str(bound) for bound in BOUNDS] + ["+Inf"]


def families() -> Iterator[Metric]:
    """Three statements, however many requests were made."""
    traffic = list(Traffic.objects.all())
    yield from _requests(traffic)
    yield _latency(traffic)
    yield from _troubles(traffic)
    yield from _access()


def _requests(traffic: Iterable[Traffic]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "crmsync_requests",
        "Requests to remote systems by their answer's HTTP status.",
        labels=["connection", "endpoint", "method", "status"],
    )
    retries = CounterMetricFamily(
        "crmsync_request_retries", "Requests that repeated a failed one.", labels=["connection", "endpoint"]
    )
    repeated: dict[tuple[str, str], int] = defaultdict(int)
    for row in traffic:
        status = str(row.status) if row.status else NO_ANSWER
        requests.add_metric([row.connection_key, row.endpoint, row.method, status], row.requests)
        repeated[row.connection_key, row.endpoint] += row.retries
    for pair, count in repeated.items():
        retries.add_metric(pair, count)
    yield requests
    yield retries


def _latency(traffic: Iterable[Traffic]) -> Metric:
    family = HistogramMetricFamily(
        "crmsync_request_duration_seconds",
        "Time from sending a request to the end of its answer.",
        labels=["connection", "endpoint"],
    )
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * len(_BOUND_NAMES))
    seconds: dict[tuple[str, str], float] = defaultdict(float)
    for row in traffic:
        pair = row.connection_key, row.endpoint
        counts[pair] = [a + b for a, b in zip(counts[pair], row.buckets, strict=True)]
        seconds[pair] += row.seconds
    for pair, own in counts.items():
        upto = [float(sum(own[: i + 1])) for i in range(len(own))]
        family.add_metric(pair, list(zip(_BOUND_NAMES, upto, strict=True)), seconds[pair])
    return family


def _troubles(traffic: Iterable[Traffic]) -> Iterator[Metric]:
    waits = CounterMetricFamily(
        "crmsync_rate_limit_waits", "Requests that waited for their rate limit.", labels=["connection"]
    )
    waited = CounterMetricFamily(
        "crmsync_rate_limit_wait_seconds", "Time spent waiting for rate limits.", labels=["connection"]
    )
    refused = CounterMetricFamily(
        "crmsync_auth_errors", "Requests refused for their credentials.", labels=["connection"]
    )
    sums: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0])
    for row in traffic:
        own = sums[row.connection_key]
        sums[row.connection_key] = [own[0] + row.waits, own[1] + row.waited, own[2] + row.auth_errors]
    for key, own in sums.items():
        for family, value in zip((waits, waited, refused), own, strict=True):
            family.add_metric([key], value)
    yield from (waits, waited, refused)


def _access() -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "crmsync_connection_state", "1 for the state a connection is in.", labels=["connection", "state"]
    )
    for key, state in Connection.objects.values_list("key", "state"):
        for name in ConnectionState.values:
            states.add_metric([key, name], int(name == state))
    left = GaugeMetricFamily(
        "crmsync_token_seconds_left",
        "Time until the access token expires, below 0 when it has; 0 for access that only a person can give again.",
        labels=["connection"],
    )
    grants = OAuthGrant.objects.exclude(expires_at=None, broken="")
    for key, broken, expires_at in grants.values_list("connection__key", "broken", "expires_at"):
        seconds = 0.0 if broken or expires_at is None else (expires_at - timezone.now()).total_seconds()
        left.add_metric([key], seconds)
    yield states
    yield left
