"""Where a live run writes: a new folder at every start, and a rehearsal's state with its run."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from rich.console import Console

import live_trader
from backtests.embedded import DESCRIPTION
from backtests.live import live_runs
from backtests.live.live_runs import _describe, _placed
from backtests.live.rehearsals import rehearsal_of, window_of
from backtests.live.run_log import RunLog
from backtests.reports.summary_screen import trading_values
from backtests.reports.tearsheet.sheet import custom_metrics
from backtests.request import RunRequest
from brokers.desk.execution.unprotected_log import UnprotectedInterval
from brokers.venue_errors import AccountUnreadable, VenueRefusal, VenueUnavailable
from brokers.venue_values import VenueAccount
from brokers.venues import open_venue, request_limit
from commands.runs.request import RunArguments, requested, settled
from config import Refusal, load
from config.errors import NoAnswer
from live_trader import ModeOptions, of_modes
from strategies.registry import build_pipeline

NOON = datetime(2024, 6, 28, 16, 0, tzinfo=UTC)


def request(*argv: str) -> RunRequest:
    values = live_trader.live_trader.click.make_context("live_trader.py", list(argv)).params
    modes = ModeOptions(**{field.name: values.pop(field.name) for field in fields(ModeOptions)})
    values.pop("version")
    arguments = of_modes(modes, RunArguments(**values))
    return requested(arguments, *settled(arguments))


def test_every_start_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("paper-active-2024-06-28", "paper-active-2024-06-28-2", "paper-active-2024-06-28-3"):
        placed = _placed(request("--paper"), NOON)
        assert placed.out == Path("runs") / name
        (tmp_path / placed.out).mkdir(parents=True)
    asked = _placed(request("--paper", "--out", "mine"), NOON)
    assert asked.out == Path("mine")
    assert all(getattr(asked, f.name) == getattr(request("--paper", "--out", "mine"), f.name) for f in fields(asked)
               if f.name != "settings")  # fmt: skip


def log_of(asked):
    """What the run tells, nowhere."""
    return RunLog(Console(quiet=True), asked.settings.secrets, quiet=True, verbose=False)


def test_signals_that_mean_nothing_on_daily_bars_are_refused_before_the_venue_is_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(live_runs, "open_session", lambda *_: pytest.fail("nothing is to be asked"))
    asked = _placed(request("--paper", "--set", "signals.enabled=[vwap]", "--set", "pace.bars=1440"), NOON)
    with pytest.raises(Refusal, match=r"^--set: signals\.enabled: vwap needs intraday bars"):
        live_runs._run(asked, asked.settings, Console(), log_of(asked), None)
    assert list(tmp_path.iterdir()) == []


def test_a_start_that_is_refused_leaves_no_folder_and_an_earlier_run_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def no_seat(*_):
        raise Refusal("the venue does not answer")

    monkeypatch.setattr(live_runs, "open_session", no_seat)
    for argv in (["--paper"], ["--paper"], ["--paper", "--out", "new"]):
        asked = _placed(request(*argv), NOON)
        with pytest.raises(Refusal, match="does not answer"):
            live_runs._run(asked, asked.settings, Console(), log_of(asked), None)
    assert list(tmp_path.iterdir()) == []
    earlier = tmp_path / "mine" / "summary.json"
    earlier.parent.mkdir()
    earlier.write_text("{}")
    for argv, told in ((["--overwrite"], "does not answer"), ([], "mine is not empty")):
        asked = _placed(request("--paper", "--out", "mine", *argv), NOON)
        with pytest.raises(Refusal, match=told):
            live_runs._run(asked, asked.settings, Console(), log_of(asked), None)
    assert earlier.read_text() == "{}"


@pytest.mark.parametrize(
    ("argv", "shortest"),
    [
        (["--paper", "--sleeptime", "1S"], "6S"),
        (["--rehearse", "--sleeptime", "1S"], "6S"),
        (["--rehearse", "--venue", "kraken", "--profile", "standard", "--sleeptime", "1S"], "10S"),
    ],
)  # fmt: skip
def test_a_pace_that_cannot_be_kept_is_refused_before_anything_starts(argv, shortest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("open_session", "rehearsal_of", "RunLog"):
        monkeypatch.setattr(live_runs, name, lambda *_, **__: pytest.fail("nothing is to be started"))
    with pytest.raises(Refusal, match=rf"^--sleeptime: pace\.sleeptime 1S: .*; the shortest that works is {shortest}$"):
        live_runs.run_live(request(*argv), Console())
    assert list(tmp_path.iterdir()) == []


def test_the_limit_of_a_venue_that_is_not_open_is_that_of_the_open_one(monkeypatch):
    monkeypatch.setenv("ALPACA_API_KEY", "key")
    monkeypatch.setenv("ALPACA_API_SECRET", "secret")
    settings = request("--paper").settings
    assert request_limit(settings) == open_venue(settings, paper=True).request_limit


def test_a_folder_that_cannot_be_made_gives_the_seat_back(tmp_path):
    (tmp_path / "file").write_text("x")
    asked = request("--paper", "--out", str(tmp_path / "file" / "below"))
    closed = []
    with pytest.raises(Refusal, match="can't be used as --out"):
        live_runs._prepared(asked, SimpleNamespace(close=lambda: closed.append(True)))
    assert closed == [True]


def test_a_rehearsal_is_refused_before_its_exchange_is_started(tmp_path, monkeypatch):
    (tmp_path / "state").mkdir()
    monkeypatch.setattr(live_runs, "rehearsal_of", lambda _: pytest.fail("the exchange was made"))
    screen = Console(record=True)
    with pytest.raises(Refusal, match="is not empty: choose another --out or add --overwrite"):
        live_runs.run_live(request("--rehearse", "--out", str(tmp_path)), screen)
    assert not screen.export_text()


def test_a_rehearsal_that_overwrites_forgets_what_its_venue_has_forgotten(tmp_path):
    state = tmp_path / "run" / "state"
    state.mkdir(parents=True)
    _placed(request("--paper", "--out", str(tmp_path / "run"), "--overwrite"), NOON)
    assert state.exists()
    _placed(request("--rehearse", "--out", str(tmp_path / "run"), "--overwrite"), NOON)
    assert not state.exists()


def desk_without(spells: list[UnprotectedInterval]) -> SimpleNamespace:
    return SimpleNamespace(protector=SimpleNamespace(log=SimpleNamespace(intervals=spells)))


def test_a_run_tells_what_it_took_over_and_what_was_between_its_iterations():
    asked = request("--paper", "--profile", "intraday")
    row, before = SimpleNamespace(time=NOON), NOON - timedelta(minutes=47)
    trades = [SimpleNamespace(entry_time=entered) for entered in (before, NOON)]
    account = SimpleNamespace(
        record=SimpleNamespace(equity=[row], initial_equity=4006.0, trades=trades),
        session=SimpleNamespace(venue=SimpleNamespace(clock=SimpleNamespace(now=lambda: NOON))),
        feed=SimpleNamespace(bars=None, symbols=(), sources={}),
        pipeline=build_pipeline(asked.settings),
        notes=(),
        desk=desk_without([UnprotectedInterval("BA", NOON, NOON + timedelta(seconds=s), "") for s in (27, 0)]),
    )
    told = _describe(asked, asked.settings, account, None, 1.0)
    assert told.notes[-2:] == (
        "total return and maximum drawdown are since this start at 2024-06-28 12:00, with 4,006.00 USD; closed trades "
        "entered before it, whose results count from the entry: 1 of 2",
        "1 time without a stop, the longest 27 s; position time protected is counted at each iteration, so that a time "
        "between two of them is not in it",
    )
    figures = {"protected_share": 1.0}
    assert dict(trading_values(told, figures))["Position time protected"] == "<100% (27 s)"
    assert dict(trading_values(told, {"protected_share": 0.9}))["Position time protected"] == "90.00%"
    assert custom_metrics(figures, told)["Share of position time protected"] == "<100% (27 s)"
    assert dict(trading_values(replace(told, bare_s=0.0), figures))["Position time protected"] == "100.00%"


def test_a_rehearsal_says_which_bars_it_played_and_what_is_made_up_of_them():
    asked = request("--rehearse", "--profile", "intraday", "--start", "2022-03-14", "--end", "2022-03-14")
    rehearsal = rehearsal_of(asked)
    clock = SimpleNamespace(now=lambda: NOON)
    account = SimpleNamespace(
        record=SimpleNamespace(equity=[]),
        session=SimpleNamespace(venue=SimpleNamespace(clock=clock)),
        feed=SimpleNamespace(bars=None, symbols=(), sources={}),
        pipeline=build_pipeline(asked.settings),
        notes=(),
        desk=desk_without([]),
    )
    told = _describe(asked, asked.settings, account, rehearsal, 1.0)
    assert told.data_source == "embedded, played by a rehearsal exchange (alpaca)" and len(told.data_hash) == 64
    assert DESCRIPTION in told.notes
    traded = _describe(asked, asked.settings, account, None, 1.0)
    assert (traded.data_source, traded.data_hash) == ("alpaca", "") and DESCRIPTION not in traded.notes


def test_days_of_a_rehearsal():
    days = pd.DatetimeIndex(["2024-06-24", "2024-06-25", "2024-06-26", "2024-06-27", "2024-06-28"])
    base = request("--rehearse", "--data", "yahoo")
    assert [str(day.date()) for day in window_of(base, days)] == ["2024-06-26", "2024-06-28"]
    start = request("--rehearse", "--data", "yahoo", "--start", "2024-06-24")
    assert [str(day.date()) for day in window_of(start, days)] == ["2024-06-24", "2024-06-26"]
    end = request("--rehearse", "--data", "yahoo", "--end", "2024-06-27")
    assert [str(day.date()) for day in window_of(end, days)] == ["2024-06-25", "2024-06-27"]
    with pytest.raises(Refusal, match="the data end on 2024-06-28"):
        window_of(request("--rehearse", "--data", "yahoo", "--start", "2024-07-01"), days)


class Told:
    """A venue with fees whose account cannot be read, or that does not answer."""

    name, rules = "Kraken", SimpleNamespace(fee_frac=Decimal("0.004"))

    def __init__(self, error, held):
        self._error, self._held = error, held

    def terms(self, symbols):
        if not isinstance(self._error, AccountUnreadable):
            raise self._error
        return []

    def positions(self):
        return SimpleNamespace(by_symbol=self._held)

    def account(self):
        raise self._error


@pytest.mark.parametrize(
    ("error", "refusal"),
    [(VenueUnavailable("no answer"), NoAnswer), (VenueRefusal("EGeneral:Permission denied"), Refusal)],
)
def test_minimums_and_fees_that_are_not_told_for_want_of_an_answer_are_a_failure(error, refusal):
    session = SimpleNamespace(venue=Told(error, {}), close=lambda: None)
    with pytest.raises(Refusal, match="does not tell minimums and fees") as refused:
        live_runs._tell_feasibility(load(), session, "micro_cap", Console(file=StringIO()))
    assert type(refused.value) is refusal


def test_coins_without_a_price_are_looked_after():
    screen = StringIO()
    error = AccountUnreadable("the account cannot be read: BTC/USD has no price", VenueAccount("some"))
    session = SimpleNamespace(venue=Told(error, {"BTC/USD": 1}), close=lambda: None)
    live_runs._tell_feasibility(load(), session, "micro_cap", Console(file=screen, width=200))
    assert "BTC/USD has no price; nothing is entered, and what is held is looked after" in screen.getvalue()
