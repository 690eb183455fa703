"""From plan to orders: what was approved is never exceeded, what is held stays protected, and a scan sends nothing."""

from __future__ import annotations

import math
from datetime import datetime
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtests import embedded
from backtests.engine import run_table
from brokers.backtest.desk import BacktestDesk
from brokers.backtest.fills import fee, slipped
from brokers.backtest.lumibot_orders import LumibotOrders
from brokers.record import RunRecord
from config import load
from config.schema import Fills
from config.values.markets import NEW_YORK
from market.bar_tables import to_table
from risk.model import Adjustment, BracketTerms, Plan
from strategies.combined import CombinedStrategy
from tests.brokers.harness import bracket, daily_table, fills_of, run, send
from tests.risk.helpers import proposal

QUIET = (100.0, 101.0, 99.0, 100.0)
COSTS = Fills(
    market_slippage_bps=5, stop_slippage_bps=5, limit_slippage_bps=0, fee_per_share_usd=0.01, fee_frac=0.001,
    cash_interest_frac=0,
)  # fmt: skip


def desk(s) -> BacktestDesk:
    """One desk per run, as it remembers the session."""
    if not hasattr(s, "desk"):
        s.desk = BacktestDesk(s.broker, s, LumibotOrders(s.name))
    return s.desk


def enter(wish, **options):
    return lambda s: desk(s).execute(Plan(s.get_datetime(), entries=(wish,), **options))


def adjust(kind, quantity=0.0, stop=None):
    change = Adjustment("m", kind, "X", f"M: {kind}", quantity=quantity, stop=stop)
    return lambda s: desk(s).execute(Plan(s.get_datetime(), adjustments=(change,)))


def wish(quantity=10.0, price=100.0, **more):
    return proposal("X", quantity, price, **more)


def by_role(strategy):
    return {o.role: o for o in strategy.record.orders}


class Counter:
    """Stands where the broker does and keeps what the desk sends."""

    def __init__(self, quote: float, fills: Fills) -> None:
        self._quote = quote
        self.fill_model = fills
        self.record = RunRecord()
        self.datetime = datetime.fromisoformat("2024-03-04T09:30:00-05:00")
        self.intents: dict = {}
        self.sent: list = []

    def quote(self, symbol):
        return self._quote

    def quoted(self, symbol):
        return True

    def order_id(self, symbol, role):
        return f"{symbol}-{role}"

    def submit_order(self, order):
        self.sent.append(order)


FILLS = st.builds(
    Fills,
    market_slippage_bps=st.floats(0, 100),
    stop_slippage_bps=st.just(0.0),
    limit_slippage_bps=st.just(0.0),
    fee_per_share_usd=st.floats(0, 0.05),
    fee_frac=st.floats(0, 0.01),
)
TERMS = st.one_of(
    st.builds(BracketTerms, st.just("buy"), stop_frac=st.just(0.05), target_frac=st.just(0.15)),
    st.builds(BracketTerms, st.just("buy"), stop_distance=st.floats(0.01, 50), target_distance=st.floats(0.01, 50)),
)


@given(st.integers(1, 5_000), st.floats(0.5, 2_000), st.floats(0.8, 1.25), FILLS, TERMS, st.sampled_from([1, 10, 0.01]))
def test_what_was_approved_is_never_exceeded(quantity, price, gap, fills, terms, lot):
    broker = Counter(price * gap, fills)
    approved = proposal("X", quantity * lot, price, terms=terms)
    BacktestDesk(broker, SimpleNamespace(), LumibotOrders("s"), lot).execute(Plan(broker.datetime, entries=(approved,)))
    if not broker.sent:
        assert [o.status for o in broker.record.orders] == ["rejected"]
        return
    (order,) = broker.sent
    sent, filled = float(order.quantity), slipped(price * gap, True, fills.market_slippage_bps)
    assert 0 < sent <= approved.quantity
    assert math.isclose(sent / lot, round(sent / lot), abs_tol=1e-6)
    # A fee is rounded to a hundredth of a cent.
    assert sent * filled + fee(fills, sent, filled) <= approved.notional + 1e-4
    stop, target = terms.at(price * gap)
    legs = {str(leg.order_type): leg for leg in order.child_orders}
    # On the tick, and no farther from the market than what was sized.
    assert -1e-6 <= legs["stop"].stop_price - stop <= 0.01 + 1e-6
    assert legs["limit"].limit_price == pytest.approx(target, abs=0.0051)


@pytest.mark.parametrize("quote", [96.0, 100.0, 104.0])
def test_an_entry_costs_no_more_than_was_approved(quote):
    bars = [QUIET, (quote, quote + 1, quote - 1, quote), QUIET]
    done = run(daily_table(X=bars), {1: enter(wish(50))}, fills=COSTS)
    spent = 10_000 - done.broker.ledger.cash
    assert spent <= 50 * 100
    # Nor is more left unspent than a share costs.
    assert spent > min(50 * 100, 50 * quote) - quote


@pytest.mark.parametrize(
    ("terms", "stop", "target"),
    [
        (BracketTerms("buy", stop_frac=0.05, target_frac=0.15), 98.80, 119.60),
        (BracketTerms("buy", stop_distance=6.0, target_distance=8.125), 98.0, 112.12),
    ],
)
def test_the_levels_move_with_the_quote(terms, stop, target):
    done = run(daily_table(X=[QUIET, (104, 105, 103, 104), QUIET]), {1: enter(wish(terms=terms))})
    orders = by_role(done)
    assert (orders["stop"].stop_price, orders["target"].limit_price) == (stop, target)
    position = done.broker.ledger.positions["X"]
    assert (position.stop, position.initial_stop, position.target) == (stop, stop, target)
    assert orders["entry"].reason.startswith("10 became 9 at the quote 104.0000; ")


def test_the_levels_of_a_short_are_mirrored():
    terms = BracketTerms("sell_short", stop_frac=0.05, target_frac=0.15)
    done = run(daily_table(X=[QUIET, QUIET]), {0: enter(wish(side="sell_short", terms=terms))})
    orders = by_role(done)
    assert (orders["entry"].side, orders["stop"].stop_price, orders["target"].limit_price) == ("sell", 105.0, 85.0)
    assert done.broker.ledger.positions["X"].quantity == -10


def test_a_symbol_without_a_price_now_is_left_and_leaves_a_trace():
    done = run(daily_table(X=[QUIET, None, QUIET], Y=[QUIET] * 3), {1: enter(wish())})
    (order,) = done.record.orders
    assert (order.status, order.role, order.quantity) == ("rejected", "entry", 10)
    assert order.reason == "DESK_QUOTE: X has no price now, its last one is 100.0000"


def test_an_entry_of_which_nothing_is_left_leaves_a_trace():
    bars = [QUIET, (109, 110, 108, 109), QUIET]
    (order,) = run(daily_table(X=bars), {1: enter(wish(1))}).record.orders
    assert order.status == "rejected"
    assert order.reason.startswith("DESK_SIZE: nothing is left of it at the quote 109.0000; ")
    assert order.reason.count("quote") == 1


def test_a_stop_only_ever_tightens():
    moved = []

    def tighten(stop):
        def act(s):
            adjust("tighten", stop=stop)(s)
            moved.append(s.broker.ledger.positions["X"].stop)

        return act

    script = {0: enter(wish())} | {n + 1: tighten(stop) for n, stop in enumerate([96.004, 95.5, 90.0, 96.0, 97.5])}
    bars = [QUIET] * 6 + [(100, 101, 97, 98), QUIET]
    done = run(daily_table(X=bars), script)
    assert moved == [96.01, 96.01, 96.01, 96.01, 97.5]
    assert fills_of(done)[1] == ("stop", 10, 97.5)
    assert done.record.trades[0].stop == 95.0, "R is defined by the initial stop"


def test_a_short_s_stop_tightens_downwards():
    terms = BracketTerms("sell_short", stop_frac=0.05, target_frac=0.15)
    script = {
        0: enter(wish(side="sell_short", terms=terms)),
        1: adjust("tighten", stop=107.0),
        2: adjust("tighten", stop=103.0),
    }
    done = run(daily_table(X=[QUIET] * 4), script)
    assert done.broker.ledger.positions["X"].stop == 103.0


def test_a_trim_resizes_the_protection():
    bars = [QUIET, QUIET, (100, 101, 94, 96), QUIET]
    done = run(daily_table(X=bars), {0: enter(wish()), 1: adjust("trim", 4.7)})
    assert fills_of(done) == [("entry", 10, 100), ("trim", 4, 100), ("stop", 6, 95)]
    assert done.record.protected_bars == done.record.position_bars
    assert by_role(done)["trim"].reason == "M: trim"


def test_an_exit_sells_all_and_ends_the_protection():
    done = run(daily_table(X=[QUIET] * 3), {0: enter(wish()), 1: adjust("exit")})
    assert fills_of(done) == [("entry", 10, 100), ("close", 10, 100)]
    assert {o.status for o in done.record.orders if o.role in ("stop", "target")} == {"cancelled"}
    assert done.broker.working("X") == []


@pytest.mark.parametrize("kind", ["trim", "exit", "partial", "tighten"])
def test_nothing_is_adjusted_that_is_not_held(kind):
    assert run(daily_table(X=[QUIET] * 3), {1: adjust(kind, 5, 99.0)}).record.orders == []


@pytest.mark.parametrize("renewed", [True, False])
def test_exits_are_renewed_before_the_venue_drops_them(renewed):
    days = 220

    def look(s):
        book = desk(s).reconcile() if renewed else None
        if book is not None and "X" in book.positions:
            assert book.positions["X"].protected_quantity == 10

    script = dict.fromkeys(range(1, days), look) | {0: enter(wish())}
    done = run(daily_table(X=[QUIET] * days), script)
    assert done.record.position_bars == days
    assert (done.record.protected_bars == days) is renewed
    assert len(done.record.orders) == 3


def test_a_scan_submits_nothing():
    sent = []

    def scan(s):
        scanner = BacktestDesk(s.broker, s, LumibotOrders(s.name), submit=False)
        decision = SimpleNamespace(proposal=wish())
        change = Adjustment("m", "exit", "X", "M: exit")
        scanner.execute(Plan(s.get_datetime(), (change,), (wish(),), (decision,)))
        sent.append(len(s.record.orders))

    done = run(daily_table(X=[QUIET] * 4), {0: enter(wish()), 2: scan})
    assert sent == [3], "only the entry and its exits of before"
    assert len(done.record.decisions) == 1
    assert done.broker.ledger.positions["X"].quantity == 10


def test_money_that_lumibot_credits_is_taken_over():
    books = []

    def credit(s):
        s._set_cash_position(float(s.cash) + 12.34)
        books.append(desk(s).reconcile())

    done = run(daily_table(X=[QUIET] * 4), {0: enter(wish()), 2: credit})
    assert (books[0].cash, books[0].equity) == (9_012.34, 10_012.34)
    assert done.broker.ledger.cash == 9_012.34


def test_entries_on_their_way_are_pending():
    books = []
    waits = [QUIET, None, None]
    script = {0: enter(wish()), 2: lambda s: books.append(desk(s).reconcile())}

    def send_without_price(s):
        desk(s).broker.quoted = lambda symbol: True
        enter(wish())(s)

    run(daily_table(X=waits, Y=[QUIET] * 3), script | {0: lambda s: None, 1: send_without_price})
    assert (list(books[0].pending), books[0].promised_cash) == (["X"], 1_000)


def test_value_before_the_first_close_is_what_was_paid():
    seen = []
    table = daily_table(X=[(100, 110, 99, 110), (110, 300, 110, 300)])
    script = {0: lambda s: (enter(wish())(s), s.broker.process_pending_orders(), seen.append(s.broker.equity()))}
    run(table, script)
    assert seen == [10_000], "neither the close of a bar that has just begun nor the last one of the data"


def test_client_order_ids_tell_symbol_time_and_role():
    done = run(daily_table(X=[QUIET] * 3), {0: enter(wish()), 1: adjust("trim", 2)})
    assert [o.client_order_id for o in done.record.orders] == [
        "X-20240304T0930-entry-1", "X-20240304T0930-entry-1-target0", "X-20240304T0930-entry-1-stop1",
        "X-20240305T0930-trim-2",
    ]  # fmt: skip
    assert [o.parent_id for o in done.record.orders] == ["", "X-20240304T0930-entry-1", "X-20240304T0930-entry-1", ""]


def test_the_opposite_side_is_not_opened_through_a_position():
    shorts = send(25, "sell_short")
    done = run(daily_table(X=[QUIET] * 4), {0: send(10, "buy"), 1: shorts})
    assert [o.status for o in done.record.orders] == ["filled", "rejected"]
    assert done.record.orders[1].reason.startswith("VENUE_SIDE: 10 X must be closed before")
    assert done.broker.ledger.positions["X"].quantity == 10


def test_a_waiting_entry_cannot_be_moved_past_the_gate():
    waiting: list = []

    def wait(s):
        waiting.append(bracket(60, 80, 140, limit_price=90.0)(s))

    def move(price):
        return lambda s: s.modify_order(waiting[0], limit_price=price)

    bars = [QUIET] * 5
    done = run(daily_table(X=bars), {0: wait, 1: move(90.005), 2: move(180.0), 3: move(95.0)})
    order = done.record.orders[0]
    assert (order.limit_price, order.status) == (95.0, "working")
    assert order.reason.startswith("GATE_ORDER_NOTIONAL: 10800.00"), "the last refusal is on record"
    assert done.broker.day_notional() <= 60 * 95


@pytest.fixture(scope="module")
def year():
    sets = ["risk.modules.rebalancer.max_weight_frac=0.095", "selection.min_confidence=0.5", "risk.chain-=streak_halt"]
    settings = load("active", overlays=[embedded.OVERLAY], overrides=sets)
    table = to_table(embedded.daily(), [*embedded.STOCKS, embedded.COMPOSITE, embedded.INVERSE], "embedded")
    window = [pd.Timestamp(day, tz=NEW_YORK) for day in ("2021-06-01", "2022-12-31")]
    return settings, [run_table(CombinedStrategy, settings, table, *window) for _ in range(2)]


def test_the_same_run_twice_leaves_identical_records(year):
    one, two = (result.record for result in year[1])
    assert len(one.orders) > 100 and {"entry", "hedge", "stop", "trim"} <= {o.role for o in one.orders}
    for name in ("orders", "trades", "decisions", "equity"):
        assert repr(getattr(one, name)) == repr(getattr(two, name)), name


def test_orders_answer_for_decisions(year):
    record = year[1][0].record
    sent = {(d.time, d.proposal.symbol): d for d in record.decisions if d.final_quantity > 0}
    opened = {(o.time, o.symbol): o for o in record.orders if o.role in ("entry", "hedge")}
    assert sent.keys() == opened.keys()
    above = 0
    for key, order in opened.items():
        proposal = sent[key].proposal
        cost = 0.0 if order.filled_price is None else order.filled_quantity * order.filled_price
        assert order.quantity <= sent[key].final_quantity
        assert cost <= proposal.approved_usd + 1e-6
        above += cost > proposal.notional
    assert above > 5, "what the caps leave beyond whole shares at the close was used"
    assert record.protected_bars == record.position_bars > 200


def test_a_scan_of_a_whole_run_decides_and_sends_nothing(year):
    settings, (full, _) = year
    first = min(d.time for d in full.record.decisions)
    scan = run_table(CombinedStrategy, settings, full.table, first, first, submit=False)
    assert scan.record.orders == [] and scan.strategy.get_orders() == []
    assert repr(scan.record.decisions) == repr([d for d in full.record.decisions if d.time == first])


RESTING = COSTS.model_copy(update={"entry_rests": True, "maker_fee_frac": 0.0005, "fee_per_share_usd": 0})


def test_an_entry_that_rests_is_filled_where_the_bar_comes_to_it_and_pays_the_maker_s_fee():
    bars = daily_table(X=[QUIET, (100, 101, 99.5, 100), QUIET])
    done = run(bars, {1: enter(wish(10, terms=BracketTerms("buy", stop_frac=0.05, target_frac=0.1)))}, fills=RESTING)
    assert fills_of(done) == [("entry", 9, 99.99)]
    assert by_role(done)["entry"].limit_price == 99.99 and by_role(done)["entry"].slippage_usd == 0
    assert done.record.fees == pytest.approx(9 * 99.99 * 0.0005, abs=1e-4)
    assert by_role(done)["stop"].stop_price == pytest.approx(99.99 * 0.95, abs=0.01)


def test_an_entry_that_rests_is_given_up_after_its_bar():
    bars = daily_table(X=[QUIET, (100, 103, 100, 102), (102, 103, 98, 99), QUIET])
    done = run(bars, {1: enter(wish(10)), 2: lambda s: desk(s).reconcile()}, fills=RESTING)
    assert fills_of(done) == []
    entry = by_role(done)["entry"]
    assert (entry.status, entry.reason) == ("expired", "its limit was not reached within a bar")
