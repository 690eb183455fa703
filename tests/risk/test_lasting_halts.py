"""Halts that last several sessions: from the peak of equity, and on losing trades in a row."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import ValidationError

from brokers.desk_rules import Halts
from market.calendar import sessions_after
from market.trading_day import begin_of, day_of
from risk.model import ClosedTrade
from risk.peak_halt import PeakHalt
from risk.streak_halt import StreakHalt
from tests.risk.helpers import NOW, book, market, module, proposal

ON = market({"NVDA": 100.0})


def at(equity, peak=100_000.0, **more):
    return replace(book(equity=equity), equity_peak=peak, **more)


@pytest.mark.parametrize(
    ("equity", "peak", "halts", "refused"),
    [
        (100_000, 100_000, False, False),
        (90_000, 100_000, False, False),  # 10% exactly
        (89_999.99, 100_000, True, True),
        (0, 100_000, True, True),
        (80_000, math.nan, False, True),
        (math.nan, 100_000, False, True),
    ],
)
def test_the_loss_from_the_peak(equity, peak, halts, refused):
    rule, state = module(PeakHalt), at(equity, peak)
    assert rule.halts(state) is halts
    assert rule.review(proposal(), state, ON).refused is refused
    assert rule.review(proposal(role="hedge"), state, ON).refused is refused


def test_it_lasts_although_equity_recovers_and_another_s_halt_is_not_its_own():
    assert module(PeakHalt).review(proposal(), at(100_000, halted=frozenset({"peak_halt"})), ON).refused
    assert not module(PeakHalt).review(proposal(), at(100_000, halted=frozenset({"drawdown_halt"})), ON).refused


def trades(*results, role="entry"):
    opened = NOW - timedelta(days=40)
    return tuple(
        ClosedTrade("X", opened + timedelta(days=n), opened + timedelta(days=n, hours=5), pnl, pnl / 100, role)
        for n, pnl in enumerate(results)
    )


LOSSES = (-1.0,) * 5


@pytest.mark.parametrize(
    ("results", "halts"),
    [
        ((), False),
        (LOSSES[1:], False),
        (LOSSES, True),
        ((5.0, *LOSSES), True),
        ((*LOSSES, 5.0), False),
        ((-1.0, 0.0, *LOSSES[1:]), False),  # break-even is no loss
        ((*LOSSES[1:], math.nan), False),
    ],
)
def test_losing_trades_in_a_row(results, halts):
    state = replace(book(), closed_trades=trades(*results))
    assert module(StreakHalt).halts(state) is halts
    assert module(StreakHalt).review(proposal(), state, ON).refused is halts


def test_hedges_neither_lengthen_nor_end_a_streak():
    assert not module(StreakHalt).halts(replace(book(), closed_trades=trades(*LOSSES, role="hedge")))
    mixed = (*trades(*LOSSES[2:]), *trades(9.0, role="hedge"), *trades(*LOSSES[:2]))
    assert module(StreakHalt).halts(replace(book(), closed_trades=mixed))


def test_what_was_open_when_a_halt_began_does_not_halt_again():
    done = trades(*LOSSES, *LOSSES)
    began = done[6].opened
    state = replace(book(), closed_trades=done, last_halts={"streak_halt": began})
    assert not module(StreakHalt).halts(state), "three were opened after it"
    assert module(StreakHalt, losing_trades=3).halts(state)
    assert module(StreakHalt).halts(replace(state, last_halts={"peak_halt": began}))


@pytest.mark.parametrize("settings", [{"max_drawdown_frac": 10}, {"sessions": 0}, {"max_drawdown_frac": 0.0}])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(ValidationError):
        module(PeakHalt, **settings)


def test_sessions_are_counted_down_and_the_peak_begins_anew():
    rule, halts = module(PeakHalt, sessions=3), Halts()
    assert [halts.see(e) for e in (100.0, 120.0, 90.0)] == [100, 120, 120]
    halts.begin(rule, NOW, "NYSE")
    ends = begin_of(sessions_after(day_of(NOW), 2)[-1] + timedelta(days=1))
    assert halts.until == {"peak_halt": ends}
    seen = []
    for equity in (80.0, 85.0, 70.0, 60.0):
        halts.open_session([rule], equity)
        seen.append((dict(halts.left), halts.see(equity)))
    assert seen == [({"peak_halt": 2}, 120), ({"peak_halt": 1}, 120), ({}, 70), ({}, 70)]
    assert halts.began == {"peak_halt": NOW} and halts.until == {}
    halts.begin(rule, NOW, "24/7")
    assert halts.until == {"peak_halt": begin_of(day_of(NOW) + timedelta(days=3))}


def test_the_streak_counts_what_was_opened_after_the_halt_whatever_overlaps():
    draws, streaks = random.Random(3), set()
    rule = module(StreakHalt)
    for _ in range(300):
        spans = [(NOW + timedelta(hours=draws.randint(0, 90)), draws.randint(0, 40)) for _ in range(12)]
        made = [ClosedTrade("X", at_, at_ + timedelta(hours=h), draws.choice((-1, -1, -1, 1)), 0) for at_, h in spans]
        closed = tuple(sorted(made, key=lambda trade: trade.closed))
        since = NOW + timedelta(hours=draws.randint(0, 100))
        counted = [trade.pnl < 0 for trade in closed if trade.opened > since][::-1]
        streak = (*counted, False).index(False)
        streaks.add(streak)
        state = replace(book(), closed_trades=closed, last_halts={"streak_halt": since})
        assert rule.halts(state) is (streak >= rule.config.losing_trades)
    assert {0, 3} < streaks
    assert max(streaks) >= rule.config.losing_trades
