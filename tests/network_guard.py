"""Keeps tests off the network, and tells which test tried.

Two nets: an audit hook sees every socket Python itself opens, and a proxy that only listens catches
libraries with their own sockets (libcurl) and child processes, which inherit the proxy variables.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import threading
from typing import Any

_OUTGOING = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_LOOKUP = {"socket.getaddrinfo", "socket.gethostbyname"}
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy")
_LOCAL_HOSTS = "localhost,127.0.0.1,::1"


class NetworkBlocked(ConnectionError):
    """A test reached for a host other than this one."""


def is_local(host: object) -> bool:
    """Whether a host name or address stays on this machine; empty and None mean every local interface."""
    if isinstance(host, bytes):
        host = host.decode()
    if not host or host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(str(host).split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


class NetworkGuard:
    """Refuses what leaves the machine and remembers it; ``attempts`` is emptied by whoever has read it."""

    def __init__(self) -> None:
        self.attempts: list[str] = []
        self._proxy = socket.create_server(("127.0.0.1", 0))

    def install(self) -> None:
        """Start watching this process; an audit hook cannot be taken off again."""
        sys.addaudithook(self._audit)
        threading.Thread(target=self._catch, name="network-guard", daemon=True).start()
        trap = f"http://127.0.0.1:{self._proxy.getsockname()[1]}"
        for variable in _PROXY_VARIABLES:
            os.environ[variable] = os.environ[variable.upper()] = trap
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = _LOCAL_HOSTS

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _LOOKUP:
            host = args[0]
        elif event in _OUTGOING:
            address = args[1]
            if not isinstance(address, tuple):  # a path: a Unix socket
                return
            host = address[0]
        else:
            return
        if not is_local(host):
            self.attempts.append(f"{event} {host}")
            raise NetworkBlocked(f"{host}: tests may only talk to this machine")

    def _catch(self) -> None:
        while True:
            connection, _ = self._proxy.accept()
            with connection:
                connection.settimeout(1)
                try:
                    line = connection.recv(4096).split(b"\r\n")[0].decode(errors="replace")
                    self.attempts.append(f"proxy {line}")
                    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                except OSError:
                    self.attempts.append("proxy, nothing sent")
