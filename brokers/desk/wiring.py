"""Opens a live run: seat, feed, pipeline, floor, desk and monitor, wired to Lumibot's broker."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from brokers.alpaca.limits import WINDOW_S, Need, SlidingWindowLimiter
from brokers.desk.data.feed import LiveFeed
from brokers.desk.data.quote_stream import FRESH_S, QuoteStream
from brokers.desk.data.yahoo import YahooFallback
from brokers.desk.desk import ITERATION_REQUESTS, LiveDesk
from brokers.desk.entry_halts import EntryHalts
from brokers.desk.execution.entries import Entries
from brokers.desk.monitor import BUSY_S, Monitor
from brokers.desk.reconcile.order_export import keep_orders
from brokers.desk.session import TradingSession
from brokers.desk.unprotected_alarm import UnprotectedAlarm
from brokers.desk.venue_state import Floor
from brokers.lumibot.order_router import LumibotOrderRouter
from brokers.record import RunRecord
from config import Refusal, Settings
from market.bars import DAY_MINUTES
from strategies.pipeline import Pipeline
from strategies.registry import build_pipeline, keep_daily_signals

ALWAYS_OPEN = "24/7"
DATA_STREAM = "wss://stream.data.alpaca.markets"
COVER_WITHIN_S, STOP_WITHIN_S = 6.0, 1.0
"""Longest time at the end for stops of what is without one, and for the watch's last request: a supervisor often kills
after ten seconds."""
HISTORY_S = 30.0
"""Longest time for reading the history of bars ahead of the first iteration; what is missing then comes later."""
LOOK_REQUESTS = 3
UNIT_S = {"S": 1, "M": 60, "H": 3_600, "D": 86_400}

log = logging.getLogger(__name__)


@dataclass(slots=True)
class LiveAccount:
    """Everything ``CombinedStrategy`` needs live.

    ``sleeptime`` is in Lumibot's notation and local time; ``close`` ends the watch and the journal.
    """

    desk: LiveDesk
    feed: LiveFeed
    pipeline: Pipeline
    monitor: Monitor
    prices: QuoteStream
    seat: TradingSession
    sleeptime: str
    alarm: UnprotectedAlarm
    notes: tuple[str, ...] = ()
    _closed: list[bool] = field(default_factory=list)

    @property
    def record(self) -> RunRecord:
        return self.desk.record

    def spare_lumibot(self, strategy: Any) -> None:
        """Nothing to spare here; a backtest has work that nobody reads."""

    def close(self) -> None:
        """Cover what is bare, stop watching, complete the record, and let the journal go; orders stay at the venue."""
        if self._closed:
            return
        self._closed.append(True)
        self.desk.settle(COVER_WITHIN_S)
        self.monitor.stop(STOP_WITHIN_S)
        self.prices.stop()
        with self.desk.lock:
            try:
                keep_orders(self.record, self.seat.journal, self.desk.entries)
            except Refusal as refusal:
                log.error("the run's files lack its orders: %s", refusal)
            self.seat.close()
        self.alarm.stop()


def open_live(strategy: Any, broker: Any, settings: Settings, seat: TradingSession, submit: bool = True) -> LiveAccount:
    """Wire a live run for ``strategy`` on ``broker``, a ``HardenedAlpaca`` on the seat's client.

    Raises
    ------
    Refusal
        If a module is unknown or a setting is wrong, or the venue's limit of requests does not allow the pace.
    """
    refuse_pace(settings.pace.sleeptime, seat.client.bucket)
    pipeline = build_pipeline(settings)
    minutes, pace = settings.pace.bars, settings.pace
    notes = keep_daily_signals(pipeline, settings) if minutes == DAY_MINUTES else ()
    pipeline.window_minutes = max(1, math.ceil(seconds_of(pace.sleeptime) / 60)) if pace.windows else minutes
    pipeline.intraday = minutes < DAY_MINUTES
    client = seat.client
    symbols = tuple(dict.fromkeys([*pipeline.symbols(), settings.universe.benchmark]))
    feed = LiveFeed(
        client, client.clock, symbols, pipeline.needs(), settings.universe.sectors, bar_minutes=minutes,
        sessions=pace.market != ALWAYS_OPEN, max_quote_age_s=settings.live.entry.max_quote_age_s,
        fallback=YahooFallback() if settings.live.yahoo else None,
    )  # fmt: skip
    floor = Floor(
        client, seat.journal, settings, client.clock, feed.quotes, settings.strategy, client.budget,
        client.bucket.drop_waiting, lambda requests: client.bucket.room(Need.PRICES, requests),
    )  # fmt: skip
    client.trading.admit, client.trading.urgent = floor.counter.admits, floor.counter.urgent
    seat.journal.begin_run(seat.mode, settings.strategy, seat.profile, settings.config_hash)
    floor.add_up()
    switches = EntryHalts(seat.journal, seat.kill, lambda: client.gone)
    broker.extended_hours = settings.live.extended_hours.enabled
    desk = LiveDesk(
        floor, switches, seat.budget, pipeline.halters, lambda: feed.bars, lambda entries: hours_of(broker, entries),
        submit,
    )  # fmt: skip
    sleeptime = local_pace(pace.sleeptime, pace.speed)
    monitor = Monitor(desk, client.clock, seconds_of(sleeptime))
    prices = QuoteStream(
        data_stream_url(settings), broker.api_key, broker.api_secret, monitor.price, client.clock.local(FRESH_S)
    )
    feed.streamed, monitor.watched = prices.latest, prices.watch
    broker.door = LumibotOrderRouter(desk)
    broker.ask = desk.snapshot
    broker.trade_listeners.append(monitor.hear)
    broker.stream_listeners.append(monitor.stream_state)
    alarm = UnprotectedAlarm(desk.lock, lambda: desk.protector.naked)
    if submit:
        prices.start()
        monitor.start()
        alarm.start()
    with client.budget(HISTORY_S):
        feed.prepare()
    return LiveAccount(desk, feed, pipeline, monitor, prices, seat, sleeptime, alarm, notes)


def hours_of(broker: Any, entries: Entries) -> str:
    """Why the venue's hours forbid an entry now, empty if they don't; tells entries whether there are brackets."""
    entries.extended = not broker.in_regular_hours() and broker.market != ALWAYS_OPEN
    return "" if broker.is_market_open() else "the market is closed"


def data_stream_url(settings: Settings) -> str:
    """Where the plan's quotes are streamed: at Alpaca, or on the host that data are asked of."""
    alpaca = settings.broker.alpaca
    base = f"ws{alpaca.data_url.removeprefix('http')}" if alpaca.data_url else DATA_STREAM
    return f"{base}/v2/{alpaca.feed}"


def refuse_pace(sleeptime: str, bucket: SlidingWindowLimiter) -> None:
    """Refuse a pace at which iterations and the watch over stops would ask more than the venue allows.

    While something is under way somebody looks every ``BUSY_S`` seconds, of which an iteration is one.

    Raises
    ------
    Refusal
        With the shortest pace that works.
    """
    most = bucket.limit - Need.PRICES * bucket.reserve

    def works(seconds: int) -> bool:
        looks = math.ceil(seconds / BUSY_S)
        return (looks * LOOK_REQUESTS + ITERATION_REQUESTS - LOOK_REQUESTS) * WINDOW_S / seconds <= most

    if not works(seconds_of(sleeptime)):
        shortest = next(seconds for seconds in count(1) if works(seconds))
        raise Refusal(
            f"pace.sleeptime {sleeptime}: at this pace the venue's limit of {bucket.limit} requests a minute could not "
            f"be kept beside the watch over stops; the shortest that works is {shortest}S"
        )


def seconds_of(sleeptime: str) -> int:
    """Seconds in Lumibot's notation, e.g. ``5M``."""
    return int(sleeptime[:-1]) * UNIT_S[sleeptime[-1]]


def local_pace(sleeptime: str, speed: float) -> str:
    """The pace in local time: as it is, or in whole seconds where the venue's time runs faster."""
    return sleeptime if speed == 1 else f"{max(1, round(seconds_of(sleeptime) / speed))}S"
