"""What both desks do alike, and that a backtest gives rules the book that a live run gives them."""

from __future__ import annotations

import dataclasses

import pytest

from brokers.backtest.desk import BacktestDesk
from brokers.backtest.lumibot_orders import LumibotOrders
from brokers.desk_rules import entry_at, halting
from config.values.closed_trades import CLOSED_TRADES_KEPT
from risk.interface import RiskModule
from tests.brokers.harness import OPEN_GATE, bracket, daily_table, run, send
from tests.risk.helpers import book, proposal

QUIET = (100.0, 101.0, 99.0, 100.0)


def test_the_levels_move_with_the_quote_and_the_notional_does_not_grow():
    entry = entry_at(proposal("X", 10, 100.0), 103.0, 104.0, 1)
    assert (entry.quantity, entry.stop, entry.possible) == (9, 97.85, True)
    assert entry.target == pytest.approx(118.45)
    assert entry.reason.startswith("10 became 9 at the quote 103.0000; ")


def test_what_earlier_orders_bought_is_taken_off():
    assert entry_at(proposal("X", 10, 100.0), 100.0, 100.0, 1, wanted=8, filled=3).quantity == 5
    assert entry_at(proposal("X", 10, 100.0), 125.0, 125.0, 1, wanted=8, filled=3).quantity == 5
    assert not entry_at(proposal("X", 10, 100.0), 400.0, 400.0, 1, wanted=8, filled=3).possible


def test_a_short_s_stop_is_rounded_towards_the_market():
    assert entry_at(proposal("X", 10, 100.003, side="sell_short"), 100.003, 100.003, 1).stop == 105.0


class Trips(RiskModule):
    name = "trips"

    def halts(self, book):
        return True


class Never(RiskModule):
    name = "never"


def test_only_what_had_not_halted_before_is_told():
    rules = [Trips(Trips.Config()), Never(Never.Config())]
    assert [m.name for m in halting(rules, book(), ())] == ["trips"]
    assert list(halting(rules, book(), {"trips"})) == []


def test_a_backtest_s_book_has_a_budget_whatever_the_chain():
    books = []
    run(
        daily_table(X=[QUIET] * 3),
        {
            0: bracket(10, 90, 140),
            1: lambda s: books.append(BacktestDesk(s.broker, s, LumibotOrders(s.name)).reconcile()),
        },
    )
    assert (books[0].budget.week_usd, books[0].budget.week_positions) == (1_000, 1)
    assert (books[0].budget.day_usd, books[0].opened_today_usd) == (0, 0), "the day before opened it"


def test_a_rule_cannot_change_the_ledger_of_a_backtest():
    done = []

    def meddle(s):
        state = BacktestDesk(s.broker, s, LumibotOrders(s.name)).reconcile()
        for change in (
            lambda: setattr(state.positions["X"], "stop", 1.0),
            lambda: state.positions.pop("X"),
            lambda: state.closed_trades.clear(),
        ):
            with pytest.raises((TypeError, AttributeError)):
                change()
        done.append(s.broker.ledger.positions["X"].stop)

    run(daily_table(X=[QUIET] * 3), {0: bracket(10, 90, 140), 1: meddle})
    assert done == [90]


def test_a_book_holds_the_latest_closed_trades_only():
    def keep(s):
        ledger = s.broker.ledger
        ledger.closed.extend([dataclasses.replace(ledger.closed[0], pnl=float(n)) for n in range(CLOSED_TRADES_KEPT)])
        state = BacktestDesk(s.broker, s, LumibotOrders(s.name)).reconcile()
        assert [t.pnl for t in state.closed_trades] == [float(n) for n in range(CLOSED_TRADES_KEPT)]

    run(daily_table(X=[QUIET] * 4), {0: send(10, "buy"), 1: send(10, "sell"), 2: keep})


TIGHT = OPEN_GATE.model_copy(update={"max_day_notional_frac": 0.6})
WIDE = OPEN_GATE.model_copy(update={"max_order_notional_frac": 1})
"""Of 10,000 USD: room for one order of 50 shares at 100 in a day."""


def test_a_cancelled_order_gives_its_part_of_the_day_back():
    def often(s):
        first = send(50, "buy", limit_price=100.0)(s)
        refused = send(50, "buy", limit_price=100.0)(s)
        s.cancel_order(first)
        again = send(50, "buy", limit_price=100.0)(s)
        s.outcome = [refused.status, again.status]

    done = run(daily_table(X=[QUIET] * 3), {0: often}, gate=TIGHT)
    assert [o.status for o in done.record.orders] == ["cancelled", "rejected", "filled"]
    assert done.record.orders[1].reason.startswith("GATE_DAY_NOTIONAL: 10000.00")


def test_a_rejected_order_gives_its_part_of_the_day_back():
    # Beyond cash: accepted at the quote, refused when it would fill at twice the price.
    bars = {"X": [QUIET, QUIET, QUIET], "Y": [QUIET, (300.0, 301.0, 299.0, 300.0), QUIET]}

    def begin(s):
        waits = send(40, "buy", symbol="Y", stop_price=101.5)(s)
        s.broker.process_pending_orders()
        assert s.broker.day_notional() == pytest.approx(40 * 101.5 * 2), "at what it may cost, the collar being 100%"
        return waits

    def look(s):
        s.days = s.broker.day_notional()

    done = run(daily_table(**bars), {0: begin, 2: look}, gate=WIDE)
    assert done.record.orders[0].reason.startswith("CASH: ")
    assert done.days == 0


def test_an_order_that_waits_overnight_counts_in_the_next_day_too():
    def look(s):
        s.days = s.broker.day_notional(), s.broker.opened_today()

    done = run(daily_table(X=[QUIET] * 3), {0: send(50, "buy", limit_price=80.0, time_in_force="gtc"), 1: look})
    assert done.days == (50 * 80, 0)


def test_a_fill_counts_in_the_session_of_its_bar():
    seen = []

    def look(s):
        s.broker.process_pending_orders()
        seen.append((s.broker.opened_today(), s.broker._opened_usd))

    run(daily_table(X=[QUIET] * 3), {0: send(10, "buy"), 1: look})
    assert seen == [(0, 1_000)], "the session that begins has opened nothing yet"


def test_exits_are_renewed_as_long_before_their_end_as_the_settings_say():
    ends = {}

    def look(days):
        def at(s):
            BacktestDesk(s.broker, s, LumibotOrders(s.name), renew_days=days).reconcile()
            ends[days] = [w.expires for w in s.broker.working("X") if w.exit]

        return at

    bars = [QUIET] * 60
    for days in (5, 30):
        run(daily_table(X=bars), {0: bracket(10, 90, 140), 50: look(days)})
    assert ends[30] > ends[5], "70 days on, 20 are left: only who looks 30 ahead renews"
