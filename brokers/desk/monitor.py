"""Keeps watch between iterations: fills, time limits and whatever is without its stop do not wait for the next."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from brokers.desk.desk import LiveDesk
from brokers.desk.look_pace import BUSY_S, LEAST_S, LookPace
from brokers.desk.session_report import SessionReport
from brokers.ports import Clock, QuoteStream
from brokers.reporting.events import EventKind, about
from brokers.reporting.repeated_reasons import RepeatedReasons
from brokers.venue_errors import VenueError
from brokers.venue_values import NEVER, TradeUpdate

MISSED_PACES, MISSED_S = 3, 30.0
"""So many paces and local seconds without an iteration in the regular session are logged as an error."""
SILENT_S, RECONNECT_S = 4.0, 30.0
"""Local seconds without the update of a fill that was found, until a new connection is tried, and tried again."""
SLACK_S = 2.0
"""Local seconds: a fill so soon after the connection or an update may have come before it, by clocks that differ."""
SILENT = "the connection is open, but a fill came without its update"
CRASHED_S = 1.0
"""Local seconds without a look after an error, also where news come in all the time."""

UPDATES = "trade updates"

log = logging.getLogger(__name__)


class Monitor:
    """A thread that looks at the venue and lets the desk work.

    Parameters
    ----------
    desk : LiveDesk
    clock : Clock
    pace_s : float, optional
        Local seconds from one iteration to the next; endless where nobody iterates.
    stream : QuoteStream, optional
        Follows the symbols that matter now.
    session : SessionReport, optional
        Tells the summary of each session.
    reconnect : callable, optional
        Drops the connection of trade updates and makes another.
    """

    def __init__(
        self,
        desk: LiveDesk,
        clock: Clock,
        pace_s: float = math.inf,
        stream: QuoteStream | None = None,
        session: SessionReport | None = None,
        reconnect: Callable[[], None] = lambda: None,
    ) -> None:
        self.desk = desk
        self._reconnect = reconnect
        self._connected = self._updated = NEVER
        self._silent_since, self._reconnected = math.inf, -math.inf
        self._session = session
        self._stream = stream
        self._patience_s = MISSED_PACES * pace_s + MISSED_S
        self._iterations, self._iterated, self._overdue = -1, math.inf, math.inf
        self._missed = False
        self.clock = clock
        self._pace = LookPace(clock.local, time.monotonic())
        self.stream_down: dict[str, str] = {}
        """The stream of trade updates and why it is silent, while it is."""
        self._reasons = RepeatedReasons()
        self._seen = desk.state.view
        """What the last look showed: if it is another one, somebody else has looked."""
        self.listening = False
        """Whether trade updates arrive."""
        self.heard: float | None = None
        """When the last trade update or quote came, by ``time.time``."""
        self._news = threading.Event()
        self._told = threading.Event()
        """Whether a trade update has come: between looks nothing else makes known that an entry has filled in part."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="desk-monitor", daemon=True)

    def start(self) -> None:
        if self._stream is not None:
            self._stream.start(self.price)
        if not self.listening and self.desk.state.venue.tells_orders:
            self.stream_down = {UPDATES: "there has been no connection yet"}
        self._thread.start()

    def stop(self, wait_s: float) -> None:
        """End the thread; a request under way is waited for no longer than ``wait_s``."""
        self._stop.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)
        if self._stream is not None:
            self._stream.stop(wait_s)

    def hear(self, update: TradeUpdate) -> None:
        """A trade update: booked at once, acted on by the thread; what could not be booked it finds at the venue."""
        self.heard = time.time()
        self._updated = self.clock.now()
        if self._silent:
            self._silent_since = math.inf
            self.stream_down = {}
        try:
            if not self.desk.hear(update):
                return
        except Exception as error:
            self.desk.halts.crashed(error, self.clock.now())
        self._pace.hears(update.symbol)
        self._told.set()
        self._news.set()

    def stream_state(self, listening: bool) -> None:
        """The stream came or went: what it did not tell is to be seen at the venue."""
        self.listening = listening
        if listening:
            self._connected = self.clock.now()
            # Whether a new connection tells anything is known with the first update alone.
            self.stream_down = {UPDATES: SILENT} if self._silent else {}
        else:
            self.stream_down = {UPDATES: "the connection is lost"}
        # At the end of the process the stream is closed as it should be.
        lost = not listening and not self._stop.is_set()
        ended = "stopped; until they arrive again orders are followed by asking" if lost else "end with the trader"
        told = ended if not listening else "have a new connection" if self._silent else "arrive"
        log.log(logging.WARNING if lost else logging.INFO, "trade updates %s", told)
        self._news.set()

    @property
    def _silent(self) -> bool:
        """Whether a fill came without its update, and no update has come since."""
        return self._silent_since < math.inf

    def _see_stream(self) -> None:
        """See whether the stream is open and tells nothing: a fill that a look found had its update before it."""
        now, fill, present = time.monotonic(), self.desk.sync.untold_fill, self.clock.now()
        # What a clock that was far ahead and is back said of them would make every fill an older one.
        self._connected, self._updated = min(self._connected, present), min(self._updated, present)
        since = max(self._connected, self._updated) + timedelta(seconds=SLACK_S / self.clock.local(1.0))
        if not self._silent:
            if self.listening and fill > since:
                self._silent_since = now
                self.stream_down = {UPDATES: SILENT}
            return
        due = now - self._silent_since >= SILENT_S and now - self._reconnected >= RECONNECT_S
        if due and self.listening and fill > since:
            self._reconnected = now
            log.warning("trade updates: a fill came without one, a new connection is tried")
            self._reconnect()

    def price(self, symbol: str, bid: float, ask: float) -> None:
        """A quote: shares without a stop are looked after at once, and so are those whose stop it has passed.

        Where they have been without one for a while, quotes change nothing that the looks in their pace do not see.
        """
        self.heard = time.time()
        bare = symbol in self.desk.protector.log.present and not self._pace.waits(symbol, time.monotonic())
        if bare or self.desk.overdue.reaches(symbol, bid, ask):
            self._news.set()

    def _run(self) -> None:
        pause = BUSY_S
        while not self._stop.is_set():
            news = self._news.wait(max(self.clock.local(pause), 0.02))
            self._guarded(self._see_stream, "whether the stream of trade updates tells anything is not known")
            if not news and self._seen is not self.desk.state.view:
                # An iteration has looked meanwhile.
                self._seen, pause = self.desk.state.view, BUSY_S
                continue
            self._wait_for_turn()
            if self._stop.is_set():
                return
            self._news.clear()
            self._pace.looks(time.monotonic())
            pause = self._look()
            self._seen = self.desk.state.view
            self._guarded(self._miss_iterations, "whether iterations come is not known")
            if self._session is not None:
                self._guarded(self._session.check, "the session could not be summed up")

    def _wait_for_turn(self) -> None:
        """Wait until the pace lets the next look come; entries that fill in part meanwhile are cancelled at once.

        A cancel is one request where a look is three, and the part has no stop until the entry has ended.
        """
        ends = time.monotonic() + self._pace.delay_s(time.monotonic())
        while (left := ends - time.monotonic()) > 0 and not self._stop.wait(min(left, LEAST_S)):
            if self._told.is_set():
                self._told.clear()
                try:
                    self.desk.end_parts()
                except Exception as error:
                    self.desk.halts.crashed(error, self.clock.now())

    def _guarded(self, act: Callable[[], None], failed: str) -> None:
        """Do something beside the looks; what goes wrong in it ends no watch."""
        try:
            act()
        except Exception:
            log.exception("%s", failed)

    def _miss_iterations(self) -> None:
        """Say loudly that no iteration comes: Lumibot may leave them out without a word, and then goes on doing so."""
        desk, now = self.desk, time.monotonic()
        if desk.iterations != self._iterations or not desk.state.in_session:
            if self._missed and desk.iterations != self._iterations:
                lasted = now - self._iterated
                log.warning(
                    "iterations come again after %.0f s", lasted, extra=about(EventKind.NO_ITERATION, over=True)
                )
            self._iterations, self._iterated, self._missed = desk.iterations, now, False
            self._overdue = now + self._patience_s
        elif now >= self._overdue:
            self._overdue, self._missed = now + self._patience_s, True
            # A host of data that is gone keeps no look from seeing what is held and what protects it.
            blind = desk.look_watch.why
            log.error(
                "no iteration for %.0f s: nothing is decided, %s; start the trader again if this stays",
                now - self._iterated,
                f"and the venue is not seen: {blind}" if blind else "the watch over stops goes on",
                extra=about(EventKind.NO_ITERATION),
            )

    def _look(self) -> float:
        """Look and work once, whatever comes of it; returns the venue's seconds until the next time."""
        try:
            with self.desk.lock:
                self.desk.tick()
                symbols, busy, uncovered = self.desk.symbols, self.desk.busy, self.desk.uncovered
                stops, next_step_s = self.desk.overdue.watched, self.desk.entries.next_step_s()
            if self._stream is not None:
                self._stream.watch(sorted(symbols, key=lambda symbol: (symbol not in stops, symbol)))
        except VenueError as error:
            log.log(self._reasons.level(error), "watching: %s", error)
        except Exception as error:
            # A watch that ends with its first surprise watches nothing.
            self.desk.halts.crashed(error, self.clock.now())
            self._stop.wait(CRASHED_S)
        else:
            self._reasons.over()
            # Where a stop rests and no stream of prices says that the market has passed it, looks have to.
            followed = () if self._stream is None else self._stream.followed
            blind = self.desk.overdue.watching and any(symbol not in followed for symbol in stops)
            pause = self._pace.pause_s(time.monotonic(), busy=busy or blind, uncovered=uncovered)
            # What waits for its time alone needs no look before that, and then one.
            return min(pause, max(next_step_s, 0.0))
        return BUSY_S
