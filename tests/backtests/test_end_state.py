"""The end of a backtest is what its next decision would meet: compared with a run that goes on."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import Any

import pandas as pd
import pytest

from backtests.data.data_sets import load_data, window
from backtests.end_state import next_decision, run_end
from backtests.replay.engine import ReplayRun
from backtests.request import EMBEDDED_OVERLAY
from backtests.research.shock.present import book_of_run
from backtests.run_data import wants_intraday
from config import Settings, load
from config.values.markets import NEW_YORK_ZONE
from market.bars import BarTable
from risk.limit_usage import Limit
from risk.model import Book
from strategies.readings import limits
from strategies.registry import build_pipeline

CASES = {
    # The halt of the first is of several sessions; the second ends a week, the third on the day of an entry.
    "swing": ("2020-01-02", "2020-12-31", ("2020-03-12 09:30", "2020-07-17 09:30", "2020-09-01 09:30")),
    "intraday": ("2023-06-01", "2023-06-20", ("2023-06-12 14:00", "2023-06-12 15:55", "2023-06-20 12:45")),
}
ENDS = [(profile, end) for profile, (_, _, ends) in CASES.items() for end in ends]


class Watched(ReplayRun):
    """Keeps what each decision met."""

    met: dict[datetime, tuple[Book, list[Limit]]]

    def decide(self, now: datetime, book: Book) -> Any:
        self.met[now] = book, limits(self.pipeline, book, self.feed.snapshot())
        return super().decide(now, book)


@cache
def whole(profile: str) -> tuple[Settings, BarTable, Watched]:
    first, last, _ = CASES[profile]
    settings = load(profile, overlays=[EMBEDDED_OVERLAY])
    symbols = list(dict.fromkeys([*build_pipeline(settings).symbols(), settings.universe.benchmark]))
    days = date.fromisoformat(first), date.fromisoformat(last)
    data = load_data("embedded", symbols, *days, intraday=wants_intraday(settings), seed=0)
    run = Watched(settings, data.table, *window(data, *days))
    run.met = {}
    run.run()
    return settings, data.table, run


def ended(profile: str, end: str, *, goes_on: bool) -> ReplayRun:
    """The run up to a bar, on a table that goes on after it or ends with it."""
    settings, table, run = whole(profile)
    moment = pd.Timestamp(end, tz=NEW_YORK_ZONE)
    if not goes_on:
        table = table.head(int(table.opens_at.searchsorted(moment, side="right")))
    shorter = ReplayRun(settings, table, pd.Timestamp(run.times[0]), moment)
    shorter.run()
    return shorter


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize(("profile", "end"), ENDS)
def test_the_end_is_what_the_next_decision_meets(profile, end, goes_on):
    run, going = ended(profile, end, goes_on=goes_on), whole(profile)[2]
    state = run_end(run, profile).state
    times = going.times
    assert next_decision(run) == times[times.index(run.times[-1]) + 1]
    book, most = going.met[state.book_time]
    told = [(x.module, x.name, x.scope, x.used, x.most, x.frees, x.halts) for x in state.limits]
    assert told == [(x.module, x.name, x.scope, x.used, x.most, x.frees, x.halts) for x in most]
    assert {h.name: (h.began, h.until) for h in state.halts} == {
        name: (book.last_halts[name], book.halted_until[name]) for name in book.halted
    }
    assert (state.equity, state.cash, state.free_cash) == (book.equity, book.cash, book.free_cash)
    assert (state.session_open_equity, state.equity_peak) == (book.session_open_equity, book.equity_peak)
    assert [p.symbol for p in state.pending] == sorted(book.pending)
    held = {p.symbol: (p.quantity, p.entry_price, p.stop, p.target, p.protected) for p in state.positions}
    assert held == {
        s: (p.quantity, p.entry_price, p.stop, p.target, p.protected_quantity) for s, p in book.positions.items()
    }
    last = run.record.equity[-1]
    assert (state.cash, state.time) == (last.cash, last.time)
    assert state.equity == pytest.approx(last.equity, rel=1e-12)
    assert state.equity == pytest.approx(state.cash + sum(p.value for p in state.positions))


def test_the_ends_hold_positions_and_halts():
    states = [run_end(ended(profile, end, goes_on=True), profile).state for profile, end in ENDS]
    assert any(state.positions for state in states) and any(state.halts for state in states)
    assert {len(p.stops) for state in states for p in state.positions} == {1}


def test_the_day_of_an_entry_is_over_where_the_bars_end_with_it():
    run = ended("swing", "2020-09-01 09:30", goes_on=False)
    assert run.broker.opened_today() > 0
    (opened,) = [x.used for x in run_end(run, "swing").state.limits if x.name == "opened today"]
    assert opened == 0


@pytest.mark.parametrize("end", CASES["swing"][2])
def test_shocks_begin_with_the_equity_of_the_last_close(end):
    run = ended("swing", end, goes_on=True)
    found = book_of_run(run)
    last = run.record.equity[-1]
    assert found.equity == pytest.approx(last.equity, rel=1e-12)
    assert last.cash + sum(h.position.quantity * h.price for h in found.held) == pytest.approx(found.equity, rel=1e-12)


def test_fees_of_a_stop_are_those_of_the_fills():
    settings, table, run = whole("swing")
    settings = load("swing", overrides={"fills.fee_per_share_usd": 0.05}, overlays=[EMBEDDED_OVERLAY])
    dear = ReplayRun(settings, table, pd.Timestamp(run.times[0]), pd.Timestamp("2020-12-22 09:30", tz=NEW_YORK_ZONE))
    dear.run()
    found = run_end(dear, "swing")
    assert found.state.positions and found.targets == {p.symbol for p in found.state.positions}
    for p in found.state.positions:
        assert p.fees == pytest.approx(0.05 * p.quantity)
        assert p.lost_at_stop == pytest.approx(p.quantity * (p.price - p.stop + 0.05))
