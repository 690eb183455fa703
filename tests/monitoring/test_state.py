import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest

from config import load
from config.errors import Refusal
from monitoring.metrics import Counts, metrics
from monitoring.signs import concerning, signs
from monitoring.state import (
    STATE_FILE,
    ConditionState,
    HaltState,
    LimitState,
    StateWriter,
    StopState,
    read_state,
    write_state,
)
from monitoring.status import status
from risk.model import Book, Position
from strategies import readings
from strategies.registry import build_pipeline
from tests.monitoring.journals import BEGIN, HALTED, STREAM_DOWN, trader_state
from tests.risk.helpers import market


def test_a_state_comes_back_as_it_was_written(tmp_path):
    state = trader_state(halts=HALTED, ended="", last_halts={"peak_halt": BEGIN.isoformat()})
    write_state(tmp_path / STATE_FILE, state)
    assert read_state(tmp_path / STATE_FILE) == state
    assert (tmp_path / STATE_FILE).stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == [STATE_FILE]


def test_a_writer_writes_each_state_as_it_is_also_where_the_settings_are_others(tmp_path):
    writer = StateWriter(tmp_path / STATE_FILE)
    first = trader_state()
    for state in (first, replace(first, equity=1.0), replace(first, settings={"risk": {"chain": []}}), first):
        writer.write(state)
        assert read_state(tmp_path / STATE_FILE) == state
        written = (tmp_path / STATE_FILE).read_text()
        write_state(tmp_path / "anew", state)
        assert written == (tmp_path / "anew").read_text()


def test_what_is_no_number_is_written_as_unknown(tmp_path):
    write_state(tmp_path / STATE_FILE, trader_state(equity=float("nan")))
    found = read_state(tmp_path / STATE_FILE)
    assert found is not None and found.equity is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 1}', '{"version": 99}', "\x00"])
def test_a_damaged_state_file_is_refused_with_its_name(tmp_path, text):
    path = tmp_path / STATE_FILE
    path.write_text(text)
    with pytest.raises(Refusal, match=r"trader\.json: is (damaged|of another version)"):
        read_state(path)


def test_no_file_is_no_trader(tmp_path):
    assert read_state(tmp_path / STATE_FILE) is None


def test_three_missed_beats_mean_no_sign_of_life():
    now = datetime.now(UTC)
    beat = trader_state(written=now - timedelta(seconds=5.9))
    assert status(beat, now).sign_of_life == "running"
    assert status(replace(beat, written=now - timedelta(seconds=6.1)), now).sign_of_life == "stale"
    assert (
        status(replace(beat, written=now - timedelta(days=9), ended="the trader was ended"), now).sign_of_life
        == "ended"
    )


def test_a_clock_that_was_put_back_hides_no_trader_that_is_gone():
    now = datetime.now(UTC)
    beat = trader_state(written=now + timedelta(hours=3))
    found = status(beat, now)
    (sign,) = [sign for sign in signs(found) if sign.kind == "stale"]
    assert "since a time 10,800 s ahead of this machine's clock" in sign.text
    assert status(replace(beat, written=now + timedelta(seconds=2)), now).sign_of_life == "running"


def test_what_is_lost_if_all_stops_fire_by_hand():
    found = status(trader_state())
    # 50 of 61 shares are behind the stop: 50 × (168.00 − 161.50); the other 11 are told apart.
    assert found.lost_at_stops == pytest.approx(325.0)
    assert found.lost_frac == pytest.approx(325.0 / 105_000)
    assert (found.bare, found.unbounded) == (pytest.approx(11 * 168.0), ("AMD",))


def test_what_is_lost_at_a_stop_has_the_fee_that_it_costs():
    state = trader_state()
    (held,) = state.positions
    charged = replace(held, exit_fee_frac=0.004)
    # 50 × (168.00 − 161.50), and 0.4% of the 8,075.00 USD for which they are sold.
    assert charged.lost_at_stop == pytest.approx(325.0 + 32.3)
    assert status(replace(state, positions=(charged,))).lost_at_stops == pytest.approx(357.3)
    at_the_stop = replace(charged, price=161.5)
    assert at_the_stop.lost_at_stop == pytest.approx(32.3)


def test_each_stop_loses_on_its_own_shares(tmp_path):
    (held,) = trader_state().positions
    two = replace(held, stops=(StopState(100.0, 10.0), StopState(161.5, 40.0)), exit_fee_frac=0.01)
    state = trader_state(positions=(two,))
    # 40 × (168.00 − 161.50) and 10 × (168.00 − 100.00), and 1% of what they are sold for.
    assert two.lost_at_stop == pytest.approx(260 + 680 + 0.01 * (40 * 161.5 + 10 * 100))
    assert status(state).lost_at_stops == two.lost_at_stop
    write_state(tmp_path / STATE_FILE, state)
    assert read_state(tmp_path / STATE_FILE) == state
    short = replace(two, quantity=-61.0, stop=176.0, stops=(StopState(200.0, 10.0), StopState(176.0, 40.0)))
    assert replace(short, exit_fee_frac=0.0).lost_at_stop == pytest.approx(40 * 8 + 10 * 32)
    # More than is held is sold by no stop, and what no stop was seen for is taken at the nearest.
    assert replace(two, protected=30.0, exit_fee_frac=0.0).lost_at_stop == pytest.approx(30 * 6.5)
    assert replace(two, protected=60.0, exit_fee_frac=0.0).lost_at_stop == pytest.approx(50 * 6.5 + 680)


def test_a_file_of_an_older_release_has_every_share_at_its_stop(tmp_path):
    path = tmp_path / STATE_FILE
    write_state(path, trader_state())
    older = json.loads(path.read_text())
    del older["positions"][0]["stops"]
    path.write_text(json.dumps(older))
    assert status(read_state(path)).lost_at_stops == pytest.approx(325.0)


def test_what_may_be_bought_is_the_strictest_limit():
    found = status(trader_state())
    # One position of 10,500 is left today; deployed today 10,630, the gate 11,680, the week 12,000, cash 78,750.
    assert (found.today.usd, found.today.bound_by) == (pytest.approx(10_500), "equity_sizer, one position")
    more = tuple(replace(x, most=3) if x.name == "new positions today" else x for x in trader_state().limits)
    found = status(trader_state(limits=more))
    assert (found.today.usd, found.today.bound_by) == (
        pytest.approx(10_630),
        "exposure_budget, deployed today (closed included)",
    )
    assert (found.week.usd, found.week.bound_by) == (pytest.approx(12_000), "exposure_budget, deployed and still held")
    assert (found.today.positions, found.today.why, found.has_week) == (2, "", True)


def test_a_small_account_is_bound_by_its_cash_and_its_one_position_and_has_no_week():
    """50 USD at Kraken, 20 USD in the one position that there may be, and then none."""
    settings = load("micro_cap")
    pipeline = build_pipeline(settings)
    prices = market({"ETH/USD": 1_110.0})
    bought = Position("ETH/USD", 0.018, 1_110.0, BEGIN, 1_099.0, 1_132.0, 1_099.0)

    def asked(book: Book):
        limits = [LimitState(**asdict(limit)) for limit in readings.limits(pipeline, book, prices)]
        told = {name: part for name, part in settings.as_dict().items() if name != "broker"}
        return status(trader_state(limits=tuple(limits), settings=told, equity=book.equity, cash=book.cash))

    whole = asked(Book(BEGIN, 50.0, 50.0))
    assert (whole.today.usd, whole.today.positions, whole.today.bound_by) == (20, 1, "equity_sizer, one position")
    poor = asked(Book(BEGIN, 50.0, 12.0))
    assert poor.today.usd == pytest.approx(12 / 1.016)
    assert poor.today.bound_by == "entry_gates, spent of the balance, fees kept"
    held = asked(Book(BEGIN, 50.0, 30.03, {"ETH/USD": bought}))
    assert (held.today.usd, held.today.why) == (0, "entry_gates, open positions: 1 of 1")
    assert not held.has_week and not poor.has_week


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"halts": (HaltState("drawdown_halt", "3.1% lost"),)}, "drawdown_halt: 3.1% lost"),
        ({"kill": "stop"}, "kill switch: stop"),
        ({"stopped_by": ("venue: no answer",)}, "venue: no answer"),
    ],
)
def test_nothing_may_be_bought_today_while_entries_are_stopped(changes, why):
    found = status(trader_state(**changes))
    assert (found.today.usd, found.today.why, found.halted) == (0, why, True)
    assert found.week.usd > 0


def test_a_spent_count_of_positions_leaves_nothing():
    limits = tuple(replace(x, used=2) if x.name == "new positions today" else x for x in trader_state().limits)
    found = status(trader_state(limits=limits))
    assert (found.today.usd, found.today.why) == (0, "policy_gate, new positions today: 2 of 2")


def test_no_secret_section_is_in_the_settings_of_the_state(tmp_path):
    write_state(tmp_path / STATE_FILE, trader_state())
    written = json.loads((tmp_path / STATE_FILE).read_text())
    assert "broker" not in written["settings"] and "risk" in written["settings"]


def test_a_file_of_an_older_release_lacks_only_what_it_did_not_know(tmp_path):
    path = tmp_path / STATE_FILE
    write_state(path, trader_state())
    older = json.loads(path.read_text())
    del older["conditions"], older["unprotected"]
    path.write_text(json.dumps(older))
    found = read_state(path)
    assert found is not None and (found.conditions, found.unprotected, found.equity) == ((), {}, 105_000.0)
    del older["written"]
    path.write_text(json.dumps(older))
    with pytest.raises(Refusal, match="damaged"):
        read_state(path)


def test_signs_name_all_that_is_wrong_the_most_urgent_first():
    state = trader_state(kill="stop", halts=HALTED, conditions=STREAM_DOWN, stopped_by=("venue: no answer",))
    found = status(replace(state, written=datetime.now(UTC) - timedelta(hours=1)))
    assert [sign.kind for sign in signs(found)] == ["stale", "unprotected", "stream_down", "kill", "halt", "stopped"]
    assert [sign.kind for sign in concerning(found, "MU")] == ["stale", "stream_down", "kill", "halt", "stopped"]
    assert "AMD for 3 s, 11 of 61 shares" in str(signs(found)[1])
    assert signs(status(trader_state(unprotected={}))) == ()


def test_why_the_venue_is_gone_is_said_once():
    gone = ConditionState("venue_down", "the venue", "no answer", datetime.now(UTC))
    found = status(trader_state(unprotected={}, conditions=(gone,), stopped_by=("no answer",)))
    assert [sign.kind for sign in signs(found)] == ["venue_down"]


def test_positions_of_a_trader_whose_looks_fail_are_as_of_its_last_look():
    """What nobody has seen since then is not said to be protected now."""
    seen = datetime.now(UTC) - timedelta(minutes=13)
    state = trader_state(last_look=seen, unseen="the keys are refused (401 unauthorized.)")
    found = status(state)
    assert found.sign_of_life == "running" and found.as_of == state.look_time
    assert status(replace(state, unseen="")).as_of is None
    told = metrics(found, Counts())
    assert "rft_up 1" in told and "rft_unprotected_shares" not in told
    assert "rft_unprotected_shares 11" in metrics(status(replace(state, unseen="")), Counts())
    unseen = ConditionState("venue_unseen", "the venue", state.unseen, seen)
    found = status(replace(state, unprotected={}, conditions=(unseen,)))
    assert [sign.head for sign in signs(found)] == ["Venue not seen"]
    assert 'rft_trouble_active{kind="venue_unseen"} 1' in metrics(found, Counts())


def test_metrics_tell_the_time_of_equity_and_cash_only_where_positions_are_newer():
    told = metrics(status(trader_state(account_time=BEGIN)), Counts())
    assert f"rft_account_timestamp_seconds {BEGIN.timestamp():.10g}\n" in told
    assert "rft_account_timestamp_seconds" not in metrics(status(trader_state()), Counts())


def test_before_the_first_iteration_nothing_is_said_of_limits():
    found = status(trader_state(limits=(), book_time=None))
    assert found.today.usd == found.week.usd == 0.0
    assert found.today.why == found.week.why == "its limits are known after the first iteration"


def test_the_kill_switch_of_a_trader_that_has_ended_is_what_its_files_say(tmp_path):
    path = tmp_path / STATE_FILE
    write_state(path, trader_state(ended="the trader was ended", kill="flatten"))
    assert read_state(path).kill == "off"
    (tmp_path / "STOP").touch()
    assert read_state(path).kill == "stop"
    (tmp_path / "FLATTEN").touch()
    assert read_state(path).kill == "flatten"
    # One that runs reads the files itself, each beat.
    write_state(path, trader_state(kill="off"))
    assert read_state(path).kill == "off"
