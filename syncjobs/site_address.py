"""Where remote systems can reach this hub, if they can."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from django.conf import settings

# Names that no public resolver knows.
_INNER = ("localhost", "local", "internal", "lan", "home", "corp", "test", "invalid", "home.arpa")


def site_url() -> str:
    """SITE_URL without a closing slash, "" when it is not set."""
    return str(settings.SITE_URL).rstrip("/")


def is_public(url: str) -> bool:
    """Whether others can reach an address from outside: https, and neither loopback nor inside a private network."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    if parts.scheme != "https" or not host:
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(tuple(f".{name}" for name in _INNER))


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own, which sandboxes on it can reach."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
