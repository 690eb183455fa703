import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from commands.screen import console
from commands.views.whatif import _print, document
from config.errors import Refusal
from config.values.markets import NEW_YORK_ZONE
from monitoring.state import StopState
from monitoring.whatif import Shock, beta, named_shocks, what_if
from tests.monitoring.journals import BEGIN, trader_state


def test_a_fall_beyond_the_stop_fires_it_at_its_level_or_beyond():
    found = what_if(trader_state(), Shock("as given", -0.10))
    (amd,) = found.positions
    after = 168.0 * 0.9
    assert (amd.exit, amd.price_after, amd.why) == ("stop", pytest.approx(after), "as the market, beta not known")
    # 50 shares at the stop or at the open beyond it, 11 without a stop at the price after.
    assert amd.at_level == pytest.approx(50 * (161.5 - 168) + 11 * (after - 168))
    assert amd.at_once == pytest.approx(61 * (after - 168))
    assert found.equity_at_level == pytest.approx(105_000 + amd.at_level)
    assert found.equity_at_once == pytest.approx(105_000 + amd.at_once)


def test_a_loss_beyond_the_limit_and_a_fifth_loser_halt():
    # 61 × 16.8 lost at once is 0.98% of the opening; the drawdown halt needs 3%, the streak its fifth loser.
    (held,) = trader_state().positions
    whole = trader_state(positions=(replace(held, protected=61.0),))
    assert what_if(whole, Shock("as given", -0.10)).halts == ("streak_halt",)
    # With 11 of the 61 still held the trade is not over.
    assert what_if(trader_state(), Shock("as given", -0.10)).halts == ()
    assert what_if(trader_state(), Shock("as given", -0.01)).halts == ()
    big = replace(trader_state().positions[0], quantity=400.0, protected=400.0)
    assert what_if(trader_state(positions=(big,)), Shock("as given", -0.10)).halts == ("drawdown_halt", "streak_halt")


def test_equity_that_is_older_than_the_positions_keeps_its_time():
    assert what_if(trader_state(), Shock("as given", -0.10)).equity_time is None
    found = what_if(trader_state(account_time=BEGIN), Shock("as given", -0.10))
    assert found.equity_time == document(found)["equity_as_of"] == BEGIN
    printer = console(json=False)
    with printer.capture() as kept:
        _print(found, printer)
    assert f"Equity and cash are as of {BEGIN.astimezone(NEW_YORK_ZONE):%H:%M:%S}, positions of later." in kept.get()


def test_a_winner_that_meets_its_target_ends_there():
    found = what_if(trader_state(), Shock("as given", 0.20))
    (amd,) = found.positions
    assert (amd.exit, found.halts) == ("target", ())
    assert amd.at_level == pytest.approx(61 * (195.5 - 168))
    assert amd.at_once == pytest.approx(61 * (168 * 1.2 - 168))


def test_shares_that_no_stop_sold_count_in_the_limits():
    chain = {"risk": {"chain": ["sector_cap", "cash_buffer"], "modules": {}}}
    (held,) = trader_state().positions

    def limits(protected):
        state = trader_state(positions=(replace(held, protected=protected),), settings=chain, cash=90_000.0)
        return {(x.module, x.name): x for x in what_if(state, Shock("as given", -0.10)).limits}

    part, whole = limits(40.0), limits(61.0)
    assert part["sector_cap", "positions"].used == 1 and ("sector_cap", "positions") not in whole
    (used,) = [x for key, x in part.items() if key[0] == "cash_buffer"]
    (none,) = [x for key, x in whole.items() if key[0] == "cash_buffer"]
    assert none.used - used.used != 0


def test_shares_by_hand_in_a_symbol_of_ours_fall_without_its_stop():
    (ours,) = trader_state().positions
    theirs = replace(ours, quantity=30.0, entry_price=169.0, protected=0.0, stop=None, target=None, owner="manual")
    found = what_if(trader_state(positions=(ours, theirs)), Shock("as given", -0.10))
    after = 168.0 * 0.9
    assert [(p.owner, p.exit, p.sold) for p in found.positions] == [("ours", "stop", 50), ("manual", "", 0)]
    assert found.positions[1].at_level == found.positions[1].at_once == pytest.approx(30 * (after - 168))
    assert found.equity_at_once == pytest.approx(105_000 + 91 * (after - 168))


def test_each_stop_sells_its_own_shares():
    (held,) = trader_state().positions
    two = replace(held, stop=161.5, protected=61.0, stops=(StopState(100.0, 11.0), StopState(161.5, 50.0)))
    (near,) = what_if(trader_state(positions=(two,)), Shock("as given", -0.10)).positions
    assert (near.exit, near.sold, near.left) == ("stop", 50.0, 11.0)
    assert near.at_level == pytest.approx(50 * (161.5 - 168) + 11 * (151.2 - 168))
    (far,) = what_if(trader_state(positions=(two,)), Shock("as given", -0.50)).positions
    assert (far.sold, far.left) == (61.0, 0.0)
    assert far.at_level == pytest.approx(50 * (161.5 - 168) + 11 * (100 - 168))
    assert far.at_once == pytest.approx(61 * (84 - 168))


def test_a_fund_that_parks_cash_is_no_inverse_fund():
    parked = replace(trader_state().positions[0], symbol="SGOV", sector="unclassified", stop=None, target=None)
    settings = {"risk": {"chain": ["cash_sweep", "inverse_hedge"], "modules": {}}}
    (moved,) = what_if(trader_state(positions=(parked,), settings=settings), Shock("as given", -0.1)).positions
    assert moved.why == "as the market, beta not known"


def test_shorts_gain_where_longs_lose():
    short = replace(
        trader_state().positions[0], quantity=-61.0, protected=61.0, stop=176.0, target=150.0, entry_price=165.0
    )
    (fell,) = what_if(trader_state(positions=(short,)), Shock("as given", -0.05)).positions
    assert fell.exit == "" and fell.at_once == pytest.approx(61 * 168 * 0.05)
    (rose,) = what_if(trader_state(positions=(short,)), Shock("as given", 0.10)).positions
    assert rose.exit == "stop"
    assert rose.at_level == pytest.approx(-61 * (176 - 168)) and rose.at_once == pytest.approx(-61 * 16.8)


def test_an_inverse_fund_moves_against_the_market_by_its_leverage():
    fund = replace(trader_state().positions[0], symbol="SQQQ", sector="inverse", role="hedge", stop=None, target=None)
    # The chain of the settings names its funds.
    (moved,) = what_if(trader_state(positions=(fund,)), Shock("as given", -0.10)).positions
    assert (moved.moved, moved.exit) == (pytest.approx(0.30), "") and "3x" in moved.why


def test_a_sector_and_a_symbol_of_their_own_go_before_beta():
    (sector,) = what_if(trader_state(), Shock("s", -0.01, {"semis": -0.2})).positions
    (single,) = what_if(trader_state(), Shock("s", -0.01, {"semis": -0.2}, {"AMD": -0.5})).positions
    assert (sector.moved, single.moved) == (-0.2, -0.5)


def test_beta_is_the_slope_of_returns_that_both_have():
    rng = np.random.default_rng(1)
    market = rng.normal(0, 0.01, 100)
    spy = dict(enumerate(np.exp(np.cumsum(market)).tolist()))
    amd = dict(enumerate(np.exp(np.cumsum(1.7 * market)).tolist()))
    found = beta(amd, spy)
    assert found == pytest.approx(1.7)
    assert beta({k: amd[k] for k in range(20)}, spy) is None
    assert beta(amd, dict.fromkeys(spy, 1.0)) is None
    (moved,) = what_if(trader_state(), Shock("as given", -0.02), {"AMD": amd, "SPY": spy}).positions
    assert moved.moved == pytest.approx(-0.034) and moved.why == "beta 1.70"


def test_every_named_shock_can_be_played():
    shocks = named_shocks()
    assert len(shocks) >= 8
    for shock in shocks.values():
        assert -1 < shock.market < 0 and shock.told
        assert math.isfinite(what_if(trader_state(), shock).equity_at_once)


def test_before_the_first_iteration_there_is_nothing_to_shock():
    with pytest.raises(Refusal, match="first iteration"):
        what_if(trader_state(book_time=None), Shock("as given", -0.1))


def test_a_halt_in_force_does_not_begin_again():
    from monitoring.state import HaltState

    (held,) = trader_state().positions
    halted = trader_state(
        halts=(HaltState("streak_halt", "", BEGIN, BEGIN + timedelta(days=5)),),
        positions=(replace(held, protected=61.0),),
    )
    assert what_if(halted, Shock("as given", -0.10)).halts == ()
