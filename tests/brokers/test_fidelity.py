"""One test per row of what stock Lumibot's backtester gets wrong, on hand-written bars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from brokers.backtest.fills import slipped
from config.schema import Fills
from tests.brokers.harness import FREE, bracket, daily_table, fills_of, minute_table, run, send

QUIET = (100.0, 101.0, 99.0, 100.0)
COSTS = Fills(
    market_slippage_bps=5, stop_slippage_bps=5, limit_slippage_bps=0, fee_per_share_usd=0.01, fee_frac=0.001,
    cash_interest_frac=0,
)  # fmt: skip


def statuses(strategy):
    return {o.role: o.status for o in strategy.record.orders}


def test_market_order_fills_at_the_open_of_the_bar_that_begins_now():
    done = run(daily_table(X=[QUIET, (103, 104, 102, 103), QUIET]), {1: send(10, "buy")})
    assert fills_of(done) == [("entry", 10, 103)]


@pytest.mark.parametrize(
    ("entry_bar", "expected"),
    [
        ((100, 101, 94, 96), ("stop", 10, 95)),
        ((100, 112, 99, 111), ("target", 10, 110)),
        ((100, 112, 94, 100), ("stop", 10, 95)),
    ],
    ids=["stop", "target", "both count as the stop"],
)
def test_exits_live_from_the_entry_bar_on(entry_bar, expected):
    done = run(daily_table(X=[entry_bar, QUIET, QUIET]), {0: bracket(10, 95, 110)})
    assert fills_of(done) == [("entry", 10, 100), expected]
    assert set(statuses(done).values()) == {"filled", "cancelled"}


def test_stop_wins_over_target_in_a_later_bar_that_touches_both():
    done = run(daily_table(X=[QUIET, (100, 111, 94, 105), QUIET]), {0: bracket(10, 95, 110)})
    assert fills_of(done)[1] == ("stop", 10, 95)


@pytest.mark.parametrize(
    ("gap", "expected"),
    [((90, 92, 88, 91), ("stop", 10, 90)), ((115, 118, 114, 116), ("target", 10, 115))],
    ids=["down", "up"],
)
def test_gaps_fill_at_the_open(gap, expected):
    done = run(daily_table(X=[QUIET, gap, QUIET]), {0: bracket(10, 95, 110)})
    assert fills_of(done)[1] == expected


def test_a_gap_beyond_the_target_is_a_target_even_if_the_bar_falls_to_the_stop_later():
    done = run(daily_table(X=[QUIET, (115, 118, 90, 91), QUIET]), {0: bracket(10, 95, 110)})
    assert fills_of(done)[1] == ("target", 10, 115)


def test_bars_between_two_iterations_are_matched_too():
    calm, spike = QUIET, (100, 101, 90, 100)
    table = minute_table(1, [[calm, calm, calm, spike, calm, calm, calm, calm, calm, calm]])
    done = run(table, {0: bracket(10, 95, 110)}, sleeptime="5M")
    assert fills_of(done)[1] == ("stop", 10, 95)
    assert done.record.trades[0].exit_time == table.opens_at[3]


def test_day_orders_expire_and_good_till_cancelled_exits_stay():
    limit = send(10, "buy", limit_price=90.0, time_in_force="day")
    far = [QUIET, QUIET, (100, 101, 89, 100), QUIET]
    done = run(daily_table(X=far), {0: limit, 1: bracket(5, 80, 120)})
    assert [o.status for o in done.record.orders] == ["expired", "filled", "working", "working"]


def test_the_exits_of_a_day_bracket_end_with_the_day():
    def day_bracket(s):
        s.submit_order(
            s.create_order(
                "X",
                10,
                "buy",
                order_class="bracket",
                secondary_stop_price=95.0,
                secondary_limit_price=110.0,
                time_in_force="day",
            )
        )

    done = run(daily_table(X=[QUIET, (100, 101, 94, 96), QUIET]), {0: day_bracket})
    assert [o.status for o in done.record.orders] == ["filled", "expired", "expired"]
    assert done.record.protected_bars < done.record.position_bars


def test_a_stop_protects_nothing_whose_bars_have_ended():
    done = run(daily_table(X=[QUIET] * 3, Y=[QUIET] * 7), {0: bracket(10, 95, 110), 1: bracket(10, 95, 110, "Y")})
    assert [(row.positions, row.protected) for row in done.record.equity] == [(1, 1), *[(2, 2)] * 2, *[(2, 1)] * 4]
    assert (done.record.protected_bars, done.record.position_bars) == (9, 13)


def test_in_a_session_without_a_bar_nothing_counts_as_protected():
    done = run(daily_table(X=[QUIET, None, None, QUIET], Y=[QUIET] * 4), {0: bracket(10, 95, 110)})
    assert (done.record.protected_bars, done.record.position_bars) == (2, 4)


def test_minutes_without_a_trade_at_the_close_are_no_end_of_bars():
    days = [[QUIET] * 6, [QUIET] * 6]
    table = minute_table(5, days)
    close = table.close.copy()
    close[4:6] = close[10:] = np.nan
    quiet = replace(table, open=close, high=close, low=close, close=close)
    assert quiet.last_rows().tolist() == [11]
    close[6:] = np.nan
    assert quiet.last_rows().tolist() == [5]
    close[:] = np.nan
    assert quiet.last_rows().tolist() == [-1]


def test_good_till_cancelled_orders_end_after_ninety_days():
    done = run(daily_table(X=[QUIET] * 80), {0: send(10, "buy", limit_price=50.0, time_in_force="gtc")})
    order = done.record.orders[0]
    assert (order.status, order.reason) == ("expired", "90 days at the venue")


def test_nothing_is_bought_beyond_cash():
    done = run(daily_table(X=[QUIET] * 3), {0: send(101, "buy")}, cash=10_000)
    assert (statuses(done), done.broker.ledger.cash) == ({"entry": "rejected"}, 10_000)
    assert done.record.orders[0].reason.startswith("GATE_ORDER_NOTIONAL: 10100.00 is above 10000.00; at most 100 X")


def test_two_orders_that_fit_alone_and_not_together():
    done = run(daily_table(X=[QUIET] * 3), {0: lambda s: (send(60, "buy")(s), send(60, "buy")(s))}, cash=10_000)
    assert [o.status for o in done.record.orders] == ["filled", "rejected"]
    assert done.record.orders[1].reason == "GATE_SYMBOL_NOTIONAL: 12000.00 held and ordered of X is above 10000.00"


def test_a_short_needs_its_notional_in_cash():
    both = {0: lambda s: (send(60, "buy")(s), send(60, "sell_short", "Y")(s))}
    done = run(daily_table(X=[QUIET] * 3, Y=[QUIET] * 3), both)
    assert [o.status for o in done.record.orders] == ["filled", "rejected"]
    assert done.record.orders[1].reason == "GATE_CASH: -2000.00 in cash would be left, below 0.00"


def test_slippage_and_fees_on_market_and_stop_fills():
    done = run(daily_table(X=[QUIET, (100, 101, 94, 96), QUIET]), {0: bracket(10, 95, 110)}, fills=COSTS)
    assert fills_of(done) == [("entry", 10, 100.05), ("stop", 10, 94.9525)]
    assert done.record.slippage_cost == pytest.approx(10 * 0.05 + 10 * 0.0475)
    fees = 10 * 0.01 * 2 + 0.001 * (1000.5 + 949.525)
    assert done.record.fees == pytest.approx(fees, abs=1e-3)
    assert done.broker.ledger.cash == pytest.approx(10_000 - 1000.5 + 949.525 - fees, abs=1e-3)
    assert done.record.trades[0].pnl == pytest.approx(-50.975 - fees, abs=1e-3)


def test_slippage_never_takes_a_limit_beyond_its_limit():
    costly = FREE.model_copy(update={"limit_slippage_bps": 50})
    done = run(daily_table(X=[QUIET, (112, 113, 111, 112), QUIET]), {0: bracket(10, 95, 110)}, fills=costly)
    assert fills_of(done)[1] == ("target", 10, pytest.approx(112 * 0.995))
    done = run(daily_table(X=[QUIET, (100, 110, 99, 109), QUIET]), {0: bracket(10, 95, 110)}, fills=costly)
    assert fills_of(done)[1] == ("target", 10, 110)


def test_stop_limit_fills():
    order = send(10, "sell", stop_price=95.0, stop_limit_price=94.0)
    done = run(daily_table(X=[QUIET, (100, 101, 94.5, 96), QUIET]), {0: lambda s: (send(10, "buy")(s), order(s))})
    assert fills_of(done)[1] == ("close", 10, 95)


def test_stop_limit_triggered_below_its_limit_rests_until_the_price_comes_back():
    order = send(10, "sell", stop_price=95.0, stop_limit_price=94.0, time_in_force="gtc")
    bars = [QUIET, (92, 93, 91, 92), (92, 95, 91, 94), QUIET]
    done = run(daily_table(X=bars), {0: lambda s: (send(10, "buy")(s), order(s))})
    assert done.record.trades[0].exit_price == 94
    assert done.record.trades[0].exit_time.day == 6


def test_percent_trailing_sell_triggers_in_a_slow_decline():
    order = send(10, "sell", trail_percent=0.05, time_in_force="gtc")
    bars = [QUIET] + [(100 - n, 100.5 - n, 98.5 - n, 99 - n) for n in range(8)]
    done = run(daily_table(X=bars), {0: lambda s: (send(10, "buy")(s), order(s))})
    assert len(done.record.trades) == 1
    assert done.record.trades[0].exit_price == pytest.approx(101 * 0.95)


def test_trailing_stop_follows_the_high_and_never_falls_back():
    order = send(10, "sell", trail_price=3.0, time_in_force="gtc")
    bars = [QUIET, (101, 110, 107.5, 109), (109, 109, 106.5, 107), QUIET]
    done = run(daily_table(X=bars), {0: lambda s: (send(10, "buy")(s), order(s))})
    assert done.record.trades[0].exit_price == 107


def test_a_short_s_trailing_stop_follows_the_low_and_never_rises_again():
    order = send(10, "buy_to_cover", trail_price=3.0, time_in_force="gtc")
    bars = [QUIET, (99, 92.5, 90, 91), (91, 93.5, 91, 93), QUIET]
    done = run(daily_table(X=bars), {0: lambda s: (send(10, "sell_short")(s), order(s))})
    assert done.record.trades[0].exit_price == 93


def test_a_partial_close_by_hand_shrinks_the_exits_and_never_flips_the_position():
    bars = [QUIET, QUIET, (100, 101, 94, 96), QUIET, QUIET]
    done = run(daily_table(X=bars), {0: bracket(10, 95, 110), 1: send(4, "sell")})
    assert fills_of(done) == [("entry", 10, 100), ("close", 4, 100), ("stop", 6, 95)]
    assert done.broker.ledger.positions == {}
    assert [t.quantity for t in done.record.trades] == [4, 6]


def test_exits_die_with_their_position():
    done = run(
        daily_table(X=[QUIET, QUIET, (100, 120, 80, 100), QUIET]), {0: bracket(10, 95, 110), 1: send(10, "sell")}
    )
    assert fills_of(done) == [("entry", 10, 100), ("close", 10, 100)]
    assert done.broker._all == {}


def test_selling_more_than_is_held_sells_what_is_held():
    done = run(daily_table(X=[QUIET] * 3), {0: send(10, "buy"), 1: send(25, "sell")})
    assert fills_of(done)[1] == ("close", 10, 100)
    assert done.broker.ledger.positions == {}


def test_selling_what_is_not_held_sells_nothing():
    done = run(daily_table(X=[QUIET] * 3), {0: send(10, "sell")})
    assert [(o.status, o.reason) for o in done.record.orders] == [("cancelled", "nothing left to close")]


def test_buying_to_cover_cancels_the_exits_of_the_short():
    def short(s):
        s.submit_order(
            s.create_order("X", 10, "sell_short", order_class="bracket", secondary_stop_price=110.0,
                           secondary_limit_price=80.0, time_in_force="gtc")
        )  # fmt: skip

    bars = [QUIET, QUIET, (100, 115, 75, 100), QUIET]
    done = run(daily_table(X=bars), {0: short, 1: send(10, "buy_to_cover")})
    assert fills_of(done) == [("entry", 10, 100), ("close", 10, 100)]
    assert done.broker.ledger.positions == {}


def test_a_short_bracket_is_mirrored():
    def short(s):
        s.submit_order(
            s.create_order("X", 10, "sell_short", order_class="bracket", secondary_stop_price=105.0,
                           secondary_limit_price=90.0, time_in_force="gtc")
        )  # fmt: skip

    done = run(daily_table(X=[QUIET, (100, 106, 89, 100), QUIET]), {0: short})
    assert fills_of(done)[1] == ("stop", 10, 105)
    assert done.record.trades[0].r_multiple == pytest.approx(-1)


@pytest.mark.parametrize(("stop", "target"), [(100.0, 110.0), (95.0, 100.0)])
def test_the_venue_refuses_exits_on_the_wrong_side_of_the_market(stop, target):
    done = run(daily_table(X=[QUIET] * 3), {0: bracket(10, stop, target)})
    assert {o.status for o in done.record.orders} == {"rejected"}
    assert done.record.orders[0].reason.startswith("VENUE_")


def test_an_order_sent_after_the_close_fills_at_the_next_open_not_at_yesterday_s_price():
    table = minute_table(5, [[QUIET] * 4, [(50, 51, 49, 50)] * 4])
    done = run(table, {}, after_close=send(10, "buy"))
    entry = done.record.orders[0]
    assert entry.time < table.opens_at[4]
    assert (entry.filled_price, entry.filled_time) == (50, table.opens_at[4])


def test_a_missing_bar_fills_nothing():
    done = run(daily_table(X=[QUIET, None, (98, 99, 97, 98)], Y=[QUIET] * 3), {1: send(10, "buy", time_in_force="gtc")})
    assert fills_of(done) == [("entry", 10, 98)]


def test_modifying_a_stop_moves_the_position_s_stop():
    def tighten(s):
        leg = next(w.order for w in s.broker.working("X") if w.record.role == "stop")
        s.modify_order(leg, stop_price=98.0)

    done = run(daily_table(X=[QUIET, QUIET, (100, 101, 97, 98), QUIET]), {0: bracket(10, 95, 110), 1: tighten})
    assert fills_of(done)[1] == ("stop", 10, 98)


def test_cancelling_one_exit_cancels_the_group_as_at_the_venue():
    def cancel(s):
        s.cancel_order(next(w.order for w in s.broker.working("X") if w.record.role == "stop"))

    done = run(daily_table(X=[QUIET] * 4), {0: bracket(10, 95, 110), 1: cancel})
    assert statuses(done) == {"entry": "filled", "stop": "cancelled", "target": "cancelled"}
    assert done.record.protected_bars < done.record.position_bars


def test_a_filled_target_ends_its_own_stop_and_no_other_one():
    bars = [QUIET, QUIET, QUIET, (105, 111, 104, 106), QUIET]
    done = run(daily_table(X=bars), {0: bracket(10, 95, 110), 1: bracket(10, 96, 130)})
    assert fills_of(done) == [("entry", 10, 100), ("entry", 10, 100), ("target", 10, 110)]
    stops = {o.stop_price: (o.status, o.reason) for o in done.record.orders if o.role == "stop"}
    assert stops == {95: ("cancelled", "other exit filled"), 96: ("working", "")}
    assert done.broker.protected_quantity("X") == 10


def test_cancelling_a_filled_entry_leaves_its_exits():
    entry: list = []
    script = {0: lambda s: entry.append(bracket(10, 95, 110)(s)), 1: lambda s: s.cancel_order(entry[0])}
    done = run(daily_table(X=[QUIET, QUIET, (100, 101, 94, 96), QUIET]), script)
    assert fills_of(done)[1] == ("stop", 10, 95)


def test_an_entry_limit_reached_inside_a_bar_is_stopped_if_that_bar_holds_the_stop():
    done = run(daily_table(X=[(100, 112, 94, 111), QUIET, QUIET]), {0: bracket(10, 95, 110, limit_price=98.0)})
    assert fills_of(done) == [("entry", 10, 98), ("stop", 10, 95)]


def test_an_oco_protects_a_position():
    def protect(s):
        s.submit_order(
            s.create_order("X", 10, "sell", order_class="oco", limit_price=110.0, stop_price=95.0)
        )  # fmt: skip

    done = run(daily_table(X=[QUIET, QUIET, (100, 111, 99, 110), QUIET]), {0: send(10, "buy"), 1: protect})
    assert fills_of(done) == [("entry", 10, 100), ("target", 10, 110)]
    assert statuses(done)["stop"] == "cancelled"


@pytest.mark.parametrize("price", [1.006609e-05, 0.0123456, 100.0])
def test_slippage_is_the_same_share_of_any_price(price):
    worse, better = slipped(price, True, 5), slipped(price, False, 5)
    assert better < price < worse
    # Four digits of the price are kept.
    assert (better, worse) == pytest.approx((price * 0.9995, price * 1.0005), rel=5e-4)
