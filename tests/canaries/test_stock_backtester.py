"""What the stock BacktestingBroker gets wrong, one run per defect that ``BarFillBroker`` makes up for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from lumibot.entities import TradingFee, TradingSlippage

from brokers.backtest import fills, working_orders
from brokers.backtest.broker import BarFillBroker
from config.values.markets import NEW_YORK
from tests.canaries.stock import QUIET, Bar, both, bracket, daily, intraday, pandas_source, run_stock, send, still

ENTRY = ("buy", 10, 100)
SLOW_DECLINE = [QUIET] + [(100.0 - n, 100.5 - n, 98.5 - n, 99.0 - n) for n in range(8)]


def days(*bars: Bar) -> Any:
    return pandas_source(daily(bars))


def test_the_clean_case_runs_as_expected() -> None:
    """Without this the canaries could sing about a broken runner."""
    done = run_stock(days(QUIET, (103, 104, 102, 103), (100, 101, 94, 96), QUIET), {1: bracket(10, 95, 110)})
    assert done.fills == [("buy", 10, 103), ("sell", 10, 95)]


@pytest.mark.parametrize(("observed", "message"), [("right", "the defect is gone"), ("odd", "is still not right")])
def test_a_changed_lumibot_is_noticed_and_the_workaround_named(observed: str, message: str) -> None:
    still("wrong", defect="wrong", right="right", workaround=fills.slipped)
    with pytest.raises(pytest.fail.Exception, match=rf"{message}.* work-around brokers\.backtest\.fills\.slipped"):
        still(observed, defect="wrong", right="right", workaround=fills.slipped)


def test_a_stop_touched_on_the_entry_bar_is_missed() -> None:
    done = run_stock(days((100, 101, 94, 96), QUIET, QUIET), {0: bracket(10, 95, 110)})
    still(done.fills, defect=[ENTRY], right=[ENTRY, ("sell", 10, 95)], workaround=BarFillBroker._match)


def test_the_target_wins_where_one_bar_touches_both() -> None:
    done = run_stock(days(QUIET, (100, 111, 94, 105), QUIET, QUIET), {0: bracket(10, 95, 110)})
    still(
        done.fills, defect=[ENTRY, ("sell", 10, 110)], right=[ENTRY, ("sell", 10, 95)], workaround=BarFillBroker._match
    )


def test_bars_between_two_iterations_are_not_looked_at() -> None:
    calm, spike = QUIET, (100, 101, 90, 100)
    source = pandas_source(intraday(1, [calm, calm, calm, spike, *[calm] * 12]))
    done = run_stock(source, {0: bracket(10, 95, 110)}, sleeptime="5M")
    still(done.fills, defect=[ENTRY], right=[ENTRY, ("sell", 10, 95)], workaround=BarFillBroker._catch_up)


def test_exits_outlive_the_venue_s_ninety_days() -> None:
    frame = daily([QUIET, QUIET, (100, 101, 94, 96), QUIET])
    frame.index = pd.DatetimeIndex(["2024-03-04", "2024-06-03", "2024-06-04", "2024-06-05"], tz=NEW_YORK)
    done = run_stock(pandas_source(frame), {0: bracket(10, 95, 110)})
    still(done.fills, defect=[ENTRY, ("sell", 10, 95)], right=[ENTRY], workaround=BarFillBroker._expire)


def test_ten_thousand_dollars_buy_ten_million_shares() -> None:
    done = run_stock(days(QUIET, QUIET, QUIET), {0: send(10_000_000, "buy")})
    still(done.fills, defect=[("buy", 10_000_000, 100)], right=[], workaround=BarFillBroker._fill)


def test_trading_slippage_is_ignored() -> None:
    dollar = [TradingSlippage(amount=1.0)]
    done = run_stock(
        days(*[QUIET] * 4), {0: send(10, "buy"), 1: send(10, "sell")},
        buy_trading_slippages=dollar, sell_trading_slippages=dollar,
    )  # fmt: skip
    right = [("buy", 10, 101), ("sell", 10, 99)]
    still(done.fills, defect=[ENTRY, ("sell", 10, 100)], right=right, workaround=fills.slipped)


def test_trailing_stops_pay_no_fee() -> None:
    dollar = [TradingFee(flat_fee=1.0)]
    done = run_stock(
        days(*SLOW_DECLINE), {0: both(send(10, "buy"), send(10, "sell", trail_price=5.0, time_in_force="gtc"))},
        buy_trading_fees=dollar, sell_trading_fees=dollar,
    )  # fmt: skip
    gross = sum(quantity * price * (1 if side == "sell" else -1) for side, quantity, price in done.fills)
    assert len(done.fills) == 2
    still(10_000 + gross - float(done.cash), defect=1.0, right=2.0, workaround=fills.fee)


def test_stop_limit_orders_never_fill() -> None:
    stop_limit = send(10, "sell", stop_price=95.0, stop_limit_price=94.0, time_in_force="gtc")
    bars = [QUIET, (100, 101, 94.5, 96), (94, 99, 93, 98), QUIET]
    done = run_stock(days(*bars), {0: both(send(10, "buy"), stop_limit)})
    still(done.fills, defect=[ENTRY], right=[ENTRY, ("sell", 10, 95)], workaround=fills._stop_triggered)


@pytest.mark.parametrize("trail", [{"trail_price": 5.0}, {"trail_percent": 0.05}], ids=["price", "percent"])
def test_a_percent_trailing_sell_never_triggers_in_a_slow_decline(trail: dict[str, float]) -> None:
    done = run_stock(days(*SLOW_DECLINE), {0: both(send(10, "buy"), send(10, "sell", time_in_force="gtc", **trail))})
    sold = ("sell", 10) in [fill[:2] for fill in done.fills]
    if "trail_price" in trail:
        assert sold, "the same trail in dollars does trigger"
    else:
        still(sold, defect=False, right=True, workaround=fills._trail_within)


def test_a_partial_close_by_hand_leaves_the_exits_their_quantity_and_flips_the_position() -> None:
    bars = [QUIET, QUIET, (100, 101, 94, 96), QUIET, QUIET]
    done = run_stock(days(*bars), {0: bracket(10, 95, 110), 1: send(4, "sell")})
    closed = [ENTRY, ("sell", 4, 100)]
    still(
        done.fills, defect=[*closed, ("sell", 10, 95)], right=[*closed, ("sell", 6, 95)],
        workaround=BarFillBroker._exits_follow,
    )  # fmt: skip


@pytest.mark.parametrize(
    "close", [send(10, "buy"), lambda strategy: strategy.close_position("X")], ids=["buy", "close_position"]
)
def test_closing_a_short_leaves_its_exits_and_they_open_a_long(close: Callable[[Any], Any]) -> None:
    bars = [QUIET, QUIET, (100, 115, 75, 100), QUIET, QUIET]
    done = run_stock(days(*bars), {0: bracket(10, 110, 80, "sell_short"), 1: close})
    closed = [("sell", 10, 100), ("buy", 10, 100)]
    still(done.fills, defect=[*closed, ("buy", 10, 80)], right=closed, workaround=BarFillBroker._exits_follow)


def test_an_order_sent_after_the_close_fills_at_a_price_of_that_day() -> None:
    source = pandas_source(intraday(5, [QUIET] * 4, [(50, 51, 49, 50)] * 4))
    done = run_stock(source, {}, after_close=send(10, "buy"), sleeptime="5M")
    still(done.fills, defect=[ENTRY], right=[("buy", 10, 50)], workaround=BarFillBroker.process_pending_orders)


def test_a_minute_without_a_bar_fills_at_the_price_before_it() -> None:
    frame = intraday(1, [QUIET, QUIET, QUIET, QUIET, (110, 111, 109, 110), (110, 111, 109, 110)])
    source = pandas_source(frame.drop(frame.index[2:4]))
    done = run_stock(source, {2: send(10, "buy")}, sleeptime="1M")
    still(done.fills, defect=[ENTRY], right=[("buy", 10, 110)], workaround=working_orders.reached)


def test_the_thread_of_a_run_stays_alive() -> None:
    before = set(threading.enumerate())
    done = run_stock(days(QUIET, QUIET), {}, stop_stream=False)
    left = [t for t in threading.enumerate() if t not in before and t.name.startswith("broker_")]
    done.broker.stream.stop()
    for thread in left:
        thread.join(timeout=5)
        assert not thread.is_alive(), "stream.stop() ends it"
    still(len(left), defect=1, right=0, workaround=BarFillBroker._launch_stream)
