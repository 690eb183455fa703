"""The desk on a venue without brackets and pairs: coins, always open, a stop that holds them, answers that get lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

import brokers.desk
from brokers.desk.account_figures import AccountFigures
from brokers.desk.core import assemble
from brokers.desk.data.quotes import judged
from brokers.desk.desk import LiveDesk
from brokers.desk.entry_halts import EntryHalts, KillSwitch
from brokers.desk.execution.entry_task import EntryWindow
from brokers.desk.execution.order_requests import single
from brokers.desk.lifecycle.wiring import standing_conditions
from brokers.desk.monitor import Monitor
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.journal import Journal, State
from brokers.network.admission import Admission
from brokers.order_types import OrderRole, OrderType, Side
from brokers.ports import Venue
from brokers.reporting.standing_conditions import StandingConditions
from brokers.venue_errors import VenueRefusal
from brokers.venue_values import OrderAck, VenueListing, VenueOrder
from config import load
from config.operating import operating
from risk.model import BracketTerms, Plan, Proposal
from tests.brokers.desk.stop_only_venue import StopOnlyVenue

BTC, SATURDAY = "BTC/USD", datetime(2026, 3, 7, 23, 0, tzinfo=UTC)
WANTED = 0.10123456
SETTINGS = (
    "sizing.lot=0.00000001", "pace.market=24/7", "gate.max_day_notional_frac=1", "gate.max_new_positions=10",
    "live.protection.max_exchange_s=10",
)  # fmt: skip
LONGEST_S = 20.0
"""Seconds of the venue in which coins may be without a stop: to be seen, and to be exchanged and protected again."""


class Day:
    """An account, a desk, time that passes when told to, and how long coins were without a stop at the venue."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.settings = folder, load(overrides=list(SETTINGS))
        self.venue = StopOnlyVenue(SATURDAY, {BTC: Decimal(90_000)})
        self.unprotected: list[float] = []
        self.longest_s = LONGEST_S
        self._since: datetime | None = None
        self.start()

    def start(self) -> None:
        venue: Venue = self.venue
        self.journal = Journal(str(self.folder / "journal.sqlite"), "coins", self.venue.now, 5.0)
        self.journal.begin_run("rehearse", "combined", "active", "hash")
        age = self.venue.release * 300
        core = assemble(
            venue,
            self.journal,
            self.settings,
            lambda symbols: {s: judged(s, q, venue.clock.now(), age) for s, q in venue.quotes(symbols).items()},
            Admission(),
        )
        core.state.figures = AccountFigures(lambda seconds: 0.0)
        budget = BudgetKeeper.open(self.folder, "coins", self.venue.now().date())
        halts = EntryHalts(self.journal, KillSwitch(self.folder))
        self.positions = core.positions
        self.desk = LiveDesk(core, halts, budget, (), lambda: None, EntryWindow)

    def restart(self) -> None:
        self.journal.close()
        self.start()

    def step(self, seconds: float = 1.0, price: str | None = None) -> None:
        """Time passes and the desk looks and works."""
        self.venue.pass_time(seconds, **({} if price is None else {BTC: price}))
        self.measure()
        with self.desk.iteration():
            self.desk.look()
            self.desk.reconcile()

    def idle(self, seconds: int) -> None:
        """Time passes in which nothing fills; the desk looks and works each second."""
        for _ in range(seconds):
            self.venue.time += timedelta(seconds=1)
            self.measure()
            with self.desk.iteration():
                self.desk.look()
                self.desk.reconcile()

    def settle(self, steps: int = 8, seconds: float = 1.0) -> None:
        for _ in range(steps):
            self.step(seconds)

    def measure(self) -> None:
        now = self.venue.time
        if self.venue.stopped(BTC) < self.held:
            self._since = self._since or now
            assert (now - self._since).total_seconds() <= self.longest_s, "coins were without a stop for too long"
        elif self._since is not None:
            self.unprotected.append((now - self._since).total_seconds())
            self._since = None

    def enter(self) -> None:
        self.desk.reconcile()
        price = float(self.venue.prices[BTC])
        terms = BracketTerms("buy", 0.05, 0.15)
        proposal = Proposal(
            BTC, "buy", "momentum", 80.0, price, 2_000.0, price * 0.95, price * 1.15, terms, WANTED, "test"
        )
        self.desk.execute(Plan(self.venue.now(), entries=(proposal,)))

    def bought(self) -> None:
        """Coins behind their stop."""
        self.enter()
        self.settle(4)
        assert self.held == self.venue.stopped(BTC) > 0

    @property
    def held(self) -> Decimal:
        return self.venue.held.get(BTC, Decimal(0))

    def roles(self) -> list[str]:
        return [item.order.role for item in self.journal.filled_orders()]

    def agrees(self) -> bool:
        return self.positions.book.quantity(BTC) == self.held == self.venue.stopped(BTC) and not self.desk.entries.tasks


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    day = Day(tmp_path)
    yield day
    day.journal.close()


def test_an_entry_has_no_exits_of_its_own_and_each_part_gets_a_stop(day):
    day.venue.part = Decimal("0.4")
    day.enter()
    assert [order.type for order in day.venue.orders.values()] == [OrderType.LIMIT]
    day.step()
    part = day.held
    assert 0 < part < Decimal(str(WANTED))
    day.venue.part = Decimal(1)
    day.settle(12)
    # The rest is bought once the part is behind its stop, and all of it in lots of 1e-8 within what was approved.
    assert day.held == day.venue.stopped(BTC) > part
    assert day.held % Decimal("1e-8") == 0
    spent = Decimal(100_000) - day.venue.cash
    assert spent <= Decimal(str(WANTED)) * 90_000
    assert day.agrees()
    assert max(day.unprotected) <= 4


def test_a_stop_that_fires_leaves_nothing_behind(day):
    day.bought()
    day.step(1, "85000")
    day.settle(2)
    assert day.held == 0
    assert day.roles() == ["entry", "stop"]
    assert not any(order.open for order in day.venue.orders.values())


def test_a_target_is_exchanged_for_the_stop(day):
    day.bought()
    day.step(1, "103800")
    # The stop is cancelled first, since it holds the coins; they are offered once they are free.
    assert day.venue.stopped(BTC) == 0
    day.settle(4)
    assert day.held == 0
    assert day.roles() == ["entry", "target"]
    sold = day.journal.filled_orders()[-1].order
    assert sold.average_price >= Decimal(90_000) * Decimal("1.15")
    assert 0 < max(day.unprotected) <= 5
    # The desk has measured the same, to the pace at which it looks.
    assert 0.5 < max(interval.seconds for interval in day.desk.protector.log.intervals) <= max(day.unprotected)


def test_a_bid_at_the_target_reaches_it_and_one_a_tick_below_does_not(day):
    day.bought()
    # 15% above the ask of 90,000.50, on the tick: 103,500.60.
    day.step(1, "103501.0")
    assert day.held == day.venue.stopped(BTC)
    day.step(1, "103501.1")
    assert day.venue.stopped(BTC) == 0


def test_what_is_not_sold_at_the_target_goes_back_behind_its_stop(day):
    day.bought()
    before = day.held
    day.venue.part = Decimal("0.5")
    day.step(1, "103800")
    day.step(1)
    day.step(1, "102000")
    day.settle(14)
    assert day.held == before or day.roles().count("target") == 1
    assert day.held == day.venue.stopped(BTC) > 0
    assert day.agrees()
    assert max(day.unprotected) <= 16
    # And once more, when the pause is over.
    day.venue.part = Decimal(1)
    day.step(30, "103900")
    day.settle(4)
    assert day.held == 0


def block(day: Day) -> None:
    """The venue takes no order."""
    account = day.venue.account
    day.venue.account = lambda: replace(account(), blocked="Kraken is in cancel_only mode")
    day.step()


def test_a_target_that_is_reached_leaves_the_stop_while_the_account_takes_no_order(day, caplog):
    day.bought()
    block(day)
    day.step(1, "103800")
    day.settle(20)
    assert day.held == day.venue.stopped(BTC) > 0
    assert "the account takes no order, Kraken is in cancel_only mode; its stop stays" in caplog.text
    del day.venue.account
    day.settle(40)
    assert day.held == 0


def test_an_offer_at_the_target_stays_while_the_account_takes_no_order(day):
    day.bought()
    day.venue.part = Decimal("0.5")
    day.step(1, "103800")
    day.step(1)
    block(day)
    day.longest_s = 60.0
    day.step(1, "102000")
    day.settle(20)
    (offer,) = (order for order in day.venue.orders.values() if order.open)
    assert (offer.type, offer.cancel_pending) == (OrderType.LIMIT, False)
    del day.venue.account
    day.settle(14)
    assert day.held == day.venue.stopped(BTC) > 0


def close_pair(day: Day) -> None:
    """The venue takes no order of the symbol; of others it does."""
    day.venue.trades = lambda symbol: False


@pytest.mark.parametrize("closing", [False, True])
def test_an_offer_at_the_target_stays_while_no_stop_of_its_symbol_could_follow(day, caplog, closing):
    day.bought()
    day.venue.part = Decimal("0.5")
    day.step(1, "103800")
    day.step(1)
    close_pair(day)
    day.longest_s = 120.0
    day.step(1, "102000")
    if closing:
        day.desk.closer.begin(BTC, None, OrderRole.CLOSE, "rule", day.venue.now())
    day.settle(80)
    (offer,) = (order for order in day.venue.orders.values() if order.open)
    assert (offer.type, offer.cancel_pending) == (OrderType.LIMIT, False)
    assert "the offer at its target stays, the venue does not trade it now" in caplog.text
    del day.venue.trades
    day.venue.part = Decimal(1)
    day.settle(34)
    assert day.held == (0 if closing else day.venue.stopped(BTC)) and (closing or day.held > 0)


def test_a_sale_that_waits_is_not_chased_while_its_symbol_is_not_traded(day):
    day.bought()
    day.longest_s = 120.0
    day.desk.closer.begin(BTC, None, OrderRole.CLOSE, "rule", day.venue.now())
    day.idle(3)
    (sale,) = (order for order in day.venue.orders.values() if order.open)
    close_pair(day)
    day.venue.prices[BTC] = Decimal(89_000)
    day.idle(60)
    assert [order.id for order in day.venue.orders.values() if order.open] == [sale.id]
    del day.venue.trades
    day.idle(32)
    day.settle(4)
    assert day.held == 0


def test_a_price_that_comes_and_goes_around_the_target_exchanges_ever_more_rarely(day):
    """A bid at the target that is gone once the stop is cancelled, and back as soon as the stop is."""
    day.bought()
    began = []
    for _ in range(520):
        rests = day.venue.stopped(BTC) == day.held
        day.venue.time += timedelta(seconds=1)
        day.venue.prices[BTC] = Decimal("103800" if rests else "103000")
        day.measure()
        with day.desk.iteration():
            day.desk.look()
            day.desk.reconcile()
        if rests and day.venue.stopped(BTC) == 0:
            began.append(day.venue.time)
    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise(began)]
    assert pauses == sorted(pauses) and 40 < pauses[0] < 60 and 240 <= pauses[-1] < 270, "it doubles"
    assert len(began) == 5
    day.venue.prices[BTC] = Decimal("103800")
    day.step(600, "103800")
    day.step(60, "103800")
    day.settle(4)
    assert day.held == 0


def alarms_of(day: Day) -> Callable[[], None]:
    """The conditions that are told once they last; the machine's seconds are the venue's."""
    alarms = operating({}).alarms
    parts = standing_conditions(day.desk, Monitor(day.desk, day.venue.clock), str, alarms)
    began = day.venue.time
    told = StandingConditions(parts, alarms.again_s, lambda: (day.venue.time - began).total_seconds())
    return told.check


@pytest.mark.parametrize("lasts", [False, True])
def test_an_exchange_that_goes_by_plan_is_not_told_as_coins_without_a_stop(day, caplog, monkeypatch, lasts):
    day.bought()
    day.longest_s = 600.0
    check = alarms_of(day)
    day.step(1, "103800")
    for second in range(40):
        if lasts and second == 3:
            monkeypatch.setattr(day.desk.gateway, "cancel", lambda *given, **more: True)
        day.venue.prices[BTC] = Decimal(102_000)
        day.idle(1)
        check()
    assert lasts or 10 <= max(day.unprotected) < 20
    assert ("UNPROTECTED BTC/USD" in caplog.text) == lasts
    assert lasts or day.venue.stopped(BTC) == day.held


def test_coins_that_are_not_free_in_time_go_back_behind_their_stop(day):
    day.bought()
    day.venue.release = timedelta(seconds=12)
    day.step(1, "103800")
    day.settle(16)
    assert day.roles() == ["entry"]
    assert day.held == day.venue.stopped(BTC) > 0
    assert 12 <= max(day.unprotected) <= 16


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_restart_in_the_middle_of_an_exchange_converges(day, steps):
    day.bought()
    day.step(1, "103800")
    for _ in range(steps):
        day.venue.pass_time(0.4)
        day.measure()
        with day.desk.iteration():
            day.desk.look()
            day.desk.reconcile()
        day.venue.prices[BTC] = Decimal(103_000)
    day.restart()
    day.settle(12)
    assert day.held == day.venue.stopped(BTC)
    assert day.agrees()


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("request_", ["submit", "cancel"])
@pytest.mark.parametrize("when", ["entry", "stop", "target"])
def test_a_lost_answer_never_doubles_an_order_and_the_stop_comes_back(day, request_, phase, when):
    if when == "entry":
        day.venue.lose = (request_, phase)
        day.enter()
    elif when == "stop":
        day.enter()
        day.venue.lose = (request_, phase)
    else:
        day.bought()
        day.venue.lose = (request_, phase)
        day.step(1, "103800")
    day.settle(30, 3)
    day.settle(8)
    entries = [o for o in day.journal.run_orders() if o.role == OrderRole.ENTRY]
    assert sum(order.filled_quantity for order in entries) <= Decimal(str(WANTED))
    assert len([o for o in entries if o.state is State.FILLED]) <= 1
    assert day.held >= 0
    assert day.held == day.venue.stopped(BTC)
    assert day.agrees()


def sent(day: Day, type_: str) -> int:
    return sum(order.type == type_ and order.side == "sell" for order in day.venue.orders.values())


def test_a_stop_that_fires_in_slow_parts_is_left_to_sell_the_last_of_them(day, caplog):
    """A cancel in between would leave the rest without a stop, and at the end too little for any order."""
    day.longest_s = 120
    day.bought()
    day.venue.part = Decimal("0.9")
    for _ in range(5):
        day.step(1, "85000")
        day.idle(8)
    assert 0 < day.held < day.venue.rules.least(BTC, Decimal(0))
    day.idle(40)
    day.venue.part = Decimal(1)
    day.step(1, "85000")
    day.settle(2)
    assert day.held == 0 and day.roles() == ["entry", "stop"]
    assert (sent(day, OrderType.STOP), sent(day, OrderType.LIMIT), sent(day, OrderType.MARKET)) == (1, 0, 0)
    assert "leaving at once" not in caplog.text


def test_a_stop_that_stays_at_a_part_is_told_as_such_and_left(day, caplog):
    day.bought()
    day.venue.part = Decimal("0.5")
    day.step(1, "85000")
    day.idle(28)
    assert "STOP_PASSED" not in caplog.text and day.venue.stopped(BTC) == day.held
    day.idle(6)
    assert "has filled in part, 0.0503" in caplog.text and "and goes no further in 30 s" in caplog.text
    day.venue.part = Decimal(1)
    day.settle(4)
    assert day.held == 0 and day.roles() == ["entry", "stop", "close"]


def trade_by_hand(day: Day, side: Side, name: str) -> None:
    """A hundredth of a coin is bought or sold by hand, whatever else waits."""
    ack = day.venue.submit(single(BTC, side, Decimal("0.01"), None), name, side == "buy")
    part, day.venue.part = day.venue.part, Decimal(1)
    day.venue._fill(day.venue.orders[ack.id], day.venue.prices[BTC])
    day.venue.part = part


def test_a_trade_by_hand_does_not_make_a_stuck_stop_one_that_fills(day, caplog):
    day.longest_s = 60
    day.bought()
    day.venue.part = Decimal("0.5")
    day.step(1, "85000")
    day.idle(20)
    trade_by_hand(day, "buy", "hand-1")
    day.idle(2)
    trade_by_hand(day, "sell", "hand-2")
    day.idle(6)
    assert "STOP_PASSED" not in caplog.text
    day.idle(6)
    assert "and goes no further in 30 s" in caplog.text
    day.venue.part = Decimal(1)
    day.settle(4)
    assert day.held == 0


def test_a_close_that_is_asked_for_while_a_stop_fires_in_parts_waits_for_it(day):
    day.bought()
    day.venue.part = Decimal("0.5")
    day.step(1, "85000")
    day.desk.closer.begin(BTC, None, OrderRole.CLOSE, "rule", day.venue.now())
    day.idle(20)
    assert day.venue.stopped(BTC) == day.held > 0 and sent(day, OrderType.LIMIT) == 0
    day.venue.part = Decimal(1)
    day.step(1)
    assert day.held == 0 and day.roles() == ["entry", "stop"]
    day.settle(2)
    assert not day.desk.closer.tasks


def test_a_sale_that_fills_in_parts_is_not_chased_while_the_market_takes_it(day):
    day.longest_s = 60
    day.bought()
    day.desk.closer.begin(BTC, None, OrderRole.CLOSE, "rule", day.venue.now())
    day.idle(3)
    day.venue.part = Decimal("0.3")
    for _ in range(4):
        day.step(1)
        day.idle(7)
    assert sent(day, OrderType.LIMIT) == 1 and day.held > 0
    day.step(1, "89000")
    day.idle(8)
    assert sent(day, OrderType.LIMIT) > 1, "the market has left it"


def test_an_offer_at_the_target_that_fills_in_parts_goes_on_for_a_minute(day):
    day.longest_s = 70
    day.bought()
    day.venue.part = Decimal("0.3")
    day.step(1, "103800")
    day.idle(2)
    for _ in range(6):
        day.step(1)
        day.idle(7)
    assert (sent(day, OrderType.STOP), sent(day, OrderType.LIMIT)) == (1, 1)
    day.idle(15)
    assert day.venue.stopped(BTC) == day.held > 0, "then the rest goes back behind a stop"
    assert day.roles() == ["entry", "target"] and day.agrees()


def test_an_offer_has_its_own_time_however_late_the_coins_came_free(day):
    day.longest_s = 30
    day.bought()
    day.venue.release = timedelta(seconds=8)
    day.step(1, "103800")
    day.idle(13)
    assert [order.type for order in day.venue.orders.values() if order.open] == [OrderType.LIMIT]
    day.step(1)
    day.settle(3)
    assert day.held == 0 and day.roles() == ["entry", "target"]


def test_an_offer_that_no_look_has_shown_is_not_taken_for_one_that_does_not_fill(day, monkeypatch):
    day.longest_s = 90
    day.bought()
    show(day, monkeypatch, lambda order: order.type != OrderType.LIMIT or order.side == "buy")
    day.step(1, "103800")
    day.idle(16)
    assert [order.type for order in day.venue.orders.values() if order.open] == [OrderType.LIMIT]
    day.idle(50)
    assert day.venue.stopped(BTC) == day.held > 0, "a minute after its stop was cancelled it goes back behind one"


def show(day: Day, monkeypatch: pytest.MonkeyPatch, which: Callable[[VenueOrder], bool]) -> None:
    """The venue shows some of its open orders only."""

    def shown(ask: Callable[..., VenueListing]) -> Callable[..., VenueListing]:
        return lambda *args: VenueListing(tuple(o for o in ask(*args).orders if not o.open or which(o)))

    for name in ("open_orders", "orders_since"):
        monkeypatch.setattr(day.venue, name, shown(getattr(day.venue, name)))
    monkeypatch.setattr(
        day.venue,
        "_ack",
        lambda order: OrderAck(order.id, order.client_order_id, (order,) if not order.open or which(order) else ()),
    )


def test_an_offer_whose_rest_is_below_the_minimum_is_never_cancelled(day):
    day.longest_s = 600
    day.bought()
    day.venue.part = Decimal("0.9")
    day.step(1, "103800")
    day.idle(2)
    for _ in range(4):
        day.step(1)
        day.idle(2)
    assert 0 < day.held < day.venue.rules.least(BTC, Decimal(0))
    day.venue.prices[BTC] = Decimal(95_000)
    day.idle(120)
    assert sent(day, OrderType.LIMIT) == 1 and any(o.open for o in day.venue.orders.values())
    day.venue.part = Decimal(1)
    day.step(1, "103800")
    day.settle(2)
    assert day.held == 0 and not any(o.open for o in day.venue.orders.values())


def test_what_is_left_below_a_lot_is_offered_to_nobody_and_halts_nothing(day):
    """Coins were withdrawn, or a fee was taken in them: the books have less than a lot more than can be sold."""
    day.longest_s = 600
    day.bought()
    day.venue.held[BTC] -= Decimal("6.7e-9")
    day.settle(30, 4)
    assert len([item for item in day.journal.filled_orders() if item.order.role == OrderRole.MANUAL]) == 1
    day.step(1, "103800")
    day.settle(12)
    assert day.roles().count("target") == 1 and 0 < day.held < Decimal("1e-8")
    day.desk.closer.begin(BTC, None, OrderRole.CLOSE, "rule", day.venue.now())
    day.settle(4)
    assert not day.desk.halts.halted(day.venue.now()) and not day.desk.targets.under_way


def test_a_symbol_that_the_venue_does_not_know_any_more_keeps_no_other_from_being_closed(day, monkeypatch):
    day.bought()

    def unknown(symbol: str, price: Decimal) -> Decimal:
        raise VenueRefusal(f"there is no {symbol}")

    monkeypatch.setattr(day.venue.rules, "least", unknown)
    day.desk.closer.begin(BTC, None, OrderRole.CLOSE, "rule", day.venue.now())
    assert list(day.desk.closer.tasks) == [BTC]


def test_a_whole_day(day):
    """Everything in a row, protected throughout: a part, a stop, a target, a return, a restart, an exit."""
    day.venue.part = Decimal("0.3")
    day.enter()
    day.step()
    day.venue.part = Decimal(1)
    day.settle(12)
    assert day.agrees()
    day.step(1, "85000")
    day.settle(3)
    day.bought()
    day.step(1, "98500")
    day.settle(5)
    assert day.held == 0
    day.bought()
    day.restart()
    day.settle(4)
    assert day.agrees()
    day.desk.closer.begin(BTC, None, OrderRole.CLOSE, "rule", day.venue.now())
    day.settle(8)
    assert day.held == 0
    # Each part of the first entry had a stop of its own.
    assert day.roles() == ["entry", "entry", "stop", "stop", "entry", "target", "entry", "close"]
    assert len(day.unprotected) >= 4
    assert max(day.unprotected) <= 8


def test_nothing_above_the_port_knows_a_venue_or_its_words():
    above = [
        *Path(brokers.desk.__path__[0]).rglob("*.py"),
        *(Path(brokers.desk.__path__[0]).parent / name for name in ("ports.py", "desk_rules.py", "order_types.py")),
    ]
    assert len(above) > 30
    words = re.compile(r"(?i:alpaca|kraken)|\braw\b|\bJson\b|\.native\[")
    lines = [(path.name, line) for path in above for line in path.read_text().splitlines()]
    assert [found for found in lines if words.search(found[1])] == []
