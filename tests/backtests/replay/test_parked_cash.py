"""A backtest whose idle cash lies in T-bill funds trades as if it lay in the account."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backtests.replay.engine import replay
from backtests.research.search.trials import settings_with
from market.bars import FIELDS, BarTable
from tests.backtests.research.lab import context, market

FUNDS = ("BIL", "SGOV")
CHAIN = ["exposure_budget", "sector_cap", "cash_buffer", "rebalancer", "overbought_exit"]
FREE = {"fills.market_slippage_bps": 0.0, "fills.stop_slippage_bps": 0.0}
PARKS = {
    "risk.modules.cash_sweep.funds": list(FUNDS), "risk.modules.cash_sweep.haircut_frac": 0.0,
    "risk.modules.cash_sweep.spare_frac": 0.0, "sizing.max_notional_frac": 0.3, "sizing.risk_frac": 0.1,
    "gate.max_order_notional_frac": 0.32,
    "risk.modules.exposure_budget.day_frac": 0.6, "risk.modules.exposure_budget.week_frac": 1.0,
    "gate.max_day_notional_frac": 0.65,
}  # fmt: skip


def with_funds(table: BarTable, daily: float = 0.0) -> BarTable:
    """The table with two funds that rise by so much in a session, from a price of 1, so that lots cost nothing."""
    price = np.cumprod(np.full(len(table), 1 + daily))[:, None].repeat(len(FUNDS), axis=1)
    columns = [np.hstack([getattr(table, name), price if name != "volume" else price * 1e6]) for name in FIELDS]
    return replace(
        table, symbols=(*table.symbols, *FUNDS), **dict(zip(FIELDS, columns, strict=True))
    )  # fmt: skip


def ran(table, chain, **sets):
    made = context(table, **{"risk.chain": chain, "universe.symbols": list(market().symbols), **FREE, **PARKS, **sets})
    return replay(settings_with(made.settings, {}), made.table, made.start, made.end)


@pytest.fixture(scope="module")
def table():
    return with_funds(market())


def trades_of(result):
    return [
        (t.symbol, t.quantity, t.entry_time, t.exit_time, t.entry_price, t.exit_price) for t in result.record.trades
    ]


def test_the_trades_are_those_of_the_same_cash(table):
    plain, parked = ran(table, CHAIN), ran(table, [*CHAIN, "cash_sweep"])
    assert trades_of(parked) == trades_of(plain) and len(plain.record.trades) > 20
    assert [r.equity for r in parked.record.equity] == pytest.approx([r.equity for r in plain.record.equity])
    # What is parked is shown as cash, and as no position.
    assert [r.cash for r in parked.record.equity] == pytest.approx([r.cash for r in plain.record.equity])
    assert [r.positions for r in parked.record.equity] == [r.positions for r in plain.record.equity]
    assert not any(o.status == "rejected" for o in parked.record.orders)
    moved = [o for o in parked.record.orders if o.symbol in FUNDS and o.filled_quantity]
    bought = [o for o in moved if o.role == "entry"]
    sold = [o for o in moved if o.reason.startswith("CASH_SWEEP")]
    assert len(bought) >= 3 and len(sold) >= 3, "cash was parked and wanted again"
    assert {o.symbol for o in bought} == set(FUNDS)
    # A sale stands before the entry of the same moment that wants its cash.
    orders = parked.record.orders
    both = [(s, o) for s in sold for o in orders if o.time == s.time and o.role == "entry" and o.symbol not in FUNDS]
    assert both and all(orders.index(sale) < orders.index(entry) for sale, entry in both)


def test_what_the_funds_earn_is_told_and_is_in_no_trade(table):
    plain = ran(table, CHAIN)
    parked = ran(with_funds(market(), 0.0002), [*CHAIN, "cash_sweep"])
    assert parked.record.parked > 0
    assert parked.record.equity[-1].equity > plain.record.equity[-1].equity
    assert not any(t.symbol in FUNDS for t in parked.record.trades)
    assert not any(t.symbol in FUNDS for t in parked.strategy.broker.ledger.closed)


def test_its_first_day_takes_no_place_of_the_budget(table):
    parked = ran(table, [*CHAIN, "cash_sweep"])
    used = [d for d in parked.record.decisions if d.proposal.signal != "cash_sweep"]
    for decision in used:
        for verdict in decision.verdicts:
            if verdict.module == "exposure_budget":
                assert verdict.inputs["day_usd"] < 0.61 * verdict.inputs["equity"]
    assert any(d.proposal.signal == "cash_sweep" for d in parked.record.decisions)
