"""The client on real sockets: addresses it refuses to connect to, answers that never end."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from connectors.core import http as client_module
from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import ApiClient
from connectors.core.netguard import AddressRefused, AllowedHosts, check_url
from connectors.core.testing import SandboxServer
from tests.core.echo import Echo

INSIDE = [
    "127.0.0.1", "10.0.0.1", "172.16.5.5", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "240.0.0.1", "255.255.255.255", "::1", "::", "::ffff:127.0.0.1", "::127.0.0.1", "fe80::1", "fc00::1", "fec0::1",
    "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001:0:7f00:1::", "fe80::1%eth0",
]  # fmt: skip


def client(url: str, **options: Any) -> ApiClient:
    return ApiClient(Context(config={}, timeout=options.pop("timeout", 2.0), max_tries=1, **options), url)


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """Every name resolves to the answers in turn, the last one for good."""
    queue = list(answers)

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        address = queue.pop(0) if len(queue) > 1 else queue[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr("connectors.core.netguard.socket.getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_are_refused_unless_listed(address: str) -> None:
    assert not AllowedHosts([]).allows("example.com", address)
    assert AllowedHosts(["*"]).allows("example.com", address)
    assert AllowedHosts(["example.com"]).allows("Example.com", address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111"])
def test_public_addresses_pass(address: str) -> None:
    assert AllowedHosts([]).allows("example.com", address)


def test_networks_can_be_listed() -> None:
    allowed = AllowedHosts(["10.1.0.0/16"])
    assert allowed.allows("crm.example.com", "10.1.2.3")
    assert not allowed.allows("crm.example.com", "10.2.2.3")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:7f00:1]/", "ftp://example.com/", "example.com",
        "https://", "https://user:secret@example.com/", "http://example.com/", "https://example.com:99999/",
        "https://[::1/", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_what_an_address_shows_by_itself_is_refused_without_connecting(url: str) -> None:
    with pytest.raises(ApiError) as raised:
        check_url(url, AllowedHosts([]))
    assert raised.value.kind is ErrorKind.CONFIG
    assert "secret" not in raised.value.message


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "localhost", "0177.0.0.1"])
def test_other_spellings_of_this_machine_are_refused_when_they_resolve(host: str) -> None:
    with pytest.raises(ApiError) as raised:
        client(f"https://{host}").get("/")
    assert raised.value.kind in (ErrorKind.CONFIG, ErrorKind.TRANSIENT)
    if raised.value.kind is ErrorKind.TRANSIENT:  # a resolver that does not know the spelling at all
        assert "reached" in raised.value.message


@pytest.mark.parametrize("address", ["127.0.0.1", "64:ff9b::7f00:1", "169.254.169.254"])
def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    resolve_to(monkeypatch, address)
    with pytest.raises(AddressRefused):
        client("https://innocent.example").get("/")


def test_a_name_that_changes_after_a_first_look_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with SandboxServer(Echo()) as server:
        port = int(server.url.rsplit(":", 1)[1])
        connected: list[Any] = []
        monkeypatch.setattr(
            "connectors.core.netguard.create_connection", lambda *a, **k: connected.append(a) or socket.socket()
        )
        resolve_to(monkeypatch, "127.0.0.1")
        with pytest.raises(AddressRefused):
            client(f"https://rebinds.example:{port}").get("/things/1")
        assert not connected


def test_the_address_that_passed_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[str] = []

    def create_connection(address: tuple[str, int], *_: Any) -> socket.socket:
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr("connectors.core.netguard.create_connection", create_connection)
    resolve_to(monkeypatch, "8.8.8.8", "127.0.0.1")
    with pytest.raises(ApiError) as raised:
        client("https://rebinds.example").get("/")
    assert raised.value.kind is ErrorKind.TRANSIENT
    assert connected == ["8.8.8.8"]


def test_a_listed_host_is_called_and_nobody_logs_whole_addresses(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with SandboxServer(Echo()) as server:
        one = client(server.url, allow_private_hosts=["127.0.0.1"])
        assert one.get("/things/ann%40example.com").json == {"id": "ann@example.com"}
        one.close()
    assert "ann" not in caplog.text


def test_nobody_listening_is_a_try_for_later() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ApiError) as raised:
        client(f"http://127.0.0.1:{port}", allow_private_hosts=["127.0.0.1"]).send(
            client_module.Call("POST", "/", json={}, repeatable=False)
        )
    assert raised.value.kind is ErrorKind.TRANSIENT  # never sent, so nothing is in doubt


@pytest.fixture
def raw_server() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Serves one connection by a function that is given its socket."""
    listener = socket.create_server(("127.0.0.1", 0))

    def start(answer: Callable[[socket.socket], None]) -> str:
        def serve() -> None:
            try:
                peer, _address = listener.accept()
                with peer:
                    peer.recv(65536)
                    answer(peer)
            except OSError:
                return  # the client has had enough, which is what these tests are about

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    listener.close()


def test_a_trickle_ends_at_the_deadline(raw_server: Any) -> None:
    def trickle(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            peer.sendall(b"x")
            time.sleep(0.05)

    url = raw_server(trickle)
    started = time.monotonic()
    with pytest.raises(ApiError) as raised:
        client(url, allow_private_hosts=["127.0.0.1"], timeout=0.5).get("/")
    assert raised.value.kind is ErrorKind.TRANSIENT
    assert time.monotonic() - started < 2.0


def test_an_oversized_answer_is_not_swallowed(raw_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_BODY_BYTES", 100_000)

    def flood(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(1000):
            peer.sendall(b"x" * 10_000)

    with pytest.raises(ApiError) as raised:
        client(raw_server(flood), allow_private_hosts=["127.0.0.1"]).get("/")
    assert raised.value.kind is ErrorKind.TRANSIENT


def test_half_a_body_is_no_answer(raw_server: Any) -> None:
    url = raw_server(lambda peer: peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"))
    with pytest.raises(ApiError) as raised:
        client(url, allow_private_hosts=["127.0.0.1"]).get("/")
    assert raised.value.kind is ErrorKind.TRANSIENT


def test_chunks_are_put_together(raw_server: Any) -> None:
    body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n[1,2\r\n3\r\n,3]\r\n0\r\n\r\n"
    assert client(raw_server(lambda peer: peer.sendall(body)), allow_private_hosts=["127.0.0.1"]).get("/").json == [
        1,
        2,
        3,
    ]


def test_a_compressed_answer_that_comes_in_crumbs_is_whole(raw_server: Any) -> None:
    content = gzip.compress(orjson.dumps({"numbers": list(range(5000))}))

    def crumbs(peer: socket.socket) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(content)}\r\n\r\n"
        peer.sendall(head.encode())
        for start in range(0, len(content), 997):
            peer.sendall(content[start : start + 997])
            time.sleep(0.002)

    reply = client(raw_server(crumbs), allow_private_hosts=["127.0.0.1"]).get("/")
    assert reply.member("numbers", 4999) == 4999
