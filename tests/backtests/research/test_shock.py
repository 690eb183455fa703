"""Falls of the past on the present book."""

import itertools
import json
from dataclasses import replace

import pytest

from backtests.research.shock.paths import PATHS, MarketDay, ShockPath, all_names, shock_path
from backtests.research.shock.play import play
from backtests.research.shock.present import book_of_trader
from backtests.research.shock.report import document, sentence, shock_page
from commands.app import main
from config.errors import Refusal
from monitoring.state import STATE_FILE, write_state
from tests.monitoring.journals import trader_state

AMD = trader_state().positions[0]


def present(closes=None, **changes):
    whole = replace(AMD, protected=AMD.quantity)
    return book_of_trader(trader_state(**{"positions": (whole,), **changes}), closes or {})


def heavy():
    """400 shares without a stop, 64% of the account, and no rule that trims them."""
    settings = json.loads(json.dumps(trader_state().settings))
    settings["risk"]["chain"].remove("rebalancer")
    held = replace(AMD, quantity=400.0, protected=0.0)
    return present(positions=(held,), limits=(), settings=settings)


def path(*closes, low=None, opens=None):
    days = [
        MarketDay(f"day {k}", (opens or closes)[k], max(move, 0.0), min(move, 0.0) if low is None else low[k], move)
        for k, move in enumerate(closes)
    ]
    return ShockPath("made up", "", tuple(days))


def test_the_paths_are_those_of_their_years():
    fall, year = (shock_path(name) for name in PATHS)
    assert (len(fall.days), fall.days[0].label, fall.days[-1].label) == (23, "2020-02-20", "2020-03-23")
    assert fall.market == pytest.approx(-0.339, abs=0.001)
    assert (len(year.days), year.market) == (195, pytest.approx(-0.254, abs=0.001))
    for day in (*fall.days, *year.days):
        assert day.open == day.high == day.low == day.close, "what happened within a session is not known"
    with pytest.raises(Refusal, match="pandemic_2020"):
        shock_path("meteor")


def test_a_stop_fills_at_its_level_and_beyond_it_on_a_gap():
    step = play(present(), path(-0.10, opens=[0.0], low=[-0.10]))
    gap = play(present(), path(-0.10, low=[-0.10]))
    assert step.exits[0].price == pytest.approx(161.5, rel=1e-3)
    assert gap.exits[0].price == pytest.approx(168 * 0.9, rel=1e-3) and gap.exits[0].price < 168 * 0.9
    assert gap.curve[-1] == pytest.approx(105_000 + gap.exits[0].usd)
    assert gap.held_through == pytest.approx(105_000 - 61 * 16.8)
    assert gap.left == []


def test_shares_without_a_stop_stay_through_the_whole_fall():
    found = play(book_of_trader(trader_state(), {}), shock_path("pandemic_2020"))
    assert [(e.quantity, e.why) for e in found.exits] == [(50.0, "stop")] and found.left == ["AMD"]
    assert found.curve[-1] == pytest.approx(105_000 + found.exits[0].usd + 11 * 168 * found.path.market)


def test_the_loss_of_a_day_halts_for_a_session_and_the_loss_from_the_peak_for_several():
    found = play(heavy(), path(-0.06, 0.0, -0.06, -0.06))
    told = [(h.session, h.rule) for h in found.halts]
    # 400 × 168 × 6% is 3.8% of the account: each such day halts by itself.
    assert [session for session, rule in told if rule == "drawdown_halt"] == [1, 3, 4]
    # From the peak of 106,000 the third fall is the first beyond 10%; it lasts its five sessions and is told once.
    assert [session for session, rule in told if rule == "peak_halt"] == [4]
    assert next(h.sessions for h in found.halts if h.rule == "peak_halt") == 5


def test_the_low_of_a_session_halts_even_if_its_close_recovers():
    found = play(heavy(), path(0.0, low=[-0.06]))
    assert [h.rule for h in found.halts] == ["drawdown_halt"]
    assert found.lowest < 105_000 and found.curve[-1] == pytest.approx(105_000)


def test_a_hedge_stands_high_when_the_market_stands_low():
    fund = replace(AMD, symbol="SQQQ", sector="inverse", role="hedge", stop=None, target=None, protected=0.0)
    found = play(present(positions=(fund,)), path(-0.10, low=[-0.20]))
    # Three times the fall, on the close and on the least favourable moment of the session, its high at 0.
    assert found.curve[-1] == pytest.approx(105_000 + 61 * 168 * 0.30)
    assert found.lowest == pytest.approx(105_000)


def test_a_beta_is_measured_from_the_traders_bars():
    moves = itertools.cycle([0.01, -0.02, 0.015, -0.005])
    spy, amd, closes = 100.0, 100.0, {"SPY": {}, "AMD": {}}
    for stamp in range(80):
        move = next(moves)
        spy, amd = spy * (1 + move), amd * (1 + move) ** 2
        closes["SPY"][stamp], closes["AMD"][stamp] = spy, amd
    book = present(closes)
    assert book.held[0].slope == pytest.approx(2.0, abs=0.01)
    assert play(book, path(-0.01)).curve[-1] == pytest.approx(105_000 - 61 * 168 * 0.02, abs=1)


def test_a_rule_that_needs_no_indicator_is_played():
    rising = replace(AMD, protected=61.0, target=None)
    settings = json.loads(json.dumps(trader_state().settings))
    settings["risk"]["chain"].append("trailing_stop")
    found = play(present(positions=(rising,), settings=settings), path(0.10, 0.02, -0.09, low=[0.0, 0.0, -0.09]))
    # 168 × 1.1 × 1.02 is 2.18R above the entry; the stop lies 1R, 8.5, behind it.
    assert found.exits[0].why == "stop" and found.exits[0].session == 3
    assert found.exits[0].price > 170.0 and found.exits[0].usd > 0
    assert "inverse_hedge" in found.unplayed and "trailing_stop" not in found.unplayed


def test_a_short_leaves_where_the_market_rises():
    short = replace(AMD, quantity=-61.0, protected=61.0, stop=176.0, target=150.0, entry_price=165.0)
    found = play(present(positions=(short,)), path(0.10))
    assert (found.exits[0].why, found.exits[0].quantity) == ("stop", -61.0) and found.exits[0].usd < 0


def test_what_is_told_names_the_worst():
    book = present()
    results = [play(book, shock_path(name)) for name in all_names()]
    told = sentence(results)
    assert told.startswith("The worst is black_monday_1987") and "1 of 1 position leaves" in told
    found = document(book, results)
    assert found["verdict"] == told and len(found["shocks"]) == len(all_names())
    html = shock_page(book, results)
    assert told[:30] in html and "http" not in html.replace("http://www.w3.org/2000/svg", "")
    nothing = present(positions=())
    results = [play(nothing, shock_path(name)) for name in all_names()]
    assert sentence(results).startswith("Nothing is held") and {r.worst for r in results} == {0.0}


def test_the_command_reads_the_state_folder(tmp_path, capsys):
    write_state(tmp_path / STATE_FILE, trader_state())
    page = tmp_path / "shock.html"
    wanted = ["shock", "--state-dir", str(tmp_path), "--path", "pandemic_2020", "--out", str(page), "--json"]
    assert main(wanted) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["shocks"][0]["sessions"] == 23 and found["shocks"][0]["exits"][0]["symbol"] == "AMD"
    assert "pandemic_2020" in page.read_text()
    assert main(["shock", "--state-dir", str(tmp_path)]) == 0
    assert "The worst is" in capsys.readouterr().out
    assert main(["shock", "--path", "list"]) == 0
    assert "inflation_2022: market -25." in capsys.readouterr().out


def test_the_command_refuses_what_it_cannot_read(tmp_path, capsys):
    assert main(["shock", "--state-dir", str(tmp_path)]) == 2
    assert "no trader has written here" in capsys.readouterr().err
    assert main(["shock", "--state-dir", str(tmp_path), "--run", str(tmp_path)]) == 2
    assert main(["shock", "--run", str(tmp_path)]) == 2
    write_state(tmp_path / STATE_FILE, trader_state(equity=None))
    assert main(["shock", "--state-dir", str(tmp_path)]) == 2
    assert "first iteration" in capsys.readouterr().err
    assert main(["shock", "--path", "meteor"]) == 2


def test_what_weighs_too_much_is_trimmed_at_the_next_open():
    held = replace(AMD, quantity=400.0, protected=0.0)
    found = play(present(positions=(held,), limits=()), path(-0.01, -0.01))
    (trim,) = found.exits
    assert (trim.session, trim.why) == (2, "rebalancer") and 250 < trim.quantity < 350


def test_a_fund_that_parks_cash_is_no_inverse_fund():
    settings = json.loads(json.dumps(trader_state().settings))
    settings["risk"]["chain"].insert(0, "cash_sweep")
    settings["gate"]["cash_funds"] = None
    (held,) = present(settings=settings).held
    assert (held.slope, held.why) == (1.0, "as the market, beta not known")
