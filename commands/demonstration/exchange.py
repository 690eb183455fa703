"""The embedded exchange on a day of its own, and a trader at it without Lumibot's loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Event, Thread
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from brokers.desk.lifecycle.link import DeskLink
from brokers.desk.lifecycle.session import open_session
from brokers.desk.lifecycle.wiring import LiveAccount, open_live
from brokers.ports import Venue
from brokers.rehearsal.alpaca.server import RehearsalServer
from brokers.rehearsal.core.settings import VenueSettings
from brokers.venue_errors import VenueUnavailable
from commands.demonstration.bars import DAY, MINUTES, PRICES
from commands.demonstration.scene import Stage, environment
from config.reading.arguments import addresses
from config.reading.loader import load
from config.values.markets import NEW_YORK
from risk.model import Plan

EQUITY_USD = 106_400
KEY, SECRET = "ALPACA_API_KEY", "ALPACA_API_SECRET"
REQUESTS_A_MINUTE = 10_000
OPENS_AT = datetime.fromisoformat(f"{DAY}T10:00").replace(tzinfo=ZoneInfo(NEW_YORK))
BEAT_S = 0.1
LOOKS = 8
"""Iterations within which a desk has set everything right that one price has moved."""
TRADED = ("AAPL", "PLTR", "TSLA")
BASIC = (
    f"pace.bars={MINUTES}",
    "live.yahoo=false",
    f"universe.symbols=[{', '.join(TRADED)}]",
    "universe.benchmark=AAPL",
)


class Exchange:
    """An account at the embedded exchange, whose clock the scene moves."""

    def __init__(self, server: RehearsalServer) -> None:
        self.server = server
        self.now = OPENS_AT

    @property
    def url(self) -> str:
        return self.server.url

    def pass_time(self, seconds: float) -> None:
        """Let the market go on."""
        self.now += timedelta(seconds=seconds)
        self.server.advance_to(self.now)

    def by_hand(self, symbol: str, shares: float, side: str = "buy", **terms: Any) -> None:
        """An order typed at the broker; a market order is filled when this returns."""
        order = {
            "symbol": symbol,
            "qty": f"{shares:g}",
            "side": side,
            "type": "market",
            "time_in_force": "day",
            **terms,
        }
        self.server.call(lambda exchange: exchange.submit(order))
        self.pass_time(1)

    def cancel_all(self) -> int:
        """All orders cancelled by hand; returns how many there were."""
        count = len(self.orders())
        self.server.call(lambda exchange: exchange.cancel_all())
        self.pass_time(1)
        return count

    def held(self, symbol: str) -> Decimal:
        """Shares of a symbol."""
        return self.positions().get(symbol, Decimal(0))

    def positions(self) -> dict[str, Decimal]:
        """Shares by symbol."""
        rows: Any = self.server.call(lambda exchange: exchange.positions())
        return {row["symbol"]: Decimal(row["qty"]) for row in rows}

    def orders(self) -> list[dict[str, Any]]:
        """Open orders, each leg on its own."""
        rows: list[dict[str, Any]] = self.server.call(lambda exchange: exchange.orders(nested=True, limit=500))
        return [order for row in rows for order in (row, *(row["legs"] or ())) if order["status"] != "filled"]

    def stops(self, symbol: str) -> list[dict[str, Any]]:
        """Stops that rest at the exchange for a symbol."""
        return [order for order in self.orders() if order["symbol"] == symbol and order["type"] == "stop"]

    def behind_stops(self, symbol: str) -> Decimal:
        """Shares that those stops sell."""
        return sum((Decimal(order["qty"]) - Decimal(order["filled_qty"]) for order in self.stops(symbol)), Decimal(0))

    def fills(self) -> list[dict[str, Any]]:
        """Orders that were filled, legs too, oldest first."""
        rows: list[dict[str, Any]] = self.server.call(
            lambda exchange: exchange.orders("all", nested=False, limit=500, direction="asc")
        )
        return sorted((row for row in rows if row["status"] == "filled"), key=lambda row: row["filled_at"])

    @property
    def equity(self) -> Decimal:
        account: Any = self.server.call(lambda exchange: exchange.account())
        return Decimal(account["equity"])


@contextmanager
def exchange(bars: pd.DataFrame, cash: float = EQUITY_USD) -> Iterator[Exchange]:
    """The exchange at 10:00 on its day; its keys are in the environment meanwhile."""
    venue = VenueSettings(cash_usd=Decimal(str(cash)), half_spread_usd=Decimal(0))
    with (
        RehearsalServer(
            bars, start=OPENS_AT, settings=venue, clock="manual", requests_per_minute=REQUESTS_A_MINUTE
        ) as server,
        environment(**{KEY: server.key, SECRET: server.secret, "DATABASE_URL": ""}),
    ):
        yield Exchange(server)


@contextmanager
def time_passes(at: Exchange) -> Iterator[None]:
    """Let the exchange's time pass as ours does, while a command waits for it."""
    ended = Event()

    def tick() -> None:
        while not ended.wait(BEAT_S):
            at.pass_time(BEAT_S)

    thread = Thread(target=tick, name="exchange-time", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class VenueHours:
    """What a desk asks of Lumibot's broker, answered by the exchange's clock."""

    market = "NYSE"

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def attach(self, link: DeskLink) -> None:
        """Keep the way that Lumibot's orders take; fills are found by every look, no stream is listened to."""
        self.router = link.router

    def reconnect_stream(self) -> None:
        """Nothing: no stream is listened to."""

    def is_market_open(self) -> bool:
        return self._venue.venue_clock().is_open

    def in_regular_hours(self) -> bool:
        return self.is_market_open()


class Trader:
    """The live stack: session, feed, pipeline and desk, and one iteration when asked for."""

    def __init__(self, url: str, folder: Path, settings: Sequence[str], profile: str = "active") -> None:
        loaded = load(
            profile,
            overrides=[*BASIC, *settings],
            arguments=[*addresses(url), ("the demonstration", "live.state_dir", str(folder))],
        )
        self.session = open_session(loaded, paper=True, mode="rehearse", profile=profile)
        self.hours = VenueHours(self.session.venue)
        self.account: LiveAccount = open_live(self.hours, loaded, self.session)
        self.plan = Plan(self.session.venue.clock.now())

    def iterate(self) -> Plan:
        """Look, decide and send, as the strategy does in each iteration."""
        desk, account = self.account.desk, self.account
        # A jump of the exchange's clock is no answer until it has been read twice.
        with suppress(VenueUnavailable):
            self.session.venue.venue_clock()
        with desk.iteration():
            # What is moved by hand here takes less time than a look counts as fresh.
            with desk.lock:
                desk.look()
            book = desk.reconcile()
            self.plan = account.pipeline.decide(account.feed.snapshot(), book)
            desk.execute(self.plan)
        return self.plan

    def refusals(self) -> Mapping[str, str]:
        """Of the last plan, by symbol: which rule refused it and why."""
        return {
            d.proposal.symbol: f"{d.verdicts[-1].module}, {d.verdicts[-1].code}"
            for d in self.plan.decisions
            if d.outcome == "refused" and d.verdicts
        }

    def close(self) -> None:
        """End as a trader ends: stops stay."""
        self.account.close()


@contextmanager
def trader(at: Exchange, stage: Stage, *settings: str, profile: str = "active") -> Iterator[Trader]:
    """A trader at the exchange, with its state below the stage's folder."""
    found = Trader(at.url, stage.folder / "state", [*settings, *stage.overrides], profile)
    try:
        yield found
    finally:
        found.close()


def settle(at: Exchange, of: Trader, looks: int = LOOKS) -> None:
    """Let the desk finish what is under way, a second of the exchange between two looks."""
    for _ in range(looks):
        at.pass_time(1)
        of.iterate()


__all__ = ["EQUITY_USD", "OPENS_AT", "PRICES", "Exchange", "Trader", "exchange", "settle", "time_passes", "trader"]
