"""Profiles of small accounts: by balance, their structure, intervals by kind of request, and what is left of 20 USD."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from brokers.kraken.connection.rates import Category
from brokers.kraken.rate_profile import RateProfile, category_of, get_kraken_rate_profile
from brokers.operator.feasibility import expectations, feasibility, order_usd
from brokers.venue_values import TradeTerms
from config import load
from config.balance_profiles import profile_of, selected
from config.errors import Refusal
from market.market import Market
from risk.entry_gates import EntryGates
from risk.model import MANUAL, Book, BracketTerms, ClosedTrade, Position, Proposal
from strategies.registry import build_risk_chain

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
MARKET = object.__new__(Market)
BOUNDS = load().broker.kraken.profiles


@pytest.mark.parametrize(
    ("balance", "name"),
    [
        (20, "MICRO_CAP"), (50, "MICRO_CAP"), (99.99, "MICRO_CAP"), (100, "LOW_CAPITAL"), (499.99, "LOW_CAPITAL"),
        (500, "STANDARD"), (999.99, "STANDARD"), (1_000, "AGGRESSIVE"), (250_000, "AGGRESSIVE"),
    ],
)  # fmt: skip
def test_the_balance_picks_the_profile(balance, name, caplog):
    with caplog.at_level(logging.INFO):
        profile = get_kraken_rate_profile(balance)
    assert profile.name == name
    assert profile.low_usd <= balance and (profile.high_usd is None or balance < profile.high_usd)
    assert f"Auto-selected {name} mode for ${balance:.2f} balance" in caplog.text


@pytest.mark.parametrize(
    ("balance", "said"),
    [
        (19.99, "$19.99 is below $20, .* at least $0.01"), (19.999, "$19.99 is below $20, .* at least $0.01"),
        (0, "$0.00 is below .* at least $20.00"), (-5, "at least $25.00"), (float("nan"), "not known"),
        (float("inf"), "not known"), (float("-inf"), "not known"),
    ],
)  # fmt: skip
def test_too_little_is_refused(balance, said):
    with pytest.raises(Refusal, match=said.replace("$", r"\$")):
        profile_of(balance, BOUNDS)


def test_a_balance_below_a_bound_is_not_shown_as_the_bound():
    assert selected("micro_cap", 99.999) == "Auto-selected MICRO_CAP mode for $99.99 balance"


def test_the_structure_of_each_profile():
    micro, low, standard, aggressive = (get_kraken_rate_profile(b) for b in (50, 200, 750, 5_000))
    assert micro == RateProfile(
        name="MICRO_CAP", low_usd=20, high_usd=100, entry_s=30, exit_s=5, monitoring_s=60, query_s=30,
        entries_a_minute=2, max_positions=1, position_usd=20, position_frac=1.0, target_frac=0.02, stop_frac=0.01,
        min_confidence=0.75, stale_order_s=120, averages_down=False,
    )  # fmt: skip
    assert (low.entry_s, low.exit_s, low.entries_a_minute) == (10, 10, 6), "a fifth to a third of 3, 3 and 20"
    assert (standard.entry_s, standard.exit_s, standard.entries_a_minute) == (2, 2, 20)
    assert (aggressive.entry_s, aggressive.exit_s, aggressive.entries_a_minute) == (1, 1, 60)
    assert not any(profile.averages_down for profile in (micro, low, standard, aggressive))


def test_kinds_of_requests_are_told_from_the_call():
    micro = get_kraken_rate_profile(50)
    calls = {
        ("AddOrder", True): Category.ENTRY, ("AddOrder", False): Category.EXIT, ("CancelOrder", False): Category.EXIT,
        ("AmendOrder", False): Category.EXIT, ("BalanceEx", False): Category.MONITORING,
        ("OpenOrders", False): Category.MONITORING, ("QueryOrders", False): Category.QUERY,
        ("ClosedOrders", False): Category.QUERY, ("TradesHistory", False): Category.QUERY,
    }  # fmt: skip
    assert {call: category_of(call[0], opens=call[1]) for call in calls} == calls
    assert [micro.interval(category) for category in Category] == [30, 5, 60, 30]


def gates(**changes):
    settings = load("micro_cap")
    section = {**settings.risk.modules["entry_gates"], "lot": settings.sizing.lot, **changes}
    section["restricted"] = tuple(section["restricted"])
    return EntryGates(EntryGates.Config(**section))


def wish(symbol="BTC/USD", score=80.0, price=90_000.0, usd=20.0):
    terms = BracketTerms("buy", 0.01, 0.02)
    return Proposal(
        symbol, "buy", "momentum", score, price, 500.0, price * 0.99, price * 1.02, terms, usd / price, "test"
    )


def held(symbol="ETH/USD", entered=NOW - timedelta(hours=5)):
    return Position(symbol, 0.01, 2_000.0, entered, 1_980.0, 2_040.0, 1_980.0)


@pytest.mark.parametrize(
    ("proposal", "book", "said"),
    [
        (wish(), {"entries_sent": (NOW - timedelta(seconds=29),)}, "INTERVAL"),
        (wish(), {"entries_sent": (NOW - timedelta(seconds=30),)}, "OK"),
        (wish(), {"entries_sent": (NOW - timedelta(seconds=31), NOW - timedelta(seconds=59))}, "INTERVAL"),
        (wish(), {"entries_sent": (NOW - timedelta(seconds=31), NOW - timedelta(seconds=60))}, "OK"),
        (wish(), {"positions": {"ETH/USD": held()}}, "OPEN_POSITION"),
        (wish("ETH/USD"), {"positions": {"ETH/USD": held()}}, "OPEN_POSITION: ETH/USD is held and not averaged down"),
        (wish(score=74.0), {}, "QUALITY"),
        (wish(score=float("nan")), {}, "QUALITY"),
        (wish(score=75.0), {}, "OK"),
        (wish(), {"cash": 4.0}, "BALANCE"),
        (wish("AUT/USD", price=1.0), {}, "SYMBOL: AUT/USD is restricted"),
        (wish(), {"pending": {"ETH/USD": wish("ETH/USD")}}, "PENDING_ORDER"),
        # Several at once: the first gate is the one that is named.
        (wish(score=10), {"positions": {"ETH/USD": held()}, "entries_sent": (NOW,), "cash": 0.0}, "INTERVAL"),
        (wish(score=10), {"positions": {"ETH/USD": held()}, "cash": 0.0}, "OPEN_POSITION"),
        (wish("AUT/USD", score=10), {"cash": 0.0}, "QUALITY"),
        (wish("AUT/USD", price=1.0), {"cash": 0.0}, "BALANCE"),
        (wish("AUT/USD", price=1.0), {"pending": {"ETH/USD": wish("ETH/USD", usd=1)}}, "SYMBOL"),
    ],
)
def test_six_gates_in_order_and_each_by_its_name(proposal, book, said):
    there = Book(NOW, 50.0, book.pop("cash", 50.0), **book)
    verdict = gates().review(proposal, there, MARKET)
    assert verdict.code.startswith(said)
    assert verdict.refused == (said != "OK")


@pytest.mark.parametrize(("interval_s", "refused"), [(30, True), (1, True), (0, False)])
def test_a_scan_enters_one_where_entries_are_to_be_apart(interval_s, refused):
    there = Book(NOW, 500.0, 500.0).accepting(wish("ETH/USD"))
    verdict = gates(interval_s=interval_s, max_positions=5).review(wish(), there, MARKET)
    assert verdict.refused == refused
    assert not refused or verdict.code == f"INTERVAL: another entry of this scan goes first, {interval_s} s apart"


def test_what_was_bought_by_hand_is_no_entry():
    by_hand = replace(held(entered=NOW), signal=MANUAL)
    verdict = gates(max_positions=5).review(wish(), Book(NOW, 50.0, 50.0, positions={"ETH/USD": by_hand}), MARKET)
    assert not verdict.refused
    ahead = Book(NOW, 50.0, 50.0, entries_sent=(NOW + timedelta(seconds=0.2),))
    assert gates().review(wish(), ahead, MARKET).code == "INTERVAL: 0 s after the last entry, 30 s apart"


def test_all_of_twenty_dollars_is_sized_with_room_for_both_fees():
    verdict = gates().review(wish(usd=20.0), Book(NOW, 20.0, 20.0), MARKET)
    assert verdict.code.startswith("BALANCE") and not verdict.refused
    spent = verdict.after * 90_000
    assert spent * 1.016 <= 20 < spent * 1.0165


def test_a_trade_that_is_over_still_counts_for_the_interval():
    trade = ClosedTrade("BTC/USD", NOW - timedelta(seconds=20), NOW - timedelta(seconds=5), -0.3, -1.0)
    verdict = gates().review(wish(), Book(NOW, 50.0, 50.0, closed_trades=(trade,)), MARKET)
    assert verdict.code.startswith("INTERVAL")


@pytest.mark.parametrize(
    ("maker", "taker", "way", "rate"),
    [
        ("0.0025", "0.0040", "without_fees", 1 / 3),
        ("0.0025", "0.0040", "maker_entry_and_target", 0.5238),
        ("0.0025", "0.0040", "all_taker", 0.60),
        ("0.0040", "0.0080", "maker_entry_and_target", 0.6471),
        ("0.0040", "0.0080", "all_taker", 0.8667),
    ],
)
def test_break_even_win_rates(maker, taker, way, rate):
    ways = {e.name: e for e in expectations(0.01, 0.02, Decimal(maker), Decimal(taker))}
    assert ways[way].break_even == pytest.approx(rate, abs=1e-4)


def test_a_day_of_eight_trades_with_and_without_fees():
    free, resting, _, taking = expectations(0.01, 0.02, Decimal("0.0025"), Decimal("0.004"))
    a_day = [way.a_month(win_rate=rate) / 30 for way in (free, resting, taking) for rate in (0.5, 0.4)]
    assert a_day == pytest.approx([0.80, 0.32, -0.12, -0.624, -0.48, -0.96])
    assert free.a_month() == pytest.approx(24)


def test_a_balance_below_the_venue_s_minimum_is_told_pair_by_pair():
    settings = load("micro_cap")
    terms = [
        TradeTerms("BTC/USD", Decimal(90_000), Decimal("0.00005"), Decimal("0.0025"), Decimal("0.004")),
        TradeTerms("ETH/USD", Decimal(3_000), Decimal("0.01"), Decimal("0.0025"), Decimal("0.004")),
        TradeTerms("SOL/USD", Decimal(150), Decimal("0.02"), closed="Kraken has it in cancel_only mode"),
    ]  # fmt: skip
    report = feasibility("kraken", settings, 50.0, terms, (Decimal("0.0025"), Decimal("0.004")), "micro_cap")
    assert [(pair.terms.symbol, pair.feasible) for pair in report.pairs] == [
        ("BTC/USD", True), ("ETH/USD", False), ("SOL/USD", False),
    ]  # fmt: skip
    assert "below the venue's least" in report.pairs[1].reason
    assert report.possible
    assert not feasibility("kraken", settings, 50.0, terms[1:], (Decimal(0), Decimal(0)), "micro_cap").possible
    assert any("+24.00 USD without fees" in line for line in report.lines())
    # A target is taken in the end, so that 52.4% of an order that rests is not what a trader has to reach.
    assert report.document()["break_even_win_rate"] == pytest.approx(0.55, abs=1e-4)


def test_the_order_that_feasibility_tells_is_the_one_that_the_gates_let_through():
    terms = TradeTerms("BTC/USD", Decimal(100), Decimal("0.00005"), Decimal("0.0025"), Decimal("0.004"))
    gates = next(module for module in build_risk_chain(load("micro_cap")) if isinstance(module, EntryGates))
    for equity in (20.0, 20.2, 50.0):
        book = Book(NOW, equity, equity)
        passed = gates.review(wish(price=100.0), book, MARKET).after * 100.0
        assert order_usd(load("micro_cap"), equity, terms.taker) == pytest.approx(passed, abs=1e-5)
    dearer = replace(terms, taker=Decimal("0.02"))
    assert order_usd(load("micro_cap"), 20.0, dearer.taker) == pytest.approx(20 / 1.04)


def test_the_sample_month_is_of_the_account_s_own_orders_also_where_no_minimum_is_known():
    fees = (Decimal("0.0025"), Decimal("0.004"))
    settings = load("aggressive")
    report = feasibility("kraken", settings, 4000.0, [], fees, "aggressive")
    usd = order_usd(settings, 4000.0, fees[1])
    assert usd == pytest.approx(800) and any(f"8 trades of ${usd:g} a day" in line for line in report.lines())
    below = feasibility("kraken", load("micro_cap"), 10.0, [], fees, "micro_cap")
    assert any("8 trades of $20 a day" in line for line in below.lines())


@pytest.mark.parametrize(("balance", "possible"), [(19.99, False), (20.0, True)])
def test_what_the_gate_would_refuse_is_told_before(balance, possible):
    """Of a profile that was named, too: below it, entry_gates refuses each entry by BALANCE."""
    terms = [TradeTerms("BTC/USD", Decimal(90_000), Decimal("0.00005"), Decimal("0.0025"), Decimal("0.004"))]
    report = feasibility(
        "kraken", load("micro_cap"), balance, terms, (Decimal("0.0025"), Decimal("0.004")), "micro_cap"
    )
    assert report.possible == possible
    assert ("enters nothing below $20.00" in report.pairs[0].reason) != possible


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def closed(symbol: str, opened: float) -> ClosedTrade:
    return ClosedTrade(symbol, ago(opened), ago(1), 0.3, 1.0)


ETH, BTC = "ETH/USD", "BTC/USD"


@pytest.mark.parametrize(
    ("book", "count"),
    [
        # Sent and filled; sent and given up; sent twice for one position; both of a symbol that was left meanwhile.
        ({"entries_sent": (ago(40),), "sent_orders": (f"{ETH} a",), "positions": {ETH: held(entered=ago(38))}}, 1),
        ({"entries_sent": (ago(50), ago(35)), "sent_orders": (f"{ETH} a", f"{ETH} a")}, 1),
        ({"entries_sent": (ago(50), ago(35)), "sent_orders": (f"{ETH} a", f"{ETH} b")}, 2),
        ({"entries_sent": (ago(50),), "sent_orders": (f"{ETH} a",), "closed_trades": (closed(ETH, 49),)}, 1),
        # By a clock that was put back it was bought before it was sent, and what comes may be told of already.
        ({"entries_sent": (ago(-90),), "sent_orders": (f"{ETH} a",), "positions": {ETH: held(entered=ago(-200))}}, 1),
        ({"entries_sent": (ago(31),), "sent_orders": (f"{ETH} a",), "positions": {ETH: held(entered=ago(59))}}, 1),
        # Of two symbols each; of one symbol a trade that is over, and what was bought after it.
        ({"entries_sent": (ago(50),), "sent_orders": (f"{ETH} a",), "closed_trades": (closed(BTC, 49),)}, 2),
        ({"positions": {ETH: held(entered=ago(31))}, "closed_trades": (closed(ETH, 55),)}, 2),
        ({"entries_sent": (ago(70),), "sent_orders": (f"{ETH} a",), "positions": {ETH: held(entered=ago(50))}}, 1),
        ({"entries_sent": (ago(60), ago(61)), "sent_orders": (f"{ETH} a", f"{BTC} a")}, 0),
    ],
)  # fmt: skip
def test_an_entry_counts_once_among_those_of_a_minute(book, count):
    there = Book(NOW, 50.0, 50.0, **book)
    verdict = gates(interval_s=0, max_positions=9, entries_a_minute=9).review(wish("SOL/USD"), there, MARKET)
    assert verdict.inputs["entries_in_a_minute"] == count
    allowed = gates(interval_s=0, max_positions=9, entries_a_minute=count + 1).review(wish("SOL/USD"), there, MARKET)
    assert not allowed.refused
    if count:
        again = gates(interval_s=0, max_positions=9, entries_a_minute=count).review(wish("SOL/USD"), there, MARKET)
        assert again.code == f"INTERVAL: {count} of {count} entries a minute"
