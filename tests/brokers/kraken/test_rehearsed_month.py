"""A 50 USD account trades hourly bars at the rehearsed Kraken with the live pipeline, within Starter limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pytest

from brokers.rehearsal.kraken.reference.synthetic_bars import COINS, synthetic_bars
from risk.entry_gates import BALANCE, INTERVAL, OPEN_POSITION, PENDING_ORDER, QUALITY, SYMBOL
from tests.brokers.kraken.month import INCIDENTS, RESTRICTED, rehearse, with_restricted
from tests.brokers.kraken.scene import BTC, ETH
from tests.conftest import SHARED_DATA

FILE = SHARED_DATA / "kraken_1h.parquet"
START = datetime(2021, 1, 3, tzinfo=UTC)
SYNTHETIC_START = datetime(2025, 2, 11, 19, tzinfo=UTC)
"""Three symbols are proposed in this hour."""
EVERY_SIGNAL = ("risk.modules.entry_gates.min_confidence=0", "selection.min_confidence=0")
LATENCY_S = 0.15
"""Of a request to Kraken over a usual line."""


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.skipif(not FILE.is_file(), reason="needs ../shared/data")
def test_days_of_a_small_account(tmp_path):
    bars = with_restricted(pd.read_parquet(FILE), START, 3)
    found = rehearse(
        bars, tmp_path, START, timedelta(days=3), 600.0, symbols=(BTC, ETH, RESTRICTED), incidents=INCIDENTS,
        stated=(f"risk.modules.entry_gates.restricted=[{RESTRICTED}]",), skip=True,
    )  # fmt: skip
    assert found["faults"] == [] and found["filled"] > 4
    assert found["most positions"] == 1 and 15 < found["largest order usd"] <= 20.001
    assert found["most entries a minute"] <= 2
    assert found["fees"] > Decimal("0.2")
    assert abs(found["cash at the venue"] - found["cash by the journal"]) < Decimal("0.01")
    # Positions of minutes: the ten seconds of each exchange of a target weigh more than in a month.
    assert found["protected"] > 0.97 and found["worst gap s"] <= 60
    assert found["peaks"][0] <= 15 and found["peaks"][1] <= 60
    # The program's own work; how long the exchange takes beside it is this machine's business.
    assert found["most cpu s"] <= 2
    assert all(found["refused"].get(gate) for gate in (INTERVAL, QUALITY, BALANCE, SYMBOL)), "the month has all six"


@pytest.fixture(scope="module")
def synthetic() -> pd.DataFrame:
    return synthetic_bars(days=75)


@pytest.mark.slow
def test_five_pairs_every_ten_seconds_stay_below_starter_limits(tmp_path, synthetic):
    """Over an hour with entries: nothing is waited for, and an iteration takes two seconds at most."""
    symbols, span = tuple(coin.symbol for coin in COINS), timedelta(minutes=70)
    assert len(symbols) == 5
    found = rehearse(
        synthetic, tmp_path, SYNTHETIC_START, span, 10.0, symbols=symbols, cash=900, profile="standard",
        stated=(*EVERY_SIGNAL, "live.entry.join=ask"),
    )  # fmt: skip
    assert found["iterations"] >= 350 and found["entries"] >= 2
    assert found["faults"] == []
    assert found["peaks"][0] < 15 and found["peaks"][1] < 60
    assert found["waited for limits s"] == 0
    assert found["a usual iteration's"] <= 6
    # Once an hour each pair's bar is new; the first iteration also reads what Kraken lists.
    assert found["most cpu s"] + found["most requests"] * LATENCY_S <= 2, found
    assert found["requests of the first"] <= 15


@pytest.mark.parametrize(
    ("gate", "cash", "stated"),
    [
        (BALANCE, 19, ()),
        (SYMBOL, 50, ("risk.modules.entry_gates.restricted=[BTC/USD, ETH/USD, SOL/USD, DOGE/USD, XRP/USD]",)),
        (PENDING_ORDER, 50, ("live.entry.join=bid",)),
        pytest.param(OPEN_POSITION, 50, ("live.entry.join=ask",), marks=pytest.mark.slow),
        pytest.param(INTERVAL, 50, ("live.entry.join=bid",), marks=pytest.mark.slow),
        pytest.param(QUALITY, 50, ("risk.modules.entry_gates.min_confidence=1",), marks=pytest.mark.slow),
    ],
)
def test_each_gate_refuses_in_a_rehearsal(tmp_path, synthetic, gate, cash, stated):
    """Minutes of the whole stack, from bars to orders, in which the gate has something to refuse."""
    symbols = tuple(coin.symbol for coin in COINS)
    found = rehearse(
        synthetic, tmp_path, SYNTHETIC_START, timedelta(minutes=3), 10.0, symbols=symbols, cash=cash,
        stated=(*EVERY_SIGNAL, *stated),
    )  # fmt: skip
    assert found["refused"].get(gate, 0) > 0, found["refused"]
    assert found["faults"] == [] and found["most positions"] <= 1
