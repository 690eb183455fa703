"""The audit passes honest runs, after putting every rule to the test, and finds every violation that is planted.

Planted records are complete little books: cash, equity and exits follow from the fills, so that only the
rule that was broken may be reported.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest

from backtests import embedded
from backtests.checks.audit import audit
from backtests.checks.audit_gate import GATE_RULES
from brokers.record import EquityRow, OrderRecord, RunRecord, TradeRecord
from config import Settings, load
from market.bar_tables import to_table
from market.bars import BarTable
from tests.backtests.runs import Run, backtest

WIDE_GATE = {
    "gate.max_order_notional_frac": 1.0, "gate.max_day_notional_frac": 4.0, "gate.max_new_positions": 100,
    "gate.min_cash_frac": 0.0, "selection.min_confidence": 0.5,
}  # fmt: skip
"""For runs in which the rules above it are what is audited."""
ALWAYS = {*GATE_RULES, "cash", "book", "stop", "stop_level", "notional", "positions", "weight"}
CAPS = {"cash_buffer", "sector_cap", "correlation_cap", "exposure_budget"}
WINDOW = {"active": (), "swing": (), "bench": (), "intraday": ("2023-06-01", "2023-06-14")}


@pytest.fixture(scope="module")
def active() -> Run:
    # So many entries that every kind of record is in it.
    return backtest("active", sets={"selection.min_confidence": 0.5, "risk.chain-": ["peak_halt", "streak_halt"]})


# ---- honest runs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "sets", "rules"),
    [
        ("active", {}, {*ALWAYS, *CAPS, "inverse"}),
        ("swing", {}, {*ALWAYS, *CAPS, "inverse"}),
        ("intraday", {}, {*ALWAYS, *CAPS}),
        ("bench", {}, ALWAYS),
        (
            "active",
            WIDE_GATE
            | {"sizing.max_notional_frac": 0.15, "risk.chain": ["cash_buffer", "rebalancer", "inverse_hedge"]},
            {*ALWAYS, "cash_buffer", "inverse", "trim"},
        ),
        (  # an account in which one share can be too heavy, and is left alone
            "active",
            WIDE_GATE | {"account.budget_usd": 1000.0, "sizing.max_notional_frac": 0.15, "risk.chain": ["rebalancer"]},
            {*ALWAYS, "trim"},
        ),
        (  # hedges so large that the market lifts them above their total
            "active",
            WIDE_GATE | {
                "sizing.max_notional_frac": 0.2, "risk.modules.inverse_hedge.size_frac": 0.2,
                "risk.modules.inverse_hedge.clear_frac": 0.01, "risk.modules.inverse_hedge.stop_frac": 0.5,
                "risk.chain": ["cash_buffer", "inverse_hedge"],
            },
            {*ALWAYS - {"weight"}, "cash_buffer", "inverse"},
        ),
    ],
)  # fmt: skip
def test_embedded_runs_keep_what_was_promised(profile, sets, rules):
    run = backtest(profile, "embedded", *WINDOW[profile], sets=sets)
    found = audit(run.record, run.result.table, run.settings)
    assert found.violations == ()
    assert set(found.checked) == rules and min(found.checked.values()) >= 1
    assert found.checked["stop"] == run.record.position_bars > 100
    opened = sum(o.status == "filled" and o.role in ("entry", "hedge") for o in run.record.orders)
    assert found.checked["notional"] == found.checked["positions"] == opened


def test_bars_after_the_window_are_nobodys_business(active):
    """A position too heavy at the last close is for the next decision, which is not made."""
    short = backtest("active", "embedded", "2018-01-02", "2018-12-31")
    found = audit(short.record, active.result.table, short.settings)
    assert found.violations == () and found.checked["book"] == len(short.record.equity) == 251


# ---- little books ---------------------------------------------------------------------------------------

SECTORS = {
    "AAPL": "mega_tech", "MSFT": "mega_tech", "NVDA": "mega_tech", "AMZN": "mega_tech", "AMD": "semis",
    "AVGO": "semis", "NFLX": "streaming", "TSLA": "autos", "PLTR": "high_beta_growth", "COIN": "crypto_adjacent",
    "SH": "inverse", "SQQQ": "inverse", "SPXS": "inverse",
}  # fmt: skip
SYMBOLS = tuple(SECTORS)
TOGETHER = ("AMD", "NFLX", "TSLA", "PLTR")
BARS, FIRST, CASH = 90, 70, 100_000.0


def prices(jumps: dict[tuple[int, str], float]) -> BarTable:
    """Quiet bars around 100, four symbols moving together; ``jumps`` multiply a symbol's prices from a row on."""
    rng = np.random.default_rng(3)
    returns = rng.normal(0, 0.001, (BARS, len(SYMBOLS)))
    common = rng.normal(0, 0.002, BARS)
    for symbol in TOGETHER:
        returns[:, SYMBOLS.index(symbol)] = common + rng.normal(0, 0.0002, BARS)
    close = 100 * np.exp(np.cumsum(returns, axis=0))
    for (row, symbol), factor in jumps.items():
        close[row:, SYMBOLS.index(symbol)] *= factor
    opens = np.vstack([close[:1], close[:-1]])
    days = pd.bdate_range("2024-01-02", periods=BARS)
    parts = [
        pd.DataFrame(
            {
                "symbol": symbol, "datetime": days, "open": opens[:, k], "close": close[:, k], "volume": 1000.0,
                "high": np.maximum(opens, close)[:, k], "low": np.minimum(opens, close)[:, k],
            }
        )
        for k, symbol in enumerate(SYMBOLS)
    ]  # fmt: skip
    return to_table(pd.concat(parts), SYMBOLS, "hand-made")


@dataclass
class Book:
    """Writes the record of scripted fills: what a broker that refuses nothing would leave behind."""

    table: BarTable
    record: RunRecord = field(default_factory=lambda: RunRecord(initial_equity=CASH))
    cash: float = CASH
    held: dict[str, float] = field(default_factory=dict)
    opened: dict[str, OrderRecord] = field(default_factory=dict)

    def run(self, script: dict[int, list[tuple[str, float, str]]], stop_frac: float = 0.5) -> RunRecord:
        """``script`` holds fills by row: symbol, quantity or fraction of 100,000 USD, role; 0 is all of it."""
        for row in range(FIRST, BARS):
            for symbol, amount, role in script.get(row, []):
                self.fill(row, symbol, amount, role, stop_frac)
            self.value(row)
        return self.record

    def fill(self, row: int, symbol: str, amount: float, role: str, stop_frac: float) -> None:
        price = float(self.table.open[row, SYMBOLS.index(symbol)])
        opening = role in ("entry", "hedge")
        quantity = amount // 1 if amount >= 1 else amount * CASH // price if amount else self.held[symbol]
        order = self.order(row, symbol, "buy" if opening else "sell", quantity, "market", role)
        order.status, order.filled_quantity, order.filled_price, order.filled_time = (
            "filled",
            quantity,
            price,
            order.time,
        )
        self.cash -= quantity * price * (1 if opening else -1)
        if opening:
            self.held[symbol] = self.held.get(symbol, 0) + quantity
            self.opened[symbol] = order
            stop = self.order(row, symbol, "sell", quantity, "stop", "stop")
            stop.parent_id, stop.stop_price = order.client_order_id, price * (1 - stop_frac)
            return
        entry = self.opened[symbol]
        stop = next(o for o in self.record.orders if o.parent_id == entry.client_order_id)
        self.held[symbol] -= quantity
        stop.quantity = self.held[symbol]
        self.record.trades.append(
            TradeRecord(
                symbol, "buy", quantity, entry.time, entry.filled_price, order.time, price, stop.stop_price, 200.0, 1.0,
                None, quantity * (price - entry.filled_price), 0.0, role, "trend", 60.0,
            )
        )  # fmt: skip
        if not self.held[symbol]:
            stop.status, stop.quantity = "cancelled", quantity
            del self.held[symbol]

    def order(self, row: int, symbol: str, side: str, quantity: float, kind: str, role: str) -> OrderRecord:
        order = OrderRecord(
            time=self.table.opens_at[row].to_pydatetime(), client_order_id=f"o{len(self.record.orders)}", parent_id="",
            symbol=symbol, side=side, quantity=quantity, type=kind, limit_price=None, stop_price=None, role=role,
            reason="REBALANCER: too heavy" if role == "trim" else "",
        )  # fmt: skip
        self.record.orders.append(order)
        return order

    def value(self, row: int) -> None:
        values = {"entry": 0.0, "hedge": 0.0}
        for symbol, quantity in self.held.items():
            values[self.opened[symbol].role] += quantity * float(self.table.close[row, SYMBOLS.index(symbol)])
            self.record.position_bars += 1
            self.record.protected_bars += 1
        equity = self.cash + sum(values.values())
        closes = self.table.closes_at[row].to_pydatetime()
        self.record.equity.append(EquityRow(closes, equity, self.cash, *values.values(), len(self.held)))


@dataclass(frozen=True)
class Case:
    """A script of fills that breaks ``rules``, and the smallest change to it that breaks none."""

    rules: set[str]
    broken: dict[int, list[tuple[str, float, str]]]
    clean: dict[int, list[tuple[str, float, str]]]
    said: str = ""
    jumps: dict[tuple[int, str], float] = field(default_factory=dict)
    sets: dict[str, object] = field(default_factory=dict)
    stop_frac: float = 0.5


def entries(*symbols: str, frac: float = 0.05, role: str = "entry") -> list[tuple[str, float, str]]:
    return [(symbol, frac, role) for symbol in symbols]


ONLY_SECTOR = {"risk.chain": ["sector_cap"]}
ONLY_BUDGET = {"risk.chain": ["exposure_budget"]}
# Books that pile up positions on one day would all break the budget as well.
WITHOUT_BUDGET = {
    "risk.chain": ["allocation", "sector_cap", "correlation_cap", "cash_buffer", "rebalancer", "inverse_hedge"]
}
SPREAD = entries("AMD", "AVGO", "NFLX", "TSLA", "PLTR", "COIN")
CASES = {
    "notional": Case({"notional"}, {FIRST: [("AAPL", 0.11, "entry")]}, {FIRST: [("AAPL", 0.10, "entry")]}, "0.1"),
    "buffer": Case(
        {"cash_buffer"},
        {FIRST: [*entries("AAPL", "AMD", "NFLX", frac=0.09), *entries("COIN", "AVGO", "TSLA", "MSFT", frac=0.09)],
         FIRST + 1: entries("NVDA", "PLTR", frac=0.095), FIRST + 2: entries("SH", frac=0.095, role="hedge")},
        {FIRST: [*entries("AAPL", "AMD", "NFLX", frac=0.09), *entries("COIN", "AVGO", "TSLA", "MSFT", frac=0.09)],
         FIRST + 1: entries("NVDA", "PLTR", frac=0.095)},
        "of equity", sets={"risk.modules.correlation_cap.max_positions": 9},
    ),
    "fourth of a sector": Case(
        {"sector_cap"},
        {FIRST: SPREAD, FIRST + 1: entries("AAPL", "MSFT", "NVDA"), FIRST + 2: entries("AMZN")},
        {FIRST: SPREAD, FIRST + 1: entries("AAPL", "MSFT", "NVDA"), FIRST + 2: [("AAPL", 0, "close")],
         FIRST + 3: entries("AMZN")},
        "mega_tech 4 positions", sets=ONLY_SECTOR,
    ),
    "share of a sector": Case(
        {"sector_cap"},
        {FIRST: entries("AAPL", "COIN", "MSFT")}, {FIRST: entries("AAPL", "MSFT")}, "mega_tech 2 of 3 positions",
    ),
    "fourth that moves along": Case(
        {"correlation_cap"},
        {FIRST: entries("AMD", "NFLX", "TSLA"), FIRST + 1: entries("PLTR")},
        {FIRST: entries("AMD", "NFLX", "TSLA"), FIRST + 1: entries("COIN")}, "3 positions move with it",
    ),
    "too many positions": Case(
        {"positions"},
        {FIRST: entries("AMD", "COIN", "TSLA")}, {FIRST: entries("AMD", "COIN")}, "3 open",
        sets={"gate.max_open_positions": 2},
    ),
    "too heavy and left": Case(
        {"weight"},
        {FIRST: entries("TSLA", frac=0.1)}, {FIRST: entries("TSLA", frac=0.1), 79: [("TSLA", 45, "trim")]},
        "of equity, not trimmed", jumps={(78, "TSLA"): 3.0},
    ),
    "trimmed too little": Case(
        {"trim"},
        {FIRST: entries("TSLA", frac=0.1), 79: [("TSLA", 30, "trim")], 80: [("TSLA", 0, "close")]},
        {FIRST: entries("TSLA", frac=0.1), 79: [("TSLA", 45, "trim")], 80: [("TSLA", 0, "close")]},
        "of equity left", jumps={(78, "TSLA"): 3.0},
    ),
    "inverse funds": Case(
        {"inverse"},
        {FIRST: entries("SH", "SQQQ", "SPXS", frac=0.09, role="hedge"), 75: [("SH", 0, "close")]},
        {FIRST: entries("SH", "SQQQ", frac=0.09, role="hedge"), 75: [("SH", 0, "close")]},
        "of equity in inverse funds",
    ),
    "inverse funds lifted by the market": Case(
        {"inverse"},
        {FIRST: entries("SH", "SQQQ", frac=0.09, role="hedge")},
        {FIRST: entries("SH", "SQQQ", frac=0.09, role="hedge"), 79: [("SH", 40, "close")]},
        "not trimmed", jumps={(78, "SH"): 1.3},
    ),
    "negative cash": Case(
        {"cash"},
        {FIRST: entries("AAPL", "AMD", frac=0.6)}, {FIRST: entries("AAPL", "AMD", frac=0.4)}, "cash -",
        sets=WIDE_GATE | {"sizing.max_notional_frac": 1.0, "risk.chain": ["sector_cap"]},
    ),
    "third position of a day": Case(
        {"exposure_budget"},
        {FIRST: entries("AAPL", "AMD", "COIN")}, {FIRST: entries("AAPL", "AMD"), FIRST + 1: entries("COIN")},
        "3 positions opened today", sets=ONLY_BUDGET,
    ),
    "too much in a day": Case(
        {"exposure_budget"},
        {FIRST: [("AAPL", 0.0995, "entry"), ("AAPL", 0, "close"), ("AMD", 0.0995, "entry")]},
        {FIRST: [("AAPL", 0.0995, "entry"), ("AAPL", 0, "close"), ("AMD", 0.09, "entry")]},
        "of equity opened today", sets={**ONLY_BUDGET, "risk.modules.exposure_budget.day_frac": 0.195},
    ),
    "too much in a week": Case(
        {"exposure_budget"},
        {FIRST + n: entries(s, frac=0.0995) for n, s in enumerate(("AAPL", "AMD", "COIN", "NFLX", "TSLA"))},
        {FIRST: entries("AAPL", frac=0.0995), FIRST + 1: [*entries("AMD", frac=0.0995), ("AAPL", 0, "close")],
         FIRST + 2: entries("COIN", frac=0.0995), FIRST + 3: entries("NFLX", frac=0.0995),
         FIRST + 4: entries("TSLA", frac=0.0995)},
        "on the week's bill", sets=ONLY_BUDGET,
    ),
    "more in an order than the gate lets through": Case(
        {"order_notional"},
        {FIRST: entries("AAPL", frac=0.09)}, {FIRST: entries("AAPL", frac=0.049)}, "the limit is",
        sets={"gate.max_order_notional_usd": 5_000.0},
    ),
    "more in a day than the gate lets through": Case(
        {"day_notional"},
        {FIRST: entries("AAPL", "AMD", frac=0.09)}, {FIRST: entries("AAPL", frac=0.09), FIRST + 1: entries("AMD")},
        "the limit is", sets={"gate.max_day_notional_usd": 15_000.0},
    ),
    "more new positions than the gate lets through": Case(
        {"new_positions"},
        {FIRST: entries("AAPL", "AMD")}, {FIRST: entries("AAPL"), FIRST + 1: entries("AMD")}, "2 opened",
        sets={"gate.max_new_positions": 1},
    ),
    "one that is restricted": Case(
        {"restricted"},
        {FIRST: entries("AMD")}, {FIRST: entries("AAPL")}, "restricted list", sets={"gate.restricted": ["AMD"]},
    ),
    "stop that was passed": Case(
        {"stop_level"},
        {FIRST: entries("COIN"), 82: [("COIN", 0, "close")]}, {FIRST: entries("COIN"), 80: [("COIN", 0, "close")]},
        "was passed, the position stayed", jumps={(80, "COIN"): 0.9}, stop_frac=0.05,
    ),
}  # fmt: skip


def settings_of(case: Case) -> Settings:
    chosen = {"universe.symbols": [s for s, sector in SECTORS.items() if sector != "inverse"]}
    return load("active", overrides={**chosen, **WIDE_GATE, **WITHOUT_BUDGET, **case.sets})


@pytest.mark.parametrize("name", CASES)
def test_a_planted_violation_is_found_and_its_clean_twin_passes(name):
    case = CASES[name]
    table, settings = prices(case.jumps), settings_of(case)
    found = audit(Book(table).run(case.broken, case.stop_frac), table, settings)
    assert {v.rule for v in found.violations} == case.rules
    assert any(case.said in v.reading for v in found.violations)
    clean = audit(Book(table).run(case.clean, case.stop_frac), table, settings)
    assert clean.violations == ()
    assert all(found.checked[rule] and clean.checked[rule] for rule in case.rules if rule != "trim")


def test_a_violation_says_when_and_what():
    case = CASES["fourth of a sector"]
    table = prices({})
    (violation,) = audit(Book(table).run(case.broken), table, settings_of(case)).violations
    assert (violation.time, violation.symbol) == (table.opens_at[FIRST + 2], "AMZN")


def test_an_entry_refused_at_the_last_moment_was_counted_before_it():
    """Without the refused one the third would have been judged as the second of its sector."""
    table, settings = prices({}), settings_of(CASES["share of a sector"])
    book = Book(table)
    record = book.run({FIRST: entries("AAPL", "MSFT")})
    assert audit(record, table, settings).violations == ()
    refused = book.order(FIRST, "COIN", "buy", 50, "market", "entry")
    refused.status = "rejected"
    record.orders.insert(0, record.orders.pop())
    (violation,) = audit(record, table, settings).violations
    assert (violation.rule, violation.symbol) == ("sector_cap", "MSFT")


# ---- doctored records of a real run -----------------------------------------------------------------------


def doctored(active: Run, change) -> set[str]:
    record = copy.deepcopy(active.record)
    change(record)
    return {v.rule for v in audit(record, active.result.table, active.settings).violations}


def first(record: RunRecord, role: str, status: str = "filled") -> OrderRecord:
    return next(o for o in record.orders if o.role == role and o.status == status)


def without_stop(record: RunRecord) -> None:
    record.orders.remove(first(record, "stop", "cancelled"))


def uncounted_bar(record: RunRecord) -> None:
    record.protected_bars -= 1


def forgotten_bars(record: RunRecord) -> None:
    record.protected_bars = record.position_bars = 0


def smaller_stop_at_the_end(record: RunRecord) -> None:
    first(record, "stop", "working").quantity -= 1


def cancelled_stop_at_the_end(record: RunRecord) -> None:
    first(record, "stop", "working").status = "cancelled"


def equity_out_of_thin_air(record: RunRecord) -> None:
    row = record.equity[1000]
    record.equity[1000] = replace(row, equity=row.equity + 0.02, cash=row.cash)


def cash_out_of_thin_air(record: RunRecord) -> None:
    row = record.equity[1000]
    record.equity[1000] = replace(row, cash=row.cash + 0.02)


def hedge_told_as_a_long(record: RunRecord) -> None:
    k = next(k for k, row in enumerate(record.equity) if row.inverse_exposure)
    row = record.equity[k]
    total = row.long_exposure + row.inverse_exposure
    record.equity[k] = replace(row, long_exposure=total, inverse_exposure=0.0)


def unnoticed_position(record: RunRecord) -> None:
    first(record, "stop").status = "cancelled"


def sold_twice(record: RunRecord) -> None:
    record.orders.append(copy.copy(first(record, "target")))


def later_exit(record: RunRecord) -> None:
    trade = next(t for t in record.trades if t.exit_reason == "stop")
    later = next(row.time for row in record.equity if row.time > trade.exit_time)
    trade.exit_time = later.replace(hour=23)


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        (without_stop, {"stop"}),
        (uncounted_bar, {"stop"}),
        (forgotten_bars, {"stop"}),
        (smaller_stop_at_the_end, {"stop"}),
        (cancelled_stop_at_the_end, {"stop"}),
        (equity_out_of_thin_air, {"book"}),
        (cash_out_of_thin_air, {"book"}),
        (hedge_told_as_a_long, {"book"}),
        (later_exit, {"stop_level"}),
    ],
)
def test_a_doctored_record_of_a_real_run_is_found(active, change, rules):
    assert doctored(active, change) == rules


@pytest.mark.parametrize("change", [unnoticed_position, sold_twice])
def test_a_sale_that_never_was_shakes_the_book(active, change):
    assert "book" in doctored(active, change)


def test_the_same_record_undoctored_is_clean(active):
    assert doctored(active, lambda record: None) == set()


def test_position_bars_beyond_a_symbol_s_last_bar_are_not_the_run_s_fault_and_never_protected(tmp_path):
    frame = embedded.daily()
    frame = frame[(frame.datetime >= "2020") & ((frame.symbol != "NVDA") | (frame.datetime < "2020-04"))]
    frame.to_parquet(tmp_path / "bars.parquet")
    sets = {
        "universe.symbols": ["NVDA"], "universe.benchmark": "AAPL", "exits.models.fixed.stop_frac": 0.5,
        "signals.modules.mean_reversion.oversold_rsi": 60.0,
    }  # fmt: skip
    run = backtest("active", tmp_path / "bars.parquet", end="2020-06-30", sets=sets)
    assert 0 < run.record.protected_bars < run.record.position_bars
    assert doctored(run, lambda record: None) == set()
    assert doctored(run, uncounted_bar) == {"stop"}
    assert doctored(run, lambda record: setattr(record, "protected_bars", record.position_bars)) == {"stop"}
