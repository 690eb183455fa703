"""A model of the strategy's own trades: off until there are enough, calibrated, and blind to what comes later."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from backtests.checks.lookahead import check
from backtests.replay.engine import ReplayRun, replay
from backtests.research.search.trials import settings_with
from config import load
from market.market import Market
from risk.model import Book, ClosedTrade
from strategies.meta_model import MetaModel
from tests.backtests.research.lab import context, market

BEGIN = datetime(2023, 1, 2, 14, 30, tzinfo=UTC)
BARS = 320
META = {
    "signals.meta_model.enabled": True,
    "signals.meta_model.min_trades": 40,
    "signals.meta_model.features": ["rsi_14", "roc_10"],
    "signals.meta_model.history_bars": 400,
}


def on(row: int = BARS - 1, seed: int = 2) -> tuple[Market, np.ndarray]:
    readings = np.random.default_rng(seed).normal(0, 1, (BARS, 1))
    opens = np.array([(BEGIN + timedelta(days=k)).timestamp() for k in range(BARS)])
    columns = {"close": np.ones((BARS, 1)), "edge": readings, "usable": np.ones((BARS, 1), bool)}
    seen = Market(
        time=BEGIN + timedelta(days=row + 1), row=row, symbols=("X",), index={"X": 0}, columns=columns, sectors={},
        times=np.stack([opens, opens + 6 * 3600]),
    )  # fmt: skip
    return seen, readings[:, 0]


def trades(readings: np.ndarray, count: int, strength: float = 4.0, seed: int = 1) -> list[ClosedTrade]:
    """Each entered the day after a reading, which tells how likely it wins."""
    draws = np.random.default_rng(seed).uniform(size=count)
    found = []
    for k in range(count):
        won = draws[k] < 1 / (1 + math.exp(-strength * readings[k]))
        opened = BEGIN + timedelta(days=k + 1)
        found.append(ClosedTrade("X", opened, opened + timedelta(days=1), 10.0 if won else -10.0, 0.1))
    return found


def model(**changes) -> MetaModel:
    config = load(overrides={"signals.meta_model.features": ["edge"]}).signals.meta_model
    return MetaModel(config.model_copy(update=changes))


def book(closed) -> Book:
    return replace(Book(BEGIN, 1e5, 1e5), closed_trades=closed)


def test_it_is_off_until_a_hundred_trades_are_closed():
    seen, readings = on()
    closed = trades(readings, 200)
    assert model().multiplier(seen, book(closed[:99]), "X") == 1.0
    assert math.isnan(model().probability(seen, book(closed[:99]), "X"))
    assert not math.isnan(model().probability(seen, book(closed[:100]), "X"))
    hedges = [replace(t, role="hedge") for t in closed]
    assert model().multiplier(seen, book(hedges), "X") == 1.0


def test_what_won_before_is_trusted_and_what_lost_has_half_its_size():
    sizes, learnt = {}, model()
    for row in range(210, BARS, 2):
        seen, readings = on(row)
        sizes[float(readings[row])] = learnt.multiplier(seen, book(trades(readings, 200)), "X")
    assert all(0.5 <= size <= 1.0 for size in sizes.values())
    low = [size for reading, size in sizes.items() if reading < -1]
    high = [size for reading, size in sizes.items() if reading > 1]
    assert len(low) > 3 and max(low) < 0.75 and len(high) > 3 and min(high) == 1.0


def test_its_probability_is_calibrated():
    told, came = [], []
    for seed in range(16):
        seen, readings = on(seed=seed)
        closed = trades(readings, 200, strength=1.5, seed=seed)
        told.append(model().probability(seen, book(closed), "X"))
        came.append(1 / (1 + math.exp(-1.5 * readings[BARS - 1])))
    assert np.mean(told) == pytest.approx(np.mean(came), abs=0.06)
    assert np.abs(np.array(told) - came).mean() < 0.12


def test_noise_is_trusted_neither_more_nor_less():
    probabilities = []
    for seed in range(10):
        seen, readings = on(seed=seed)
        probabilities.append(model().probability(seen, book(trades(readings, 200, 0.0, seed)), "X"))
    assert np.abs(np.array(probabilities) - 0.5).mean() < 0.1


def test_trades_since_the_last_round_number_wait_for_the_next():
    seen, readings = on()
    closed = trades(readings, 129)
    one = model().probability(seen, book(closed[:120]), "X")
    assert one == model().probability(seen, book(closed[:129]), "X")
    assert one != model(refit_trades=1).probability(seen, book(closed[:129]), "X")


def test_without_wins_and_losses_or_readings_nothing_is_learnt():
    seen, readings = on()
    winners = [replace(t, pnl=5.0) for t in trades(readings, 150)]
    assert model().multiplier(seen, book(winners), "X") == 1.0
    early = [replace(t, opened=BEGIN - timedelta(days=400)) for t in trades(readings, 150)]
    assert model().multiplier(seen, book(early), "X") == 1.0
    assert model().multiplier(seen, book(trades(readings, 150)), "Y") == 1.0


def test_later_bars_change_nothing():
    seen, readings = on(250)
    closed = book(trades(readings, 200))
    first = model().probability(seen, closed, "X")
    other = readings.copy()
    other[251:] = 99.0
    altered, _ = on(250)
    altered._columns["edge"][251:] = 99.0
    assert model().probability(altered, closed, "X") == first
    assert math.isnan(seen.value_at(251, "edge", "X"))


class Peeking(MetaModel):
    """Reads what will be a month later."""

    def _reading(self, market, row, symbol):
        table = market._columns
        late = min(row + 20, len(table["close"]) - 1)
        return np.array([table[name][late, market.index[symbol]] for name in self.config.features])


@pytest.fixture(scope="module")
def made():
    return context(market(450), **META)


def run_with(made, kind):
    def run(table):
        settings = settings_with(made.settings, {})
        end = min(made.end, table.opens_at[-1])
        run = ReplayRun(settings, table, made.start, end)
        run.pipeline.meta_model = kind(settings.signals.meta_model)
        run.run()
        from backtests.run_result import RunResult

        return RunResult(run.record, table, run, 0.0, "")

    return run


def test_a_run_scales_its_entries_and_looks_at_nothing_later(made):
    report = check(run_with(made, MetaModel), made.table, made.table.opens_at[380], made.end, cuts=2)
    assert report.clean and report.decisions > 40
    whole = replay(settings_with(made.settings, {}), made.table, made.start, made.end)
    sizes = {d.proposal.size_multiplier for d in whole.record.decisions}
    assert any(0.5 <= size < 1 for size in sizes) and 1.0 in sizes


def test_a_model_that_reads_the_future_is_found(made):
    report = check(run_with(made, Peeking), made.table, made.table.opens_at[380], made.end, cuts=2)
    assert not report.clean
