"""Opens a live run: feed, pipeline, desk and monitor, wired to Lumibot's broker."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import count
from typing import Any, Protocol

from brokers.desk.core import assemble
from brokers.desk.data.feed import LiveFeed
from brokers.desk.data.present_shares import PresentShares
from brokers.desk.data.quotes import QuoteReader
from brokers.desk.data.yahoo import YahooFallback
from brokers.desk.desk import LiveDesk
from brokers.desk.entry_halts import EntryHalts
from brokers.desk.execution.entry_task import EntryWindow
from brokers.desk.execution.unprotected_alarm import UnprotectedAlarm
from brokers.desk.lifecycle.link import DeskLink, LiveBroker
from brokers.desk.lifecycle.order_export import keep_orders
from brokers.desk.lifecycle.session import TradingSession
from brokers.desk.lifecycle.shutdown import shut_down
from brokers.desk.monitor import Monitor
from brokers.desk.order_router import LumibotOrderRouter
from brokers.desk.session_report import SessionReport
from brokers.record import RunRecord
from brokers.reporting.events import EventKind
from brokers.reporting.iteration_report import IterationReport
from brokers.reporting.standing_conditions import Condition, StandingConditions
from brokers.venue_requests import RequestLimit
from config import Refusal, Settings
from config.operating import Alarms, operating
from market.bars import DAY_MINUTES
from risk.inverse_hedge import InverseHedge
from strategies.pipeline import Pipeline
from strategies.registry import build_pipeline, keep_daily_signals

ALWAYS_OPEN = "24/7"
PROTECT_WITHIN_S, STOP_WITHIN_S, CLOSE_WITHIN_S = 12.0, 1.0, 2.0
"""Longest time at the end for stops of what is without one, for the watch's last request, and for the record and the
journal. A cancel that takes six seconds, and shares that come back five seconds later, leave the first time for a stop.
"""
LEAVE_WITHIN_S = PROTECT_WITHIN_S + STOP_WITHIN_S + CLOSE_WITHIN_S
"""All of them together: what goes on then hangs."""
ACCOUNT_WITHIN_S = 6.0
"""Of the first of them, what is left of it, for the account as it is after the last fills: a request, and a second one
three seconds later where equity is far from what was read last.
"""
HISTORY_S = 30.0
"""Longest time for reading the history of bars ahead of the first iteration; what is missing then comes later."""
MINUTE_S = 60.0
UNIT_S = {"S": 1, "M": 60, "H": 3_600, "D": 86_400}

log = logging.getLogger(__name__)


class Recorder(Protocol):
    """Tells the operator's screens what the trader does."""

    def stop(self, ended: str) -> None: ...


@dataclass(slots=True)
class LiveAccount:
    """Everything ``CombinedStrategy`` needs live.

    ``sleeptime`` is in Lumibot's notation and local time; ``close`` ends the watch and the journal.
    """

    desk: LiveDesk
    feed: LiveFeed
    pipeline: Pipeline
    monitor: Monitor
    session: TradingSession
    sleeptime: str
    alarm: UnprotectedAlarm
    summary: SessionReport
    pace_s: float
    notes: tuple[str, ...] = ()
    recorder: Recorder | None = None
    """Writes what the operator's screens read; None where nobody reads."""
    _closed: list[bool] = field(default_factory=list)

    @property
    def record(self) -> RunRecord:
        return self.desk.record

    def spare_lumibot(self, strategy: Any) -> None:
        """Keep Lumibot from following every call of an iteration for local variables that nobody reads."""
        executor = strategy._executor
        followed = executor._on_trading_iteration_callable
        executor._capture_locals = False
        executor._on_trading_iteration_callable = getattr(followed, "__wrapped__", followed)

    def close(self) -> None:
        """Protect what has no stop, stop watching, complete the record, and close the journal; orders stay."""
        if self._closed:
            return
        self._closed.append(True)
        seen, ends = self.desk.state.view, time.monotonic() + PROTECT_WITHIN_S
        shut_down(self.desk, PROTECT_WITHIN_S)
        if self.desk.state.view is not seen and (left := ends - time.monotonic()) > 0:
            see_account(self.desk, min(left, ACCOUNT_WITHIN_S))
        self.monitor.stop(STOP_WITHIN_S)
        with contextlib.suppress(Refusal):
            self.summary.tell()
        with self.desk.lock:
            try:
                entries = self.desk.entries
                keep_orders(self.record, self.session.journal, entries.refusals.skipped, entries.slippage)
            except Refusal as refusal:
                log.error("the run's files lack its orders: %s", refusal)
            self.session.close()
        self.alarm.stop()
        if self.recorder is not None:
            self.recorder.stop("the trader was ended")


def see_account(desk: LiveDesk, within_s: float) -> None:
    """Read the account at the end, one request or two; the last state, the summary and the track record show it.

    They do without it, so that it may fail.
    """
    ends = time.monotonic() + within_s
    while (left := ends - time.monotonic()) > 0 and desk.lock.acquire(timeout=left):
        try:
            desk.see_last_account(left)
        except Exception as error:
            log.info("leaving: equity and cash are as they were before the last fills (%s)", error)
            return
        finally:
            desk.lock.release()
        if (wait_s := desk.state.figures.waits_s) is None:
            return
        time.sleep(min(wait_s, max(0.0, ends - time.monotonic())))
    if unreadable := desk.state.view.account_unreadable:
        log.warning("leaving: equity and cash are as they were read before (%s)", unreadable)


def open_live(broker: LiveBroker, settings: Settings, session: TradingSession, submit: bool = True) -> LiveAccount:
    """Wire a live run on ``broker``, Lumibot's broker on the session's account.

    Raises
    ------
    Refusal
        If a module is unknown or a setting is wrong, or the venue's limit of requests does not allow the pace.
    """
    refuse_pace(settings, session.venue.request_limit)
    pipeline = build_pipeline(settings)
    minutes, pace = settings.pace.bars, settings.pace
    notes = keep_daily_signals(pipeline, settings) if minutes == DAY_MINUTES else ()
    pipeline.window_minutes = max(1, math.ceil(seconds_of(pace.sleeptime) / 60)) if pace.windows else minutes
    pipeline.intraday = minutes < DAY_MINUTES
    venue, journal = session.venue, session.journal
    stream = venue.quote_stream
    quotes = QuoteReader(venue, settings.live.entry.max_quote_age_s, stream)
    journal.begin_run(session.mode, settings.strategy, session.profile, settings.config_hash)
    core = assemble(venue, journal, settings, quotes.newest, session.admission)
    figures = core.state.figures
    figures.at_start, figures.first_counts = session.equity_at_start, session.equity_at_start is not None
    feed = LiveFeed(
        venue,
        tuple(dict.fromkeys([*pipeline.symbols(), settings.universe.benchmark])),
        pipeline.needs(),
        settings.universe.sectors,
        bar_minutes=minutes,
        sessions=pace.market != ALWAYS_OPEN,
        fallback=YahooFallback() if settings.live.yahoo else None,
        present=PresentShares(core.positions.splits, core.positions.present_price),
    )
    halts = EntryHalts(journal, session.kill, lambda: venue.gone)
    watching = operating()
    report = IterationReport(watching.screen.heartbeat_s, gauge_readings(pipeline, feed))
    desk = LiveDesk(
        core, halts, session.budget, pipeline.halters, feed.known_bars, lambda: window_of(broker), submit, report
    )
    sleeptime = local_pace(pace.sleeptime, pace.speed)
    summary = SessionReport(desk, report, venue.clock.now)
    monitor = Monitor(desk, venue.clock, seconds_of(sleeptime), stream, summary, broker.reconnect_stream)
    broker.attach(
        DeskLink(
            router=LumibotOrderRouter(desk),
            look=desk.snapshot,
            given_up=core.sync.given_up,
            on_update=monitor.hear,
            on_stream=monitor.stream_state,
            extended_hours=settings.live.extended_hours.enabled,
        )
    )
    conditions = StandingConditions(
        standing_conditions(desk, monitor, lambda: venue.gone, watching.alarms), watching.alarms.again_s
    )
    alarm = UnprotectedAlarm(desk.lock, lambda: desk.protector.log.present, conditions)
    if submit:
        monitor.start()
        alarm.start()
    with venue.budget(HISTORY_S):
        feed.prepare()
    desk.barred.prepared(feed.prepared_closes())
    return LiveAccount(desk, feed, pipeline, monitor, session, sleeptime, alarm, summary, seconds_of(sleeptime), notes)


def gauge_readings(pipeline: Pipeline, feed: LiveFeed) -> Callable[[], Mapping[str, float]]:
    """What the hedger's gauges say as of the last bar; nothing where no hedger runs."""
    hedgers = [module for module in pipeline.chain if isinstance(module, InverseHedge)]

    def readings() -> Mapping[str, float]:
        market = feed.market
        return {} if market is None or not hedgers else hedgers[0].readings(market)

    return readings


def _bare_since_bought(desk: LiveDesk, symbol: str) -> float | None:
    """For how many local seconds shares of a symbol have waited for their first stop; None where it is not that."""
    waited = desk.protector.log.since_bought(symbol)
    return None if waited is None else desk.state.clock.local(waited)


def _without_stop(desk: LiveDesk) -> dict[str, str]:
    """Symbols with shares that no stop covers, and why; not where they are offered at their target meanwhile."""
    as_planned = desk.targets.offered
    return {symbol: why for symbol, why in desk.protector.log.waiting.items() if symbol not in as_planned}


def standing_conditions(
    desk: LiveDesk, monitor: Monitor, gone: Callable[[], str], alarms: Alarms
) -> tuple[Condition, ...]:
    """What is told as an error once it has lasted."""
    return (
        Condition(
            EventKind.UNPROTECTED,
            partial(_without_stop, desk),
            alarms.unprotected_s,
            "UNPROTECTED {subject}: {why} for {seconds} s; protect it on the venue's own page if this stays",
            "{subject}: {end} after {seconds} s",
            partial(_covered, desk),
            at_most=partial(_bare_since_bought, desk),
        ),
        Condition(
            EventKind.STREAM_DOWN,
            lambda: monitor.stream_down,
            alarms.stream_down_s,
            "STREAM DOWN: no {subject} for {seconds} s, {why}; orders are followed by asking",
            "{subject} arrive again after {seconds} s",
        ),
        Condition(
            EventKind.VENUE_DOWN,
            lambda: {"the venue": why} if (why := gone()) else {},
            alarms.venue_down_s,
            "VENUE DOWN for {seconds} s: {why}; no entries, stops that rest at the venue go on",
            "{subject} answers again after {seconds} s",
        ),
        Condition(
            EventKind.VENUE_UNSEEN,
            lambda: {"the venue": why} if (why := desk.look_watch.why) else {},
            alarms.venue_unseen_s,
            "VENUE NOT SEEN for {seconds} s: {why}; nothing is looked after, stops that rest at the venue go on",
            "{subject} is seen again after {seconds} s",
            within=EventKind.VENUE_DOWN,
            # Looks ask no host of data: where that alone is gone, they fail for another reason.
            same=lambda: not desk.state.venue.gone_for_data_alone,
        ),
    )


def _covered(desk: LiveDesk, symbol: str) -> str:
    """Why a symbol is not without a stop any more, in words; needs no lock."""
    if not desk.positions.book.ledger.quantity(symbol):
        return "closed"
    if desk.positions.last_protection(symbol).protected > 0:
        return "protected again"
    left = abs(desk.positions.book.quantity(symbol))
    there = desk.state.view.positions.get(symbol)
    if there is not None and desk.state.least(symbol, there.unit_price) <= left:
        return "what is left is a fraction, which no stop can cover"
    return "what is left is below the venue's minimum and has no stop"


def window_of(broker: LiveBroker) -> EntryWindow:
    """What the venue's hours say of entries now."""
    return EntryWindow(
        closed="" if broker.is_market_open() else "the market is closed",
        extended=broker.market != ALWAYS_OPEN and not broker.in_regular_hours(),
    )


def refuse_pace(settings: Settings, limit: RequestLimit) -> None:
    """Refuse a pace at which iterations and the watch over stops would ask more than the venue allows.

    While something is under way somebody looks every ``limit.look_s`` seconds, of which an iteration is one.

    Raises
    ------
    Refusal
        With the shortest pace that works.
    """

    def works(seconds: float, quiet_s: float) -> bool:
        if quiet_s:
            # An iteration is a look as well; between two of them others come so far apart.
            asked = limit.iteration + max(0, math.ceil(seconds / quiet_s) - 1) * limit.look
        else:
            asked = max(1, math.ceil(seconds / limit.look_s)) * limit.look + limit.iteration - limit.look
        return asked * MINUTE_S / seconds <= limit.usable

    sleeptime = settings.pace.sleeptime
    pace = seconds_of(sleeptime)
    if works(pace, limit.quiet_s):
        return
    if limit.quiet_s and works(pace, pace):
        shortest = next(seconds for seconds in count(1) if seconds >= limit.look_s and works(pace, seconds))
        stated: Any = reduce(getattr, limit.quiet_key.split("."), settings)
        raise Refusal(
            f"{settings.source_of(limit.quiet_key)}: {limit.quiet_key} {stated:g}: with looks at this pace the venue's "
            f"limit of {limit.a_minute} requests a minute could not be kept beside an iteration every {sleeptime}; the "
            f"shortest that works is {shortest}"
        )
    shortest = next(seconds for seconds in count(1) if works(seconds, limit.quiet_s and max(seconds, limit.quiet_s)))
    raise Refusal(
        f"{settings.source_of('pace.sleeptime')}: pace.sleeptime {sleeptime}: at this pace the venue's limit of "
        f"{limit.a_minute} requests a minute could not be kept beside the watch over stops; the shortest that "
        f"works is {shortest}S"
    )


def seconds_of(sleeptime: str) -> int:
    """Seconds in Lumibot's notation, e.g. ``5M``."""
    return int(sleeptime[:-1]) * UNIT_S[sleeptime[-1]]


def local_pace(sleeptime: str, speed: float) -> str:
    """The pace in local time: as it is, or in whole seconds where the venue's time runs faster."""
    return sleeptime if speed == 1 else f"{max(1, round(seconds_of(sleeptime) / speed))}S"
