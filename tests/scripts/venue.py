"""A venue to run the operator's scripts against, a trader's books at it, and the scripts themselves."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from brokers.desk.core import DeskCore
from brokers.desk.execution.order_requests import bracket
from brokers.desk.lifecycle.session import JOURNAL_FILE
from brokers.journal import Journal
from brokers.network.admission import Admission
from brokers.operator.cleanup import core_of
from brokers.rehearsal.alpaca.server import RehearsalServer
from brokers.rehearsal.core.settings import VenueSettings
from brokers.venues import open_venue
from config import Settings
from config.reading.arguments import addresses
from config.reading.loader import load
from tests.brokers.rehearsal.market import wait_for

SCRIPTS = Path(__file__).parents[2] / "scripts"
NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2026, 3, 10, 10, 0, tzinfo=NEW_YORK)
PRICES = {"AAPL": 100.0, "PENNY": 0.4, "PLTR": 170.77, "TSLA": 443.18}
EQUITY = 106_400


def script(name: str) -> ModuleType:
    """One of the scripts as a module."""
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


CLEANUP = script("emergency_cleanup")


def flat_bars(prices: Mapping[str, float]) -> pd.DataFrame:
    """Two sessions in which nothing moves."""
    times = pd.DatetimeIndex(
        [t for day in ("2026-03-09", "2026-03-10") for t in pd.date_range(f"{day} 09:30", f"{day} 15:59", freq="5min")]
    ).tz_localize("America/New_York")
    columns = ("open", "high", "low", "close")
    return pd.concat(
        pd.DataFrame({"symbol": symbol, "datetime": times, **dict.fromkeys(columns, price), "volume": 4_000})
        for symbol, price in prices.items()
    )


@dataclass
class Place:
    """A venue, and the state folder of a trader that is not running."""

    server: RehearsalServer
    state: Path
    arguments: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.arguments = ["--alpaca-url", self.server.url, "--state-dir", str(self.state)]

    @property
    def settings(self) -> Settings:
        return load(arguments=[*addresses(self.server.url), ("test", "live.state_dir", str(self.state))])

    @contextmanager
    def trader(self) -> Iterator[DeskCore]:
        """What a trader at this venue trades with; its journal is closed at the end."""
        settings = self.settings
        admission = Admission()
        venue = open_venue(settings, True, admission)
        venue.venue_clock()
        with Journal(self.state / JOURNAL_FILE, venue.account().id, venue.clock.now) as journal:
            yield core_of(venue, journal, settings, admission)

    def enter(self, core: DeskCore, symbol: str = "AAPL", shares: int = 50) -> None:
        """Buy at market behind a bracket at 5% and 15%, and book it."""
        price = PRICES[symbol]
        core.observer.look()
        core.gateway.place(
            bracket(symbol, "buy", shares, price * 0.95, price * 1.15, None), "entry", core.state.now, opens=True,
            quote=price,
        )  # fmt: skip
        wait_for(lambda: self.held(symbol) == shares)
        core.observer.look()

    def by_hand(self, symbol: str, shares: str, side: str = "buy", **terms: Any) -> str:
        """An order from another program; a market order is waited for."""
        order = {"symbol": symbol, "qty": shares, "side": side, "type": "market", "time_in_force": "day", **terms}
        before, sign = self.held(symbol), 1 if side == "buy" else -1
        placed = self.server.call(lambda exchange: exchange.submit(order))
        if order["type"] == "market":
            wait_for(lambda: self.held(symbol) == before + sign * Decimal(shares))
        return str(placed["id"])

    def held(self, symbol: str) -> Decimal:
        return sum((Decimal(row["qty"]) for row in self._positions() if row["symbol"] == symbol), Decimal(0))

    def open_orders(self) -> list[Any]:
        return self.server.call(lambda exchange: exchange.orders(nested=True, limit=500))

    def cancel_all(self) -> None:
        """Cancel every order by hand, and wait until the shares are free."""
        self.server.call(lambda exchange: exchange.cancel_all())
        wait_for(lambda: all(row["qty_available"] == row["qty"] for row in self._positions()))

    def changes(self) -> list[Any]:
        """Requests that changed something."""
        return [request for request in self.server.log if request.method != "GET"]

    def _positions(self) -> list[Any]:
        return self.server.call(lambda exchange: exchange.positions())

    def files(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.state)): p.read_bytes() for p in self.state.rglob("*") if p.is_file()}


@contextmanager
def place(tmp_path: Path, monkeypatch: Any, **options: Any) -> Iterator[Place]:
    """A venue with 106,400 USD on a Tuesday at 10:00, its keys in the environment."""
    venue = VenueSettings(cash_usd=Decimal(EQUITY), half_spread_usd=Decimal(0))
    with RehearsalServer(
        flat_bars(PRICES), start=START, settings=venue, requests_per_minute=10_000, **options
    ) as server:  # fmt: skip
        monkeypatch.setenv("ALPACA_API_KEY", server.key)
        monkeypatch.setenv("ALPACA_API_SECRET", server.secret)
        monkeypatch.delenv("DATABASE_URL", raising=False)
        state = tmp_path / "state"
        state.mkdir(exist_ok=True)
        yield Place(server, state)


def run(desk: Place, *more: str, broker: str = "alpaca") -> int:
    """The emergency cleanup; its exit status."""
    return int(CLEANUP.main(["--broker", broker, *desk.arguments, *more]))
