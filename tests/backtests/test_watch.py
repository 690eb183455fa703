"""Every book is compared with the exchange's, and a rehearsal of half a day agrees in all of them."""

from __future__ import annotations

import importlib.util
import re
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import backtests.live.rehearsal_monitor as watching
from backtests.live.rehearsal_monitor import Books, RehearsalWatch, disagreements
from brokers.alpaca.venue import AlpacaVenue

DRILLS = Path(__file__).parents[2] / "tools" / "drills"
VENUE = Books("the exchange", {"SPY": Decimal(10)}, Decimal("96000.12"))


@pytest.mark.parametrize(
    ("positions", "cash", "expected"),
    [
        ({"SPY": Decimal("10.0")}, Decimal("96000.1249"), []),
        ({"SPY": Decimal(9)}, Decimal("96000.12"), ["SPY: 10 by the exchange, 9 by it"]),
        ({}, None, ["SPY: 10 by the exchange, 0 by it"]),
        ({"SPY": Decimal(10), "QQQ": Decimal(-1)}, None, ["QQQ: 0 by the exchange, -1 by it"]),
        ({"SPY": Decimal(10)}, Decimal("96000.13"), ["cash: 96000.12 by the exchange, 96000.13 by it"]),
    ],
)
def test_a_share_or_a_cent_is_a_disagreement(positions, cash, expected):
    assert disagreements([VENUE, Books("it", positions, cash)]) == expected


def scene(held: str, spent: str) -> tuple[Any, Any, Any]:
    """A strategy that bought one SPY for 400 by its own books, a session, and a venue that says otherwise or not."""
    account = {"cash": "1000"}
    clients: Any = SimpleNamespace(
        trading=SimpleNamespace(observers=[]),
        data=SimpleNamespace(observers=[]),
    )
    own = SimpleNamespace(symbols={"SPY"}, total=lambda symbol: Decimal(1), ledger=SimpleNamespace(cash=-400.0))
    desk = SimpleNamespace(
        tick=lambda: None,
        positions=SimpleNamespace(book=own),
        protector=SimpleNamespace(log=SimpleNamespace(intervals=[], present={})),
    )

    def iterate() -> None:
        account["cash"] = str(1000 - int(spent))
        for observer in clients.trading.observers:
            observer(None)

    strategy = SimpleNamespace(
        account=SimpleNamespace(desk=desk),
        broker=SimpleNamespace(trade_listeners=[]),
        _executor=SimpleNamespace(_on_trading_iteration_callable=iterate),
    )
    journal = SimpleNamespace(
        positions_by_fills=lambda: {"SPY": Decimal(1)}, cash_by_fills=lambda: Decimal(-400), filled_orders=list
    )
    exchange = SimpleNamespace(
        account=lambda: dict(account), positions=lambda: [{"symbol": "SPY", "qty": held}] if held else []
    )
    return (
        strategy,
        SimpleNamespace(venue=AlpacaVenue(clients), journal=journal),
        SimpleNamespace(call=lambda f: f(exchange)),
    )


@pytest.mark.parametrize(
    ("held", "spent", "amiss"), [("1", "400", 0), ("2", "400", 2), ("", "400", 2), ("1", "401", 2)]
)
def test_the_watch_reads_all_books_at_the_end(monkeypatch, held, spent, amiss):
    monkeypatch.setattr(watching, "SETTLE_S", 0.0)
    watch = RehearsalWatch()
    assert watch.disagreements == ["the run did not come to its end"]
    strategy, session, server = scene(held, spent)
    with watch(strategy, session, server):
        # What the start asks for is no iteration's.
        session.venue.client.trading.observers[0](None)
        strategy.broker.trade_listeners[0]({"event": "partial_fill"})
        strategy._executor._on_trading_iteration_callable()
        strategy._executor._on_trading_iteration_callable()
    assert len(watch.disagreements) == amiss
    assert (watch.start, watch.requests, watch.figures["partial fills"]) == (1, [1, 1], "1")


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("rehearse_days", DRILLS / "rehearse_days.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("arguments", "named"), [(["--once"], "--once"), (["--live"], "--live"), (["--start", "2022-11-25"], "--out")]
)
def test_the_script_says_what_it_does_not_do(script, capsys, arguments, named):
    assert script.main(arguments) == 2
    assert named in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.shared
def test_half_a_day_agrees_and_every_difference_is_explained(script, shared_data, tmp_path, capsys):
    """The day after Thanksgiving: half a session, rehearsed in a minute."""
    arguments = ["--strategy", "combined", "--profile", "intraday", "--symbols", "SPY,QQQ,NVDA,AAPL,MSFT,TSLA,BA"]
    arguments += ["--data", str(shared_data / "bars_5min.parquet"), "--start", "2022-11-25", "--end", "2022-11-25"]
    arguments += ["--config", str(DRILLS / "rehearsal_stimulus.yaml"), "--inverse", "--speed", "200", "--quiet"]
    assert script.main([*arguments, "--out", str(tmp_path / "days")]) == 0, capsys.readouterr().out
    told = (tmp_path / "days" / "comparison.md").read_text()
    same = re.search(r"the same \| (\d+)", told)
    # A machine so busy that the trader comes too late for the session would have nothing to compare.
    assert same and int(same[1]) >= 5, told
    assert "bars_differ" not in told
