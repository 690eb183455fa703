"""The guard finds what leaves the machine, whoever opens the socket, and leaves loopback alone."""

from __future__ import annotations

import http.server
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator

import pytest

from tests.network_guard import NetworkBlocked, NetworkGuard, is_local

ELSEWHERE = "192.0.2.1"  # reserved for documentation, routed nowhere


@pytest.fixture
def local_server() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.handle_request, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.server_close()


def read_attempts(guard: NetworkGuard) -> list[str]:
    attempts = list(guard.attempts)
    guard.attempts.clear()
    return attempts


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("localhost", True),
        (b"localhost", True),
        ("0.0.0.0", True),
        ("", True),
        (None, True),
        (ELSEWHERE, False),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("2001:db8::1", False),
    ],
)
def test_which_hosts_are_local(host: object, local: bool) -> None:
    assert is_local(host) is local


def test_connection_elsewhere_is_refused_and_recorded(network_guard: NetworkGuard) -> None:
    with pytest.raises(NetworkBlocked):
        socket.create_connection((ELSEWHERE, 443), timeout=1)
    assert read_attempts(network_guard) == [f"socket.getaddrinfo {ELSEWHERE}"]


def test_datagram_elsewhere_is_refused_and_recorded(network_guard: NetworkGuard) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, pytest.raises(NetworkBlocked):
        sender.sendto(b"x", (ELSEWHERE, 53))
    assert read_attempts(network_guard) == [f"socket.sendto {ELSEWHERE}"]


def test_library_with_its_own_sockets_is_caught(network_guard: NetworkGuard) -> None:
    from curl_cffi import requests

    with pytest.raises(requests.exceptions.RequestException):
        requests.get(f"https://{ELSEWHERE}/", timeout=5)
    assert read_attempts(network_guard) == [f"proxy CONNECT {ELSEWHERE}:443 HTTP/1.1"]


def test_child_process_is_caught(network_guard: NetworkGuard) -> None:
    code = f"import urllib.request; urllib.request.urlopen('http://{ELSEWHERE}/', timeout=5)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode != 0
    assert read_attempts(network_guard) == [f"proxy GET http://{ELSEWHERE}/ HTTP/1.1"]


def test_loopback_is_left_alone(network_guard: NetworkGuard, local_server: str) -> None:
    with urllib.request.urlopen(local_server, timeout=5) as answer:
        assert answer.status == 200
    assert read_attempts(network_guard) == []


def test_a_test_that_swallows_the_refusal_still_fails(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from tests.conftest import network_guard, pytest_collection_modifyitems")
    pytester.makepyfile(
        f"""
        import socket
        def test_careless():
            try:
                socket.create_connection(({ELSEWHERE!r}, 443), timeout=1)
            except OSError:
                pass
        def test_clean():
            pass
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines([f"*reached for the network: socket.getaddrinfo {ELSEWHERE}*"])
