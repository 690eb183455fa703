"""What ties Lumibot's broker to the desk, both ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from brokers.desk.venue_snapshot import VenueSnapshot
from brokers.ports import OrderRouter
from brokers.venue_values import TradeUpdate


@dataclass(frozen=True, slots=True)
class DeskLink:
    """What a desk gives to Lumibot's broker, all at once.

    Parameters
    ----------
    router : OrderRouter
        Where Lumibot's orders leave.
    look : callable
        The venue now; Lumibot's sync and the iteration after it share one look.
    given_up : callable
        Whether the desk counts an order as over that the venue does not have, by either of its names.
    on_update : callable
        Gets each trade update, before Lumibot, in the stream's thread.
    on_stream : callable
        Gets True after each connect of the stream and False after each loss.
    extended_hours : bool
        Whether the market counts as open in extended hours.
    """

    router: OrderRouter
    look: Callable[[], VenueSnapshot]
    given_up: Callable[[str], bool]
    on_update: Callable[[TradeUpdate], None]
    on_stream: Callable[[bool], None]
    extended_hours: bool


class LiveBroker(Protocol):
    """What a desk needs of Lumibot's broker."""

    market: str

    def attach(self, link: DeskLink) -> None:
        """Let orders out, and hand trade updates on."""
        ...

    def reconnect_stream(self) -> None:
        """Drop the connection of trade updates, where there is one, and make another; from any thread."""
        ...

    def is_market_open(self) -> bool:
        """Whether orders can be filled now, extended hours included where they count."""
        ...

    def in_regular_hours(self) -> bool: ...
