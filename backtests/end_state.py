"""What a backtest held at its end, as the state file of a trader says it: for ``status``, ``positions`` and ``whatif``.

Cash, positions and prices are those of the run's last bar. Limits, halts and what may be bought are those that the next
decision would meet: on daily bars at the opening of the next session, in which a new day of limits begins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd

from backtests.replay.clock import iteration_times
from backtests.replay.engine import ReplayRun
from brokers.backtest.fills import Kind
from brokers.live_state.snapshot import (
    finite,
    halt_states,
    last_halts,
    limit_states,
    pending_state,
    position_state,
    told_settings,
    with_stops,
)
from config.schema import Fills
from config.values.markets import NEW_YORK_EQUITY_MARKETS
from market.calendar import session_times, sessions_after
from market.trading_day import day_of
from monitoring.state import BACKTEST, PositionState, StopState, TraderState
from monitoring.whatif import BETA_BARS
from risk.model import Book, Position
from strategies.readings import limits

Closes = Mapping[str, Mapping[int, float]]


@dataclass(frozen=True, slots=True)
class RunEnd:
    """The end of a run.

    ``closes`` are those from which betas are measured, by symbol and opening time; ``targets`` are the symbols whose
    target is a working order.
    """

    state: TraderState
    closes: Closes
    targets: frozenset[str]


def run_end(run: ReplayRun, profile: str) -> RunEnd:
    """The end of a run that is over, by the replay engine."""
    book = closing_book(run)
    broker, settings, sectors = run.broker, run.settings, run.settings.universe.sectors
    last = run.record.equity[-1]
    prices = closing_prices(run)
    positions = tuple(
        _position(run, position, prices.get(symbol, math.nan)) for symbol, position in sorted(book.positions.items())
    )
    state = TraderState(
        written=last.time.astimezone(UTC),
        time=last.time.astimezone(UTC),
        started=run.times[0].astimezone(UTC),
        beat_s=settings.monitoring.beat_s,
        pace_s=run.table.minutes * 60.0,
        speed=settings.pace.speed,
        mode=BACKTEST,
        profile=profile,
        strategy=settings.strategy,
        pid=0,
        ended=f"{BACKTEST} to {day_of(run.times[-1])}",
        iterations=len(run.times),
        last_iteration=run.times[-1].astimezone(UTC),
        equity=book.equity,
        cash=book.cash,
        free_cash=book.free_cash,
        session_open_equity=finite(book.session_open_equity),
        equity_peak=finite(book.equity_peak),
        book_time=book.time,
        positions=positions,
        pending=tuple(pending_state(p, sectors) for _, p in sorted(book.pending.items())),
        halts=tuple(halt_states(book)),
        limits=limit_states(limits(run.pipeline, book, run.feed.snapshot())),
        last_halts=last_halts(book),
        settings=told_settings(settings),
        beside_evidence=tuple(settings.beside_evidence),
    )
    targets = {s for s in book.positions for w in broker.working(s) if w.exit and w.ticket.kind is Kind.LIMIT}
    return RunEnd(state, recent_closes(run), frozenset(targets))


def closing_book(run: ReplayRun) -> Book:
    """The book that the decision after the last one would meet: the last bar is complete, nothing came after it."""
    run.broker.datetime = next_decision(run)
    book = run.desk.reconcile()
    # The broker counts by the days of its bars: after the last one of the table no other day begins for it.
    return book if day_of(run.times[-1]) == day_of(book.time) else book.changed(opened_today_usd=0.0)


def next_decision(run: ReplayRun) -> datetime:
    """When the run would decide next: by its own bars where they go on after it, else by the calendar of its market."""
    table, last = run.table, run.times[-1]
    later = [t for t in iteration_times(table, pd.Timestamp(last), table.opens_at[-1]) if t > last]
    if later:
        return later[0]
    step = last + timedelta(minutes=table.minutes)
    if run.settings.pace.market not in NEW_YORK_EQUITY_MARKETS:
        return step
    day = pd.Timestamp(day_of(last))
    _, closes = session_times(pd.DatetimeIndex([day]))
    if not table.daily and step < closes[0]:
        return step
    # The next session begins at the time of day at which the bars of this one do.
    opened = table.opens_at[table.opens_at.normalize() == pd.Timestamp(last).tz_convert(table.opens_at.tz).normalize()]
    first = opened[0] if len(opened) else pd.Timestamp(last)
    (following,) = sessions_after(day.date(), 1)
    begins = datetime.combine(following, first.time())
    found: datetime = pd.Timestamp(begins).tz_localize(table.opens_at.tz).to_pydatetime()
    return found


def closing_prices(run: ReplayRun) -> dict[str, float]:
    """The last known close of each symbol, USD; NaN before its first one."""
    row = _rows(run) - 1
    return dict(zip(run.table.symbols, run.broker.marks_at(row), strict=True))


def recent_closes(run: ReplayRun) -> Closes:
    """The run's last closes, as many as a beta is measured from."""
    table, last = run.table, _rows(run)
    first = max(0, last - BETA_BARS - 1)
    stamps = [int(opened.timestamp()) for opened in table.opens_at[first:last]]
    return {
        symbol: {
            stamp: float(close)
            for stamp, close in zip(stamps, table.close[first:last, k], strict=True)
            if math.isfinite(close)
        }
        for k, symbol in enumerate(table.symbols)
    }


def _rows(run: ReplayRun) -> int:
    """How many bars of the table there were by the end of the run."""
    return int(run.table.opens_at.searchsorted(pd.Timestamp(run.times[-1]), side="right"))


def _position(run: ReplayRun, position: Position, price: float) -> PositionState:
    broker, settings, symbol = run.broker, run.settings, position.symbol
    stops = tuple(StopState(w.ticket.stop, w.quantity) for w in broker.working(symbol) if w.protects)
    held = with_stops(position, stops, position.protected_quantity)
    fees = broker.ledger.entry_fees.get(symbol, 0.0)
    return position_state(held, stops, price, settings.universe.sectors, fees, _exit_fee(settings.fills, held.stop))


def _exit_fee(fills: Fills, stop: float) -> float:
    """What a fill at the stop is charged, as a fraction of its value."""
    return fills.fee_frac + (fills.fee_per_share_usd / stop if stop > 0 else 0.0)
