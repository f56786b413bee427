"""Keeps user-given addresses away from the inside of our network: checked at connect time, on the resolved address.

Checking the host's name or an earlier answer of the resolver would not do: names can resolve to 127.0.0.1 and change
between the check and the connection. So the address that passed is the address that is connected to.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.connection import create_connection

from connectors.core.errors import ApiError, ErrorKind

# These carry an IPv4 address inside, private ones too, and yet count as global.
_TUNNELS = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))


class AddressRefused(ApiError):
    """The address lies inside our own network and is not on the list of allowed hosts."""

    def __init__(self, host: str) -> None:
        super().__init__(
            ErrorKind.CONFIG,
            f"{host} is an address inside the private network; add it to ALLOW_PRIVATE_HOSTS if it is meant.",
        )


class AllowedHosts:
    """Hosts inside the private network that may be called: names, addresses, networks, or * for all."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._any = False
        self._names: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in (e.strip().lower() for e in entries):
            if entry == "*":
                self._any = True
                continue
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._names.add(entry)

    def allows_name(self, host: str) -> bool:
        if self._any or host.lower() in self._names:
            return True
        try:
            return self._listed(ipaddress.ip_address(host.strip("[]")))
        except ValueError:
            return False

    def allows(self, host: str, address: str) -> bool:
        """True for every public address, and for private ones whose host or address is listed."""
        ip = ipaddress.ip_address(address.split("%")[0])
        if self.allows_name(host) or self._listed(ip):
            return True
        # Reserved ranges hold ::127.0.0.1 and its like, which count as global too.
        special = ip.is_multicast or ip.is_reserved or (ip.version == 6 and ip.is_site_local)
        return ip.is_global and not special and not any(ip in tunnel for tunnel in _TUNNELS)

    def _listed(self, ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return any(ip in network for network in self._networks)


def check_url(url: str, allowed: AllowedHosts) -> None:
    """Refuses what can be refused before any connection. Raises ApiError (CONFIG) with a sentence."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise ApiError(ErrorKind.CONFIG, "This is not a web address.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ApiError(ErrorKind.CONFIG, "A web address starts with https:// and names a host.")
    if parts.username or parts.password:
        raise ApiError(ErrorKind.CONFIG, "Put the user name and password into their own fields, not into the address.")
    if parts.scheme == "http" and not allowed.allows_name(host):
        raise ApiError(
            ErrorKind.CONFIG, "The address must start with https://; http:// is only for hosts in ALLOW_PRIVATE_HOSTS."
        )
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return
    if not allowed.allows(host, str(ip)):
        raise AddressRefused(host)


def _connect(connection: Any, allowed: AllowedHosts) -> socket.socket:
    """Resolves, checks every answer, connects to one that passed; the errors are urllib3's own."""
    host, port = connection._dns_host, connection.port
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as e:
        raise urllib3.exceptions.NameResolutionError(host, connection, e) from e
    addresses = list(dict.fromkeys(str(a[4][0]) for a in answers))
    if any(not allowed.allows(host, address) for address in addresses):
        raise AddressRefused(host)
    failure: OSError | None = None
    for address in addresses:
        try:
            return create_connection(
                (address, port), connection.timeout, connection.source_address, connection.socket_options
            )
        except OSError as e:
            failure = e
    if isinstance(failure, TimeoutError):
        raise urllib3.exceptions.ConnectTimeoutError(connection, f"{host} did not answer") from failure
    raise urllib3.exceptions.NewConnectionError(connection, f"{host} refused the connection") from failure


def _guarded_pools(allowed: AllowedHosts) -> dict[str, Any]:
    class GuardedHTTPConnection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, allowed)

    class GuardedHTTPSConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, allowed)

    class GuardedHTTPPool(HTTPConnectionPool):
        ConnectionCls = GuardedHTTPConnection

    class GuardedHTTPSPool(HTTPSConnectionPool):
        ConnectionCls = GuardedHTTPSConnection

    return {"http": GuardedHTTPPool, "https": GuardedHTTPSPool}


class GuardedAdapter(requests.adapters.HTTPAdapter):
    """requests' transport, connecting only to addresses that pass. Never retries by itself: the client does."""

    def __init__(self, allow_private_hosts: Sequence[str] = (), connections: int = 8) -> None:
        self._allowed = AllowedHosts(allow_private_hosts)
        super().__init__(pool_connections=4, pool_maxsize=connections, pool_block=True, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _guarded_pools(self._allowed)
