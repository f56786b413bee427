"""/metrics in Prometheus' text format: every app's numbers, read from the database, whoever counted them."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

import connectors.metrics
import syncjobs.metrics
from crmsync.health import heartbeat_ages
from crmsync.roles import VIEWER, has_role

CACHE_SECONDS = 5
_CACHE_KEY = "crmsync.metrics"
_LOCAL = [
    ipaddress.ip_network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10")
]
_MARKS_OF_A_PROXY = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_HOST", "HTTP_VIA")


def heartbeats() -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "crmsync_heartbeat_age_seconds", "Time since this part of the background work was last seen.", labels=["part"]
    )
    for part, age in zip(("worker", "scheduler"), heartbeat_ages(), strict=True):
        if age is not None:
            family.add_metric([part], age)
    yield family


# Whoever has more to tell adds a function here.
PROVIDERS: tuple[Callable[[], Iterable[Metric]], ...] = (
    connectors.metrics.families,
    syncjobs.metrics.families,
    heartbeats,
)


class HubCollector(Collector):
    """Asks every provider at each collection; nothing is kept between two of them."""

    def collect(self) -> Iterator[Metric]:
        for provider in PROVIDERS:
            yield from provider()


def exposition() -> bytes:
    """The page as it is scraped, at most five seconds old. Raises DatabaseError."""
    held: bytes | None = caches["process"].get(_CACHE_KEY)
    if held is None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(HubCollector())
        held = generate_latest(registry)
        caches["process"].set(_CACHE_KEY, held, CACHE_SECONDS)
    return held


class MayScrape(BasePermission):
    """Whoever sends METRICS_TOKEN; where there is none, users with a role, and peers in our own network."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if settings.METRICS_TOKEN:
            scheme, _, given = get_authorization_header(request).partition(b" ")
            return scheme.lower() == b"bearer" and hmac.compare_digest(given, settings.METRICS_TOKEN.encode())
        if request.user.is_authenticated:
            return has_role(request.user, VIEWER)
        return is_local(request._request)


def is_local(request: HttpRequest) -> bool:
    """Whether the caller itself, and no proxy on behalf of somebody outside, sits in a private network."""
    if any(request.META.get(name) for name in _MARKS_OF_A_PROXY):
        return False
    # A proxy that leaves no mark still asks for the public name.
    public = urlsplit(settings.SITE_URL).hostname or ""
    if not _is_private(public) and urlsplit(f"//{request.get_host()}").hostname == public:
        return False
    return _is_private(request.META.get("REMOTE_ADDR", ""))


def _is_private(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in _LOCAL)


class MetricsView(APIView):
    """The numbers of all processes and hosts together."""

    permission_classes = (MayScrape,)
    throttle_classes = ()

    def get_authenticators(self) -> list[BaseAuthentication]:
        # With a token of its own, the header is no user's.
        return [] if settings.METRICS_TOKEN else super().get_authenticators()

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        # There is one form of the answer, whatever the caller would rather have.
        return super().perform_content_negotiation(request, force=True)

    def get_authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> NoReturn:
        if settings.METRICS_TOKEN:
            raise NotAuthenticated
        super().permission_denied(request, message, code)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(exposition(), content_type=CONTENT_TYPE_PLAIN_0_0_4)
