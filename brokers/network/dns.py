"""Looks the names of hosts up for no longer than there is time, and remembers where they were last.

The system's resolver takes no deadline: with a name server that is gone it waits for ten seconds and more.
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Lookup:
    """One question to the resolver; ``addresses`` stays empty if it came to nothing."""

    over: threading.Event = field(default_factory=threading.Event)
    addresses: list[str] = field(default_factory=list)
    why: str = "no answer in time"


class Names:
    """Addresses of hosts. Whoever asks while a question is under way waits for the same answer."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._known: dict[str, list[str]] = {}
        self._lookups: dict[str, _Lookup] = {}

    def addresses(self, host: str, within_s: float) -> list[str]:
        """Where a host is now; where it was last, if that is not to be learned in time.

        Raises
        ------
        OSError
            It cannot be found and never was.
        """
        lookup = self._begin(host)
        lookup.over.wait(within_s)
        found = lookup.addresses or self._known.get(host, [])
        if not found:
            raise OSError(f"the name {host} cannot be resolved ({lookup.why})")
        return found

    def _begin(self, host: str) -> _Lookup:
        with self._mutex:
            lookup = self._lookups.get(host)
            if lookup is None:
                lookup = self._lookups[host] = _Lookup()
                # A daemon: the resolver must not keep the process from ending.
                threading.Thread(target=self._look_up, args=(host, lookup), name="resolver", daemon=True).start()
            return lookup

    def _look_up(self, host: str, lookup: _Lookup) -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            lookup.addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        except Exception as error:
            lookup.why = type(error).__name__
        with self._mutex:
            if lookup.addresses:
                self._known[host] = lookup.addresses
            del self._lookups[host]
        lookup.over.set()
