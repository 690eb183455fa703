"""Which requests that change orders may leave: those that the order gateway is just sending."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Admission:
    """Shared by the order gateway, which names what it sends, and the transport, which asks before it sends.

    A request goes by the client order id that it carries or, for a cancel, by the venue's id of the order.
    """

    def __init__(self) -> None:
        self._under_way: dict[str, bool] = {}

    @contextmanager
    def sending(self, name: str, urgent: bool) -> Iterator[None]:
        """Admit the requests about one order that are made inside."""
        self._under_way[name] = urgent
        try:
            yield
        finally:
            self._under_way.pop(name, None)

    def admits(self, name: str) -> bool:
        """Whether a request about that order is the gateway's."""
        return name in self._under_way

    def urgent(self, name: str) -> bool:
        """Whether it protects or leaves a position, or cancels: nothing but time may hold it back."""
        return self._under_way.get(name, False)
