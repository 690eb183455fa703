"""One live run from the command line, rehearsed or real: session, Lumibot's loop, the end, files and summary."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from backtests.documents import live_scan_document, run_document, show_document
from backtests.interruption import Interruption
from backtests.live.benchmark import benchmark_fall, benchmark_of
from backtests.live.live_notes import taken_over, without_a_stop
from backtests.live.rehearsal_monitor import Watch
from backtests.live.rehearsals import Rehearsal, rehearsal_of, rehearsed
from backtests.live.run_log import RunLog
from backtests.reports.live_scoreboard import journal_record
from backtests.reports.metrics import ALWAYS_OPEN_PER_YEAR, SESSIONS_PER_YEAR
from backtests.reports.order_outcomes import with_outcomes
from backtests.reports.outputs import write_figures, write_report
from backtests.reports.run_files import check_folder, default_folder, prepare_folder, unused
from backtests.reports.run_info import RunInfo
from backtests.reports.scoreboard import scoreboard_of
from backtests.reports.summary_screen import show_files, show_summary
from backtests.request import RunRequest
from backtests.run_inputs import write_inputs
from backtests.scan_screen import show_live_scan
from brokers.desk.data.feed import NONE
from brokers.desk.lifecycle.session import TradingSession, open_session
from brokers.desk.lifecycle.wiring import ALWAYS_OPEN, LEAVE_WITHIN_S, LiveAccount, refuse_pace
from brokers.journal import JournalTaken
from brokers.operator.account import account_of, journal_of
from brokers.operator.feasibility import feasibility
from brokers.record import RunRecord
from brokers.reporting.events import EventKind, about
from brokers.venue_errors import VenueError, VenueUnavailable
from brokers.venues import request_limit
from config import Refusal, Settings
from config.errors import NoAnswer
from config.values.markets import NEW_YORK_ZONE
from market.bars import DAY_MINUTES
from monitoring.journal_reader import JournalReader
from strategies.idle_settings import told_of_idle_cap
from strategies.registry import build_pipeline, keep_daily_signals, strategy_class
from strategies.run_notes import absent_symbols, unknown

EXIT_DONE, EXIT_FAILED, EXIT_STOPPED = 0, 1, 3
POLL_S, LASTING_POLL_S = 0.2, 0.5
"""How often the main thread looks whether a short run is over, and one that lasts; a signal it hears at once."""
SETTLE_S = 45.0
"""How long a single iteration waits for what it sent, in the venue's time."""
log = logging.getLogger(__name__)


def run_live(request: RunRequest, console: Console, watch: Watch | None = None) -> int:
    """Carry out a rehearse, paper or live request, ``watch`` looking on in a rehearsal; returns the exit status.

    Raises
    ------
    Refusal
        Before anything is sent, for whatever is not in order.
    """
    refuse_pace(request.settings, request_limit(request.settings))
    told = RunLog(console, request.settings.secrets, quiet=request.quiet, verbose=request.verbose)
    if request.mode != "rehearse":
        return _run(_placed(request, datetime.now(NEW_YORK_ZONE)), request.settings, console, told, None)
    if request.out is not None:
        # Before the exchange is started and told of.
        check_folder(request.out, request.overwrite)
    rehearsal = rehearsal_of(request)
    with rehearsal.server as server:
        console.print(f"rehearsal: {rehearsal.told}, on {server.url}", soft_wrap=True)
        request = _placed(request, server.now)
        console.print(f"see it: risk-first dashboard --state-dir {request.out}/state", soft_wrap=True)
        settings = rehearsed(request.settings, server, rehearsal.speed, request, rehearsal.daily)
        return _run(request, settings, console, told, rehearsal, watch)


def _placed(request: RunRequest, now: datetime) -> RunRequest:
    """The request with the folder it writes into: a new one for each start, as a trader is started again in a day."""
    out = request.out or unused(default_folder(request.mode, request.profile, now))
    if request.mode == "rehearse" and request.overwrite:
        # The venue begins anew, and so does what was known of it.
        shutil.rmtree(out / "state", ignore_errors=True)
    return replace(request, out=out)


def _run(
    request: RunRequest,
    settings: Settings,
    console: Console,
    told: RunLog,
    rehearsal: Rehearsal | None,
    watch: Watch | None = None,
) -> int:
    began = time.perf_counter()
    server = None if rehearsal is None else rehearsal.server
    if settings.pace.bars == DAY_MINUTES:
        keep_daily_signals(build_pipeline(settings), settings)
    paper = request.mode != "live"
    assert request.out is not None
    if not request.once:
        check_folder(request.out, request.overwrite)
    session = open_session(settings, paper, request.mode, request.profile)
    try:
        told.open(session, settings, lasting=not request.once)
    except Refusal:
        session.close()
        raise
    # A start that is refused leaves no folder, and an earlier run's as it was.
    folder = None if request.once else _prepared(request, session)
    console.print(f"account {session.account_id}, {request.mode}, journal {session.journal.name}")
    console.print(settings.told_evidence(request.profile), style="yellow", highlight=False, soft_wrap=True)
    log.info(
        "started: %s, profile %s, state in %s",
        request.mode,
        request.profile,
        settings.live.state_dir,
        extra=about(EventKind.START, mode=request.mode, profile=request.profile),
    )
    try:
        _tell_closed(settings, session, console)
        _tell_feasibility(settings, session, request.profile, console)
        strategy = _strategy(request, settings, session)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            log.warning("ended before the first iteration; orders stay at the venue", extra=about(EventKind.LEAVING))
        session.close()
        raise
    # Who is stopped as it should be has done its work; a rehearsal has an end of its own.
    ended = EXIT_DONE if server is None and not request.once else EXIT_FAILED
    stopping = Interruption()
    with _signals(stopping, ended):
        try:
            if request.once:
                return _once(request, strategy, session, console, stopping)
            with contextlib.nullcontext() if watch is None else watch(strategy, session, server):
                status = _until_the_end(strategy, server, stopping, ended)
        except JournalTaken as taken:
            log.error("%s", taken)
            return EXIT_FAILED
        except Exception as error:
            log.critical(
                "the trader ends with an error, %s: %s; orders stay at the venue",
                type(error).__name__,
                error,
                exc_info=error,
                extra=about(EventKind.CRASH, error=type(error).__name__),
            )
            raise
        finally:
            account: LiveAccount | None = getattr(strategy, "account", None)
            _leave(strategy, account, session)
    known = stopping.asked or status == EXIT_STOPPED
    if folder is None or account is None:
        return status if known else EXIT_FAILED
    account.record.decisions = with_outcomes(account.record)
    measured = _measured(account.record, settings)
    info = _describe(request, settings, account, rehearsal, time.perf_counter() - began)
    if stopping.asked:
        info = _told_ended(info, stopping.name, interrupted=server is not None)
    if stopping.asked or account.feed.bars is None:
        # There are seconds left, or nothing to draw: no tearsheet, no plots.
        write_figures(folder, account.record, info)
        if request.json:
            show_document(run_document(folder))
        elif stopping.asked:
            console.print(f"{info.notes[0]} Files in {folder}/", highlight=False, soft_wrap=True)
        return status if known else EXIT_FAILED
    figures = write_figures(folder, account.record, info)
    if not request.json:
        show_summary(console, account.record, info, figures)
        if request.scoreboard:
            console.print(scoreboard_of(measured, settings.universe.sectors))
    failed = write_report(folder, account.record, info, account.feed.bars, figures)
    if request.json:
        show_document(run_document(folder))
    else:
        show_files(console, info, folder)
    if failed:
        log.error("%s", failed)
        return status or EXIT_FAILED
    return status


def _tell_closed(settings: Settings, session: TradingSession, console: Console) -> None:
    """Say when the first iteration is to be expected, where it is not now."""
    if settings.pace.market == ALWAYS_OPEN or settings.live.extended_hours.enabled:
        return
    with contextlib.suppress(VenueError):
        told = session.venue.venue_clock()
        if not told.is_open:
            opens = told.next_open.astimezone(NEW_YORK_ZONE)
            console.print(f"the market is closed, the first iteration comes at {opens:%a %Y-%m-%d %H:%M} New York")


def _tell_feasibility(settings: Settings, session: TradingSession, profile: str, console: Console) -> None:
    """Where trading costs fees: what the account can do, before its first order.

    Raises
    ------
    Refusal
        No symbol of the universe can be traded with this balance, or the venue does not tell its fees; NoAnswer where
        it did not answer.
    """
    venue, traded = session.venue, settings.universe.traded
    if not venue.rules.fee_frac:
        return
    try:
        terms, held = venue.terms(traded), venue.positions().by_symbol
        account, unreadable = account_of(venue)
    except VenueError as error:
        session.close()
        silent = NoAnswer if isinstance(error, VenueUnavailable) else Refusal
        raise silent(f"{venue.name} does not tell minimums and fees ({error}), and none is assumed") from None
    if unreadable and held:
        console.print(f"{unreadable}; nothing is entered, and what is held is looked after", highlight=False)
        return
    balance = float(account.equity)
    dearest = max(((t.maker, t.taker) for t in terms), key=lambda fees: fees[1], default=None)
    report = None if dearest is None else feasibility(venue.name, settings, balance, terms, dearest, profile)
    for line in () if report is None else report.lines():
        console.print(line, highlight=False, soft_wrap=True)
    # What is held has to keep its stops, whatever can be entered.
    if (report is None or not report.possible) and not held:
        session.close()
        raise Refusal(f"{venue.name}: nothing of {', '.join(traded)} can be traded with {balance:.2f} USD")


def _prepared(request: RunRequest, session: TradingSession) -> Path:
    """The run's folder, which was checked before the session was taken; a rehearsal's state is in it by now."""
    assert request.out is not None
    try:
        folder = prepare_folder(request.out, overwrite=True)
        write_inputs(folder, request, "")
    except Refusal:
        session.close()
        raise
    return folder


def _strategy(request: RunRequest, settings: Settings, session: TradingSession) -> Any:
    from brokers.lumibot.opening import lumibot_broker

    broker = lumibot_broker(session.venue, settings, session.paper)
    chosen = strategy_class(request.strategy)
    strategy = chosen(
        broker,
        name=chosen.__name__,
        parameters={"settings": settings, "session": session, "submit": not request.scan},
        benchmark_asset=None,
        save_logfile=False,
        force_start_immediately=True,
    )
    strategy._executor._trace_stats = lambda *_: {}
    return strategy


def _measured(record: RunRecord, settings: Settings) -> RunRecord:
    """The run as ``scoreboard`` measures it, from the journal; its protection and slippage are those of the record too.

    The desk counts protection by its last look at the venue, which may be older than the end of a stop.
    """
    if not record.equity:
        return record
    try:
        measured = journal_record(JournalReader(journal_of(settings)), since=record.equity[0].time)
    except Refusal as refused:
        log.warning("protection and slippage are as the desk counted them: %s", refused)
        return record
    record.position_bars, record.protected_bars = measured.position_bars, measured.protected_bars
    record.slippage_cost, measured.decisions = measured.slippage_cost, record.decisions
    return measured


def _told_ended(info: RunInfo, signal_name: str, *, interrupted: bool) -> RunInfo:
    """What a run that a signal ended says of itself."""
    if not interrupted:
        return replace(info, notes=(f"Ended by {signal_name}.", *info.notes))
    note = f"Interrupted by {signal_name} before its last session was over: these are not the figures of the whole run."
    return replace(info, notes=(note, *info.notes), interrupted=signal_name)


def _until_the_end(strategy: Any, server: Any, stopping: Interruption, ended: int) -> int:
    """Run Lumibot's loop until a signal, the kill switch, the rehearsal's last session or a failure ends it."""
    from lumibot.traders import Trader

    trader = Trader(backtest=False, quiet_logs=True)
    trader.add_strategy(strategy)
    handler = signal.getsignal(signal.SIGINT)
    trader.run_all_async()
    # Lumibot takes the interrupt for itself.
    signal.signal(signal.SIGINT, handler)
    executor = strategy._executor
    while not stopping.wait(LASTING_POLL_S if server is None else POLL_S):
        if getattr(executor, "exception", None) is not None:
            raise executor.exception
        account: LiveAccount | None = getattr(strategy, "account", None)
        if account is not None and account.desk.halts.taken:
            log.error("%s", account.desk.halts.taken)
            return EXIT_FAILED
        if account is not None and account.desk.flattened:
            log.warning("stopped by the kill switch, everything of ours is closed", extra=about(EventKind.LEAVING))
            return EXIT_STOPPED
        if server is not None and server.finished:
            return EXIT_DONE
        if not executor.is_alive():
            return EXIT_FAILED
    return ended


def _once(request: RunRequest, strategy: Any, session: TradingSession, console: Console, stopping: Interruption) -> int:
    """One iteration, then what it sent is followed to its first outcome."""
    strategy.initialize()
    account: LiveAccount = strategy.account
    strategy.on_trading_iteration()
    began = session.venue.clock.now()
    while account.desk.submit and account.desk.busy and (session.venue.clock.now() - began).total_seconds() < SETTLE_S:
        if stopping.wait(POLL_S):
            return EXIT_FAILED
    if getattr(strategy, "plan", None) is None:
        console.print(f"nothing was decided: {'; '.join(account.desk.halts.reasons(began))}", style="red")
        return EXIT_FAILED
    account.close()
    if request.json:
        show_document(live_scan_document(strategy, scan=request.scan))
    else:
        show_live_scan(console, strategy, scan=request.scan)
    return EXIT_DONE


def _leave(strategy: Any, account: LiveAccount | None, session: TradingSession) -> None:
    """End everything within seconds; orders stay at the venue, the journal is closed."""
    executor, broker = strategy._executor, strategy.broker
    executor.stop_event.set()
    broker._stop_event.set()
    with contextlib.suppress(Exception):
        if executor.scheduler is not None and executor.scheduler.running:
            executor.scheduler.remove_all_jobs()
            executor.scheduler.shutdown(wait=False)
    executor.check_queue_stop_event.set()
    if account is not None:
        account.close()
    session.close()
    broker.shutdown()


@contextlib.contextmanager
def _signals(stopping: Interruption, status: int) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP end the run in order; what hangs is left behind after a few seconds."""

    def stop(number: int, frame: Any) -> None:
        if not stopping.asked:
            stopping.ask(number)
            watchdog = threading.Timer(LEAVE_WITHIN_S, os._exit, (status,))
            watchdog.daemon = True
            watchdog.start()
            # Last, as it may have to wait for whoever writes just now.
            told = "%s: leaving; entries are cancelled, exits stay at the venue"
            log.warning(told, stopping.name, extra=about(EventKind.LEAVING))

    with stopping.listening(stop):
        yield


def _describe(
    request: RunRequest, settings: Settings, account: LiveAccount, rehearsal: Rehearsal | None, seconds: float
) -> RunInfo:
    """What the report says of the run: a rehearsal's bars are those of its source, and all of the benchmark's too."""
    rows = account.record.equity
    now = account.session.venue.clock.now().astimezone(NEW_YORK_ZONE)
    start, end = (rows[0].time, rows[-1].time) if rows else (now, now)
    benchmark = settings.universe.benchmark
    venue, data_hash, bars, known = settings.broker.venue, "", account.feed.bars, tuple[str, ...]()
    if rehearsal is not None:
        data_hash, bars, known = rehearsal.hash, rehearsal.bars or bars, rehearsal.notes
    closes, compared = benchmark_of(benchmark, bars, start, end, now)
    bare = [spell.seconds for spell in account.desk.protector.log.intervals if spell.seconds > 0]
    missing, notes = absent_symbols((s for s in account.feed.symbols if _no_bars(account, s)), account.pipeline)
    return RunInfo(
        mode=request.mode,
        strategy=request.strategy,
        profile=request.profile,
        evidence=settings.told_evidence(request.profile),
        data_source=venue if rehearsal is None else f"{rehearsal.source}, played by a rehearsal exchange ({venue})",
        data_hash=data_hash,
        config_hash=settings.config_hash,
        start=start,
        end=end,
        symbols=tuple(symbol for symbol in settings.universe.traded if symbol not in missing),
        missing_symbols=missing,
        fill_assumptions={"fills": "the venue's own"},
        benchmark=benchmark if closes is not None else "",
        benchmark_closes=closes,
        benchmark_drawdown=benchmark_fall(benchmark, bars, closes),
        sessions_per_year=ALWAYS_OPEN_PER_YEAR if settings.pace.market == ALWAYS_OPEN else SESSIONS_PER_YEAR,
        seconds={"engine": seconds},
        bare_s=max(bare, default=0.0),
        versions={"lumibot": version("lumibot"), "python": platform.python_version()},
        notes=(
            *known,
            *account.notes,
            *unknown(missing, settings.universe.traded),
            *notes,
            *compared,
            *taken_over(account.record),
            *without_a_stop(bare),
            *told_of_idle_cap(settings),
        ),
        seed=request.seed,
    )


def _no_bars(account: LiveAccount, symbol: str) -> bool:
    return account.feed.sources.get(symbol, NONE) == NONE
