"""Runs on real bars: limits kept, hedges and trims where they are known to be, every trade checked against its bars."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date
from functools import cache

import pandas as pd
import pytest

from backtests.checks.audit import audit
from backtests.checks.audit_gate import GATE_RULES
from brokers.record import OrderRecord, TradeRecord
from config import load
from tests.backtests.runs import Run, backtest
from tests.conftest import SHARED_DATA

pytestmark = pytest.mark.shared

DAILY, MINUTES = SHARED_DATA / "daily_universe.parquet", SHARED_DATA / "bars_5min.parquet"
YEARS = ("2018-01-01", "2024-12-31")
QUARTER = ("2022-03-01", "2022-05-31")
BUY_SLIP, SELL_SLIP = 1 + 5e-4, 1 - 5e-4

MANY = {"selection.min_confidence": 0.5, "selection.a_plus_score": 62.5}
"""Every condition that is just met may enter: what the rules keep is seen where there are many entries."""
UNHALTED = MANY | {"risk.chain-": ["peak_halt", "streak_halt"]}
HEAVY = MANY | {
    "sizing.max_notional_frac": 0.15,
    "gate.max_order_notional_frac": 0.2,
    "gate.max_day_notional_frac": 1.0,
    "gate.max_new_positions": 20,
    "risk.chain": ["sector_cap", "correlation_cap", "cash_buffer", "rebalancer", "inverse_hedge"],
}
CROWDED = MANY | {
    "signals.enabled": ["mean_reversion", "momentum", "trend"],
    "sizing.max_notional_frac": 0.05,
    "gate.max_new_positions": 20,
    "gate.max_day_notional_frac": 1.0,
    "selection.execute": 4,
    # Without the budget, which would never let so many positions stand at once.
    "risk.chain": ["allocation", "sector_cap", "correlation_cap", "cash_buffer", "rebalancer", "inverse_hedge"],
}
RUNS = {
    "active": ("active", DAILY, YEARS, UNHALTED),
    "swing": ("swing", DAILY, YEARS, {}),
    "heavy": ("active", DAILY, YEARS, HEAVY),
    "crowded": ("active", DAILY, YEARS, CROWDED),
    "intraday": ("intraday", MINUTES, QUARTER, UNHALTED | {"selection.min_session_bars": 0}),
}
ALWAYS = {
    *GATE_RULES, "cash", "book", "stop", "stop_level", "notional", "positions", "weight", "cash_buffer", "sector_cap",
    "correlation_cap",
}  # fmt: skip


@cache
def run_of(name: str) -> Run:
    profile, data, window, sets = RUNS[name]
    return backtest(profile, data, *window, sets=sets)


def orders(name: str, role: str) -> list[OrderRecord]:
    return [o for o in run_of(name).record.orders if o.role == role]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rules", "trades", "sessions"),
    [
        ("active", {*ALWAYS, "inverse", "exposure_budget"}, (300, 500), 1761),
        ("swing", {*ALWAYS, "inverse", "exposure_budget"}, (200, 400), 1761),
        ("heavy", {*ALWAYS, "inverse", "trim"}, (350, 650), 1761),
        ("crowded", {*ALWAYS, "inverse"}, (1000, 1900), 1761),
        ("intraday", {*ALWAYS, "exposure_budget"}, (60, 250), 4992),
    ],
)
def test_limits_are_kept_and_positions_protected(name, rules, trades, sessions):
    run = run_of(name)
    found = audit(run.record, run.result.table, run.settings)
    assert found.violations == ()
    assert set(found.checked) == rules and min(found.checked.values()) >= 1
    record = run.record
    assert record.protected_bars == record.position_bars > 1000
    assert trades[0] <= len(record.trades) <= trades[1] and len(record.equity) == sessions
    reasons = Counter(t.exit_reason for t in record.trades)
    assert reasons["stop"] > 20 and reasons["target"] > 10
    assert set(reasons) <= {"stop", "target", "close", "trim", "partial"}
    assert all(o.status != "rejected" or o.reason for o in record.orders)


@pytest.mark.slow
def test_limits_are_kept_on_all_five_minute_bars():
    run = backtest("intraday", MINUTES)
    found = audit(run.record, run.result.table, run.settings)
    assert found.violations == () and set(found.checked) == {*ALWAYS, "exposure_budget"}
    assert run.record.protected_bars == run.record.position_bars > 5_000
    assert 400 <= len(run.record.trades) <= 1000 and len(run.record.equity) > 27_000


def test_the_hedge_acts_when_leaders_are_overbought():
    hedges = {(o.time.date(), o.symbol) for o in orders("active", "hedge") if o.status == "filled"}
    # New-year rally of 2018, autumn of 2019, the top before the crash of 2020, its echo in September.
    for day, symbol in (
        ("2018-01-09", "SH"), ("2018-01-23", "SH"), ("2019-11-05", "SH"), ("2020-02-18", "SH"), ("2020-09-02", "SQQQ"),
        ("2023-06-16", "SQQQ"), ("2024-07-08", "SPXS"),
    ):  # fmt: skip
        assert (date.fromisoformat(day), symbol) in hedges
    assert {symbol for _, symbol in hedges} == {"SH", "SQQQ", "SPXS"} and 15 <= len(hedges) <= 60
    unwound = [t for t in run_of("active").record.trades if t.signal == "inverse_hedge" and t.exit_reason == "close"]
    assert len(unwound) >= 15
    largest = max(row.inverse_exposure / row.equity for row in run_of("active").record.equity)
    assert 0.09 < largest <= 0.20


def test_gauges_were_overbought_when_the_hedge_was_opened():
    """RSI(14) in Wilder's way, computed here from the file's closes."""
    closes = pd.read_parquet(DAILY).pivot(index="datetime", columns="symbol", values="close")
    settings = load("active")
    gauges = settings.risk.modules["inverse_hedge"]["gauges"]
    changes = closes[list(gauges)].diff()

    def wilder(moves: pd.DataFrame) -> pd.DataFrame:
        seeded = moves.rolling(14).mean().where(moves.notna().cumsum() == 14)
        return seeded.combine_first(moves[moves.notna().cumsum() > 14]).ewm(alpha=1 / 14, adjust=False).mean()

    gains, losses = wilder(changes.clip(lower=0)), wilder(-changes.clip(upper=0))
    share = (100 - 100 / (1 + gains / losses) > 70).mean(axis=1)
    before = share.shift(1)
    opened = {o.time.date() for o in orders("active", "hedge")}
    assert all(before.loc[pd.Timestamp(day)] >= 0.6 for day in opened)


def test_the_rebalancer_trims_what_has_grown_too_heavy():
    trims = [o for o in orders("heavy", "trim") if o.status == "filled"]
    assert (date(2018, 2, 15), "AVGO") in {(o.time.date(), o.symbol) for o in trims} and len(trims) > 50
    run = run_of("heavy")
    equity = {row.time: row.equity for row in run.record.equity}
    table = run.result.table
    for order in trims:
        row = table.opens_at.get_loc(order.filled_time) - 1
        mark = pd.Series(table.close[: row + 1, table.symbols.index(order.symbol)]).ffill().iloc[-1]
        held = held_before(run, order)
        worth = equity[table.closes_at[row].to_pydatetime()]
        assert held * mark / worth > 0.155
        assert (held - order.filled_quantity) * mark / worth <= 0.15 < (held - order.filled_quantity + 1) * mark / worth


def held_before(run: Run, order: OrderRecord) -> float:
    """Shares of the order's symbol held until it filled, from the fills."""
    earlier = [o for o in run.record.orders if o.symbol == order.symbol and o.status == "filled"]
    return sum(o.filled_quantity * (1 if o.side == "buy" else -1) for o in earlier if o.filled_time < order.filled_time)


def test_the_sector_cap_refuses_a_fourth_of_a_sector():
    refused = {
        (d.time.date(), d.proposal.symbol): d.verdicts[-1].code
        for d in run_of("crowded").record.decisions
        if d.outcome == "refused" and d.verdicts[-1].module == "sector_cap"
    }
    assert refused[date(2021, 8, 10), "MARA"] == "SECTOR_CAP: crypto_adjacent 3/3"
    assert sum(code.endswith("3/3") for code in refused.values()) > 20
    assert any(" share " in code for code in refused.values())


def test_the_gate_stops_entries_whose_quote_has_run_away():
    """META opened 16% higher on the day after its results of April 2022."""
    (order,) = [o for o in orders("active", "entry") if (o.time.date(), o.symbol) == (date(2022, 4, 28), "META")]
    assert order.status == "rejected" and order.reason.startswith("GATE_COLLAR: quote 201.5124")


# ---- every single trade against the file --------------------------------------------------------------------


@pytest.fixture(scope="module")
def bars_of() -> dict[str, pd.DataFrame]:
    """The file's bars by symbol, indexed by session date: read without the package."""
    frame = pd.read_parquet(DAILY)
    # Python's floats: numpy rounds a tie of the fourth decimal differently.
    return {s: rows.set_index("datetime").astype(object) for s, rows in frame.groupby("symbol", observed=True)}


def expected_exit(bars: pd.DataFrame, stop: float, target: float) -> tuple[pd.Timestamp, float, str] | None:
    """First bar that touches a level, from the entry's on, and what a pessimist gets there: date, price, reason."""
    entered = bars.index[0]
    for bar in bars.itertuples():
        if bar.Index > entered and bar.open <= stop:
            return bar.Index, round(bar.open * SELL_SLIP, 4), "stop"
        if bar.Index > entered and bar.open >= target:
            return bar.Index, bar.open, "target"
        if bar.low <= stop:
            return bar.Index, round(stop * SELL_SLIP, 4), "stop"
        if bar.high >= target:
            return bar.Index, target, "target"
    return None


def to_tick(price: float) -> float:
    return round(price, 2 if price >= 1 else 4)


def stop_tick(price: float) -> float:
    """The first tick from the stop towards the market."""
    digits = 2 if price >= 1 else 4
    return round(math.ceil(price * 10**digits - 1e-6) / 10**digits, digits)


def session(moment: pd.Timestamp) -> pd.Timestamp:
    return pd.Timestamp(moment).tz_localize(None).normalize()


def wrong(trade: TradeRecord, bars: pd.DataFrame) -> str:
    """What contradicts the bars, empty if nothing does."""
    entered, left = session(trade.entry_time), session(trade.exit_time)
    open_ = bars.loc[entered].open
    if trade.entry_price != round(open_ * BUY_SLIP, 4):
        return f"entry {trade.entry_price} at an open of {open_}"
    if (trade.stop, trade.target) != (stop_tick(open_ - open_ * 0.05), to_tick(open_ + open_ * 0.15)):
        return f"levels {trade.stop} {trade.target} at an open of {open_}"
    expected = expected_exit(bars.loc[entered:left], trade.stop, trade.target)
    if trade.exit_reason in ("stop", "target"):
        if expected is None or (left, trade.exit_reason) != (expected[0], expected[2]):
            return f"{trade.exit_reason} on {left:%Y-%m-%d}, bars say {expected}"
        if abs(trade.exit_price - expected[1]) > 1e-9:
            return f"exit at {trade.exit_price}, bars say {expected}"
        return ""
    # Closed or trimmed by decision: at the open, and no level was touched before that day.
    if trade.exit_price != round(bars.loc[left].open * SELL_SLIP, 4):
        return f"{trade.exit_reason} at {trade.exit_price}, open {bars.loc[left].open}"
    if expected is not None and expected[0] < left:
        return f"{trade.exit_reason} on {left:%Y-%m-%d}, but bars say {expected}"
    return ""


@pytest.mark.parametrize("name", ["active", "heavy", "crowded"])
def test_every_trade_is_what_its_bars_allow(name, bars_of):
    found = [(t, wrong(t, bars_of[t.symbol])) for t in run_of(name).record.trades]
    assert [(t.symbol, t.entry_time, why) for t, why in found if why] == []
    assert len(found) > 300


def test_the_trades_put_every_case_of_an_exit_to_the_test(bars_of):
    """Gaps through both levels, levels inside the bar, both in one bar, and exits on the day of entry."""
    seen: Counter[str] = Counter()
    for trade in run_of("crowded").record.trades:
        bar, sameday = bars_of[trade.symbol].loc[session(trade.exit_time)], trade.entry_time == trade.exit_time
        if trade.exit_reason == "stop":
            seen["gap" if not sameday and bar.open <= trade.stop else "inside"] += 1
            seen["both"] += bool(bar.high >= trade.target and (sameday or bar.open < trade.target))
        elif trade.exit_reason == "target":
            seen["gap up" if bar.open >= trade.target else "inside up"] += 1
        seen["same day"] += sameday
    assert all(seen[case] >= 1 for case in ("gap", "inside", "gap up", "inside up", "same day", "both")), seen


@pytest.mark.parametrize(
    "change",
    [
        {"entry_price": 0.0001}, {"exit_price": 0.0001}, {"stop": 0.01}, {"target": -0.01},
        {"exit_time": pd.Timedelta(days=1)},
    ],
)  # fmt: skip
def test_a_doctored_trade_contradicts_its_bars(bars_of, change):
    for reason in ("stop", "target"):
        trade = next(
            t
            for t in run_of("active").record.trades
            if t.exit_reason == reason and t.entry_time.weekday() < 3 and t.exit_time.weekday() < 3
        )
        ((name, amount),) = change.items()
        moved = {f: getattr(trade, f) for f in trade.__dataclass_fields__}
        moved[name] = moved[name] + amount
        assert wrong(trade, bars_of[trade.symbol]) == ""
        assert wrong(TradeRecord(**moved), bars_of[trade.symbol]) != ""
