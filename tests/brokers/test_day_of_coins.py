"""Where coins are traded, what is counted for a day turns over at midnight UTC, in a backtest and in summaries."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtests.replay.broker import ReplayBroker
from brokers.desk.session_report import SessionReport
from brokers.record import RunRecord
from config import load
from market.bar_tables import by_trading_day, to_table
from market.bars import FIELDS
from market.features import FeatureTable
from market.trading_day import DEFAULT, day_of, use_day_of

HOURS = pd.date_range("2026-03-06", periods=96, freq="h", tz="UTC")
"""New York's clocks are set forward in the night to the eighth."""


def hours():
    frame = pd.DataFrame({"symbol": "BTC/USD", "datetime": HOURS, **dict.fromkeys(FIELDS, 1.0)})
    return to_table(frame, ["BTC/USD"], "hand-written", 60)


def broker_of(bars, *overrides: str) -> ReplayBroker:
    settings = load("micro_cap", overrides=list(overrides))
    broker = ReplayBroker(bars.opens_at[0].to_pydatetime())
    broker.open_account(bars, 1_000.0, settings.fills, settings.policy_gate, RunRecord(initial_equity=1_000.0))
    return broker


@pytest.mark.parametrize(("zone", "turns"), [("UTC", [24, 48, 72]), (DEFAULT, [5, 29, 53, 76])])
def test_sessions_are_the_days_of_budgets_and_halts(zone, turns):
    use_day_of(zone)
    assert np.flatnonzero(np.diff(hours().session)).tolist() == [turn - 1 for turn in turns]


def test_a_table_that_was_made_before_the_settings_were_known_gets_their_days():
    made = hours()
    use_day_of("UTC")
    assert by_trading_day(made).session.tolist() == hours().session.tolist() != made.session.tolist()


def test_the_average_price_of_coins_begins_anew_at_midnight_utc():
    use_day_of("UTC")
    close = np.arange(1.0, 1.0 + len(HOURS))
    frame = pd.DataFrame({"symbol": "BTC/USD", "datetime": HOURS, **dict.fromkeys(FIELDS, close)})
    frame["volume"] = 1.0
    table = to_table(frame, ["BTC/USD"], "hand-written", 60)
    vwap, bar = (FeatureTable(table, [name], {}).columns[name][:, 0] for name in ("vwap", "session_bar"))
    assert vwap[23:26].tolist() == [12.5, 25.0, 25.5]
    assert bar[23:26].tolist() == [24, 1, 2]


def test_what_was_opened_counts_until_the_day_of_budgets_is_over():
    use_day_of("UTC")
    bars = hours()
    broker = broker_of(bars)
    broker._next_row = 21
    broker._count_opened(20.0)
    counted = {}
    for row in range(21, 34):
        broker._next_row, broker.datetime = row, bars.opens_at[row].to_pydatetime()
        counted.setdefault(broker.today(), set()).add(broker.opened_today())
    assert counted == {date(2026, 3, 6): {20.0}, date(2026, 3, 7): {0.0}}


def test_interest_on_cash_is_earned_for_each_day():
    use_day_of("UTC")
    bars = hours()
    broker = broker_of(bars, "fills.cash_interest_frac=0.05")
    for row in range(len(bars)):
        broker.datetime = bars.opens_at[row].to_pydatetime()
        broker._earn(row)
    assert broker.ledger.cash == pytest.approx(1_000 * (1 + 3 * 0.05 / 365), abs=0.01)
    assert broker.ledger.cash > 1_000.3


def test_a_summary_is_of_the_day_whose_opening_is_fixed(caplog):
    caplog.set_level(logging.INFO, "brokers.desk.session_report")
    use_day_of("UTC")
    openings: dict[date, Decimal] = {}
    now = datetime(2026, 11, 9, 23, tzinfo=UTC)
    row = SimpleNamespace(equity=1_000.0, time=now)
    record = SimpleNamespace(equity=[row], protected_bars=0, position_bars=0)
    own = SimpleNamespace(ledger=SimpleNamespace(positions={}), entries={}, portions=[])
    desk: Any = SimpleNamespace(
        state=SimpleNamespace(
            in_session=True,
            view=SimpleNamespace(time=None, account_time=None),
            clock=SimpleNamespace(local=float),
            venue=SimpleNamespace(request_limit=SimpleNamespace(quiet_s=60)),
        ),
        record=record,
        entries=SimpleNamespace(slippage=[], refusals=SimpleNamespace(skipped=[])),
        protector=SimpleNamespace(log=SimpleNamespace(intervals=[], present={})),
        lock=SimpleNamespace(held_s=0, acquire=lambda timeout: True, release=lambda: None),
        journal=SimpleNamespace(session_open_equity=openings.get, filled_entries=lambda day: 0),
        positions=SimpleNamespace(book=own, newer_than=lambda moment: False),
    )
    report = SessionReport(desk, SimpleNamespace(refusals=Counter()), lambda: now)  # type: ignore[arg-type]  # a stand-in
    # The loss is of one in the morning of the eleventh, when it is still the tenth in New York.
    loss = datetime(2026, 11, 11, 1, tzinfo=UTC)
    for _ in range(60):
        equity = 1_000.0 if now < loss else 950.0
        record.equity[-1] = SimpleNamespace(equity=equity, time=now)
        openings.setdefault(day_of(now), Decimal(str(equity)))
        if now == loss:
            trade = SimpleNamespace(exit_time=now, pnl=-50.0)
            desk.positions.book.portions.append(SimpleNamespace(trade=trade, entry_order="a"))
        report.check()
        now += timedelta(hours=1)
    told = [message.split(";")[:2] for message in caplog.messages]
    assert told == [
        ["session 2026-11-09: equity 1,000.00 USD, 0.00%", " no trade closed"],
        ["session 2026-11-10: equity 1,000.00 USD, 0.00%", " no trade closed"],
        ["session 2026-11-11: equity 950.00 USD, -5.00%", " 1 closed, 0 of them won, -50.00 USD"],
    ]
