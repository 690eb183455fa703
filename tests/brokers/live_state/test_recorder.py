"""What a running trader leaves for the screens, and that nothing it trades with waits for it."""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from backtests.recorded_settings import recorded_settings
from brokers.alpaca.errors import AlpacaRefusal
from brokers.desk.entry_halts import KillLevel
from brokers.live_state.recorder import StateRecorder
from brokers.live_state.snapshot import pending_now
from brokers.reporting.events import EventKind
from brokers.reporting.standing_conditions import Standing
from market.bars import BarTable
from market.features import FeatureTable
from monitoring.market_view import VIEW_FILE, MarketView, MarketViewWriter
from monitoring.state import STATE_FILE, StopState, read_state
from monitoring.status import status
from risk.model import Book, Plan
from strategies.registry import build_pipeline
from tests.brokers.desk.scene import SYMBOLS, Scene

LASTING = (Standing(EventKind.STREAM_DOWN, "trade updates", "the connection is lost", datetime.now(UTC)),)


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path / "state", overrides=[f"live.state_dir={tmp_path / 'state'}", "monitoring.beat_s=0.2"])
    yield made
    made.stop()


def table_of(symbols, bars: int, now) -> BarTable:
    """Hourly bars, the last one closed at the last full hour."""
    end = pd.Timestamp(now).tz_convert("America/New_York").floor("h")
    opens = pd.date_range(end=end - pd.Timedelta(hours=1), periods=bars, freq="h")
    walk = np.random.default_rng(3).normal(0, 0.005, (bars, len(symbols))).cumsum(axis=0)
    close = 100 * np.exp(walk)
    days = pd.Index(opens.date)
    return BarTable(
        tuple(symbols), opens, opens + pd.Timedelta(hours=1), pd.factorize(days)[0], 60,
        close, close * 1.01, close * 0.99, close, np.full_like(close, 1e6),
    )  # fmt: skip


def trader(scene: Scene, bars: int = 120):
    """A strategy after an iteration, and its account."""
    pipeline = build_pipeline(scene.settings)
    table = table_of(SYMBOLS, bars, scene.exchange.now)
    features = FeatureTable(table, pipeline.needs(), scene.settings.universe.sectors)
    account = SimpleNamespace(
        desk=scene.desk, monitor=SimpleNamespace(heard=time.time(), listening=True), pace_s=60.0,
        session=SimpleNamespace(mode="rehearse", profile="active"), alarm=SimpleNamespace(standing=lambda: LASTING),
        pipeline=pipeline, feed=SimpleNamespace(bars=table),
    )  # fmt: skip
    now = scene.exchange.now
    book = Book(now, 100_000.0, 100_000.0, session_open_equity=100_000.0, equity_peak=100_000.0)
    strategy = SimpleNamespace(
        pipeline=pipeline, feed=SimpleNamespace(features=features), plan=Plan(now), book=book, settings=scene.settings
    )
    return strategy, account


def last_bars(table: BarTable, count: int) -> BarTable:
    arrays = {name: getattr(table, name)[-count:] for name in ("open", "high", "low", "close", "volume", "session")}
    return replace(table, opens_at=table.opens_at[-count:], closes_at=table.closes_at[-count:], **arrays)


def eventually(what, within_s: float = 10.0):
    ends = time.monotonic() + within_s
    while not (found := what()):
        assert time.monotonic() < ends
        time.sleep(0.05)
    return found


def test_a_position_is_told_with_what_protects_it_and_bars_and_readings_are_kept(scene):
    scene.enter("AAPL", 50)
    scene.settle()
    strategy, account = trader(scene)
    recorder = StateRecorder(strategy, account, scene.settings)
    recorder.start()
    path, folder = scene.folder / STATE_FILE, scene.folder
    state = eventually(lambda: (found := read_state(path)) and found.positions and found.limits and found)
    (position,) = state.positions
    assert (position.symbol, position.quantity, position.protected, position.bare) == ("AAPL", 49, 49, 0)
    levels = scene.desk.protector.levels(scene.positions.book.ledger.positions["AAPL"])
    assert (position.stop, position.target) == (levels.stop, levels.target)
    assert state.equity == pytest.approx(float(scene.desk.state.view.account.equity))
    assert [(x.kind, x.why) for x in state.conditions] == [("stream_down", "the connection is lost")]
    # A book without a budget has no limit of it to tell.
    assert {"exposure_budget", "drawdown_halt", "policy_gate"} - {x.module for x in state.limits} == {"exposure_budget"}
    assert status(state).sign_of_life == "running"
    view = MarketView(folder / VIEW_FILE)
    assert len(view.bars("AAPL")) == 120 and view.bar_minutes() == scene.settings.pace.bars
    assert {r.symbol for r in view.readings()} == set(SYMBOLS)
    recorder.stop("the trader was ended")
    assert read_state(path).ended == "the trader was ended"
    text = path.read_text()
    assert "rehearsal-account" not in text and "broker" not in json.loads(text)["settings"]


def refuse_orders(scene: Scene) -> None:
    def mishap(name, phase):
        if name == "submit" and phase == "before":
            raise AlpacaRefusal(422, 42210000, "refused", {})

    scene.wire.mishap = mishap


def by_hand(scene: Scene, **order) -> None:
    scene.exchange.submit({"symbol": "AAPL", "qty": "50", **order})


def written(scene: Scene):
    strategy, account = trader(scene)
    recorder = StateRecorder(strategy, account, scene.settings)
    recorder._write()
    return read_state(scene.folder / STATE_FILE)


def test_settings_of_a_state_are_settings_again_and_its_evidence_names_what_was_set_otherwise(tmp_path):
    scene = Scene(tmp_path, overrides=[f"live.state_dir={tmp_path}", "sizing.risk_frac=0.0125"])
    try:
        state = written(scene)
    finally:
        scene.stop()
    again = recorded_settings(state.settings).as_dict()
    assert {name: again[name] for name in state.settings} == state.settings
    assert state.settings["sizing"]["risk_frac"] == 0.0125 and "sizing.risk_frac" in state.beside_evidence
    assert "sizing.risk_frac" in state.evidence


def test_a_stop_by_hand_protects_nothing_of_ours(scene):
    scene.enter("AAPL", 50)
    scene.settle(2)
    by_hand(scene, side="buy", type="market", time_in_force="day", client_order_id="hand1")
    scene.settle(3)
    by_hand(scene, side="sell", type="stop", stop_price="80", time_in_force="gtc", client_order_id="hand2")
    scene.settle(3)
    refuse_orders(scene)
    for row in scene.exchange.orders(nested=True, limit=500):
        if row["side"] == "sell" and row["client_order_id"] != "hand2":
            scene.exchange.cancel(row["id"])
    scene.settle(4)
    assert scene.desk.protector.log.present
    position, theirs = written(scene).positions
    assert (position.quantity, position.protected, position.bare, position.stops) == (49, 0, 49, ())
    assert (theirs.owner, theirs.protected) == ("manual", 50)
    assert position.stop == pytest.approx(95.01)


def test_a_position_by_hand_is_protected_by_stops_by_hand(scene):
    by_hand(scene, side="buy", type="market", time_in_force="day", client_order_id="hand1")
    scene.settle(3)
    by_hand(scene, side="sell", type="stop", stop_price="80", time_in_force="gtc", client_order_id="hand2")
    scene.settle(3)
    (position,) = written(scene).positions
    assert (position.owner, position.protected, position.stop, position.stops) == (
        "manual", 50, 80, (StopState(80.0, 50.0),),
    )  # fmt: skip


def test_shares_by_hand_in_a_symbol_of_ours_are_a_position_of_their_own(scene):
    scene.enter("AAPL", 50)
    scene.settle(2)
    by_hand(scene, side="buy", type="market", time_in_force="day", client_order_id="hand1")
    scene.settle(3)
    ours, theirs = written(scene).positions
    assert (ours.owner, ours.quantity, ours.protected) == ("ours", 49, 49)
    assert (theirs.owner, theirs.quantity, theirs.bare, theirs.stop) == ("manual", 50, 50, None)
    assert theirs.entry_price == pytest.approx(float(scene.positions.book.paid["AAPL"]))
    found = status(written(scene))
    assert (found.bare, found.unbounded) == (pytest.approx(50 * theirs.price), ("AAPL",))
    by_hand(scene, side="sell", type="stop", stop_price="80", time_in_force="gtc", client_order_id="hand2")
    scene.settle(3)
    ours, theirs = written(scene).positions
    assert (ours.protected, ours.stop) == (49, pytest.approx(95.01))
    assert (theirs.protected, theirs.stops) == (50, (StopState(80.0, 50.0),))


def test_a_stop_by_hand_that_has_sold_a_part_goes_on_protecting_what_the_hand_has_left(scene):
    scene.enter("AAPL", 50)
    scene.settle(2)
    by_hand(scene, side="buy", type="market", time_in_force="day", client_order_id="hand1")
    scene.settle(3)
    by_hand(scene, side="sell", type="stop", stop_price="97", time_in_force="gtc", client_order_id="hand2")
    scene.settle(3)
    (stop,) = [o for o in scene.exchange._state.open_orders("AAPL") if o.client_order_id == "hand2"]
    scene.exchange._life.fill(stop, Decimal(20), Decimal(97))
    scene.settle(3)
    _, theirs = written(scene).positions
    assert (theirs.quantity, theirs.stops, theirs.bare) == (30, (StopState(97.0, 30.0),), 0)


def test_what_is_lost_is_told_of_every_stop(scene):
    scene.in_part("AAPL", 101.0, lambda: scene.enter("AAPL", 50))
    scene.settle(10)
    stops = [order for order in scene.open() if order["type"] == "stop"]
    assert len(stops) == 2
    scene.exchange.replace(stops[0]["id"], {"stop_price": "70"})
    scene.settle(4)
    stops = [(float(order["stop_price"]), float(order["qty"])) for order in scene.open() if order["type"] == "stop"]
    (position,) = written(scene).positions
    assert {(stop.price, stop.quantity) for stop in position.stops} == set(stops)
    assert len({price for price, _ in stops}) == 2
    assert position.lost_at_stop == pytest.approx(sum((position.price - price) * count for price, count in stops))


def test_the_recorder_asks_the_journal_nothing(scene, monkeypatch):
    scene.enter("AAPL", 50)
    scene.settle()
    strategy, account = trader(scene)
    recorder = StateRecorder(strategy, account, scene.settings)
    recorder._write()
    monkeypatch.setattr(scene.desk.journal._store, "reading", pytest.fail)
    recorder._write()
    assert read_state(scene.folder / STATE_FILE).positions[0].protected == 49


def test_an_entry_that_has_filled_or_ended_since_the_iteration_is_not_on_its_way(scene):
    wanted = {symbol: scene.proposal(symbol, 50) for symbol in ("AAPL", "MSFT")}
    book = Book(scene.desk.reconcile().time, 100_000.0, 100_000.0, pending=wanted)

    def on_its_way():
        return {p.symbol: p.quantity for p in pending_now(scene.desk, book)}

    assert on_its_way() == {"AAPL": 50, "MSFT": 50}
    scene.in_part("AAPL", 101, scene.enter)
    scene.enter("MSFT", 50)
    scene.step(0.5)
    bought = scene.held("AAPL")
    assert 0 < bought < 49 and scene.held("MSFT") == 49
    assert on_its_way() == {"AAPL": 49 - bought}
    scene.settle(6)
    assert not any(order["side"] == "buy" for order in scene.open("AAPL"))
    assert on_its_way() == {"AAPL": 49 - bought}, "the rest waits for its time"
    scene.settle(40)
    assert not scene.desk.entries.tasks and on_its_way() == {}


def test_while_the_desk_is_held_signs_of_life_go_on_and_the_desk_never_waits(scene):
    strategy, account = trader(scene)
    recorder = StateRecorder(strategy, account, scene.settings)
    recorder.start()
    path = scene.folder / STATE_FILE
    eventually(path.exists)
    with scene.desk.lock:
        before = read_state(path).written
        eventually(lambda: read_state(path).written > before + timedelta(seconds=0.3))
    recorder.stop("over")


def test_nobody_is_asked_and_no_lock_is_taken(scene, monkeypatch):
    """Neither journal nor venue nor the desk's lock: what hangs there must not hang by a screen."""
    scene.enter("AAPL", 50)
    scene.settle()
    strategy, account = trader(scene)
    recorder = StateRecorder(strategy, account, scene.settings)
    here = threading.get_ident()
    used: list[str] = []

    def watched(name, call):
        def asked(*args, **options):
            if threading.get_ident() != here:
                used.append(name)
            return call(*args, **options)

        return asked

    monkeypatch.setattr(scene.journal._store, "transaction", watched("journal", scene.journal._store.transaction))
    monkeypatch.setattr(scene.wire, "_call", watched("venue", scene.wire._call))
    monkeypatch.setattr(scene.desk.lock, "acquire", watched("lock", scene.desk.lock.acquire))
    recorder.start()
    path = scene.folder / STATE_FILE
    first = eventually(lambda: read_state(path))
    eventually(lambda: read_state(path).written > first.written + timedelta(seconds=0.5))
    recorder.stop("over")
    assert used == []
    assert read_state(path).positions[0].protected == 49


def test_what_stops_entries_is_told_from_memory(scene):
    strategy, account = trader(scene)
    recorder = StateRecorder(strategy, account, scene.settings)
    scene.desk.halts.passing["venue"] = "no answer (ReadTimeout)"
    scene.desk.halts.halt("crash", scene.exchange.now, "ValueError: x")
    scene.desk.halts.reasons(scene.exchange.now)
    scene.desk.halts.kill.pull(KillLevel.STOP)
    recorder.start()
    state = eventually(lambda: read_state(scene.folder / STATE_FILE))
    recorder.stop("over")
    assert state.stopped_by == ("venue: no answer (ReadTimeout)", "halted for this session by crash")
    assert state.kill == "stop"


def test_a_position_made_by_hand_and_one_without_its_stop_are_told(scene):
    scene.enter("AAPL", 50)
    scene.settle()
    for order in list(scene.state.view.orders.values()):
        if order.open and order.is_stop:
            scene.exchange.cancel(order.id)
    scene.desk.look()
    scene.exchange.submit({"symbol": "MSFT", "qty": "7", "side": "buy", "type": "market", "time_in_force": "day"})
    scene.pass_time(90)
    for _ in range(4):
        scene.step(20)
    strategy, account = trader(scene)
    recorder = StateRecorder(strategy, account, scene.settings)
    recorder.stop("over")
    told = {p.symbol: p for p in read_state(scene.folder / STATE_FILE).positions}
    assert told["AAPL"].owner == "ours"
    assert (told["MSFT"].owner, told["MSFT"].quantity, told["MSFT"].bare, told["MSFT"].stop) == ("manual", 7, 7, None)


def test_what_cannot_be_written_is_told_once_and_trading_goes_on(scene, caplog):
    strategy, account = trader(scene)
    recorder = StateRecorder(strategy, account, scene.settings)
    (scene.folder / STATE_FILE).mkdir(parents=True)
    with caplog.at_level(logging.WARNING):
        recorder.start()
        eventually(lambda: "state file of the operator's screens could not be written" in caplog.text)
        time.sleep(0.7)
        scene.enter("MSFT", 10)
        scene.settle()
        recorder.stop("over")
    assert scene.held("MSFT") > 0
    assert caplog.text.count("state file of the operator's screens could not be written") == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "state-recorder"]


def test_a_second_iteration_adds_its_bars_and_keeps_earlier_readings(scene):
    strategy, account = trader(scene, bars=100)
    recorder = StateRecorder(strategy, account, scene.settings)
    recorder.start()
    view = MarketView(scene.folder / VIEW_FILE)
    first = eventually(lambda: view.readings() and view.readings()[0].time)
    later = scene.exchange.now + timedelta(hours=2)
    strategy.feed.features = FeatureTable(
        table_of(SYMBOLS, 102, later), strategy.pipeline.needs(), scene.settings.universe.sectors
    )
    strategy.plan = Plan(later)
    eventually(lambda: view.readings()[0].time > first)
    assert view.reading("AAPL", first).time == first
    assert view.reading("AAPL", first - timedelta(seconds=1)) is None
    opens = [bar[0] for bar in view.bars("AAPL")]
    assert opens == sorted(set(opens)) and len(opens) >= 100
    recorder.stop("over")


def test_the_end_of_an_iteration_is_shown_before_the_next_beat(tmp_path):
    scene = Scene(tmp_path / "state", overrides=[f"live.state_dir={tmp_path / 'state'}", "monitoring.beat_s=60"])
    try:
        strategy, account = trader(scene)
        recorder, path = StateRecorder(strategy, account, scene.settings), scene.folder / STATE_FILE
        recorder.start()
        first = eventually(lambda: read_state(path))
        strategy.plan = Plan(scene.exchange.now + timedelta(seconds=15))
        recorder.iterated()
        eventually(lambda: read_state(path).written > first.written)
        eventually(lambda: MarketView(scene.folder / VIEW_FILE).readings()[0].time == strategy.plan.time)
        began = time.monotonic()
        recorder.stop("over")
        assert time.monotonic() - began < 2.0, "nobody waits for the beat"
    finally:
        scene.stop()


def test_bars_are_written_again_only_where_one_was_added_or_corrected(scene, monkeypatch):
    strategy, account = trader(scene)
    recorder = StateRecorder(strategy, account, scene.settings)
    written: list[int] = []
    monkeypatch.setattr(
        MarketViewWriter, "write", lambda self, moment, minutes, bars, rows, anew: written.append(len(list(bars)))
    )

    def iterate(features):
        strategy.feed.features = features
        recorder._plan = Plan(scene.exchange.now)
        recorder._after_iteration()

    same, needs, sectors = strategy.feed.features, strategy.pipeline.needs(), scene.settings.universe.sectors
    iterate(same)
    iterate(same)
    corrected = replace(same.bars, close=same.bars.close + 0.01)
    iterate(FeatureTable(corrected, needs, sectors))
    recorder.stop("over")
    assert written == [120 * len(SYMBOLS), 0, len(SYMBOLS)]


@pytest.mark.parametrize("restarted", [False, True])
def test_after_a_split_no_bar_of_the_old_shares_is_left(scene, restarted):
    strategy, account = trader(scene)
    recorder = StateRecorder(strategy, account, scene.settings)
    needs, sectors = strategy.pipeline.needs(), scene.settings.universe.sectors
    view, before = MarketView(scene.folder / VIEW_FILE), strategy.feed.features.bars

    def iterate(bars):
        strategy.feed.features = FeatureTable(bars, needs, sectors)
        recorder._plan = Plan(scene.exchange.now)
        recorder._after_iteration()

    iterate(before)
    k = before.symbols.index("AAPL")
    arrays = {name: np.array(getattr(before, name)) for name in ("open", "high", "low", "close")}
    for array in arrays.values():
        array[:, k] /= 4
    if restarted:
        recorder.stop("over")
        recorder = StateRecorder(strategy, account, scene.settings)
    others = {symbol: view.bars(symbol) for symbol in SYMBOLS if symbol != "AAPL"}
    # Of what was known the newest 100 bars are still there.
    iterate(last_bars(replace(before, **arrays), 100))
    recorder.stop("over")
    assert [bar[4] for bar in view.bars("AAPL")] == pytest.approx(arrays["close"][-100:, k])
    assert {symbol: view.bars(symbol) for symbol in others} == others


def test_no_view_is_an_empty_one(tmp_path):
    view = MarketView(tmp_path / "nothing")
    assert (view.bars("A"), view.readings(), view.symbols(), view.bar_minutes(), view.reading("A")) == (
        [],
        [],
        [],
        0,
        None,
    )
    (tmp_path / "odd").write_bytes(b"odd" * 999)
    assert MarketView(tmp_path / "odd").bars("A") == []
