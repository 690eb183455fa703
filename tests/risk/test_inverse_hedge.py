from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from risk.inverse_hedge import InverseHedge
from tests.risk.helpers import book, market, module, position, proposal

GAUGES = ("AAPL", "MSFT", "GOOGL", "NVDA", "TSLA")
FUNDS = {"SH": 13.0, "SPXS": 8.0, "SQQQ": 10.0}


def reading(hot: int, *, qqq=60.0, spy=60.0, unusable=(), funds=FUNDS, column="rsi_14", level=75.0, sectors=None):
    """A market in which ``hot`` of the five gauges are overbought."""
    rsi = {s: level if k < hot else 50.0 for k, s in enumerate(GAUGES)} | {"QQQ": qqq, "SPY": spy}
    marks = dict.fromkeys(rsi, 100.0) | funds
    return market(marks, {column: rsi, "atr_14": dict.fromkeys(marks, 0.2)}, unusable=unusable, sectors=sectors)


def proposed(on, state=None, **settings):
    return [(p.symbol, p.quantity) for p in module(InverseHedge, **settings).propose(state or book(), on)]


def adjusted(on, state, **settings):
    return [(a.kind, a.symbol, a.quantity) for a in module(InverseHedge, **settings).manage(state, on)]


SH = ("SH", 769)  # 10% of 100,000 at 13


@pytest.mark.parametrize(("hot", "expected"), [(0, []), (2, []), (3, [SH])])
def test_sixty_percent_of_the_gauges_open_a_hedge(hot, expected):
    assert proposed(reading(hot)) == expected


@pytest.mark.parametrize(
    ("hot", "qqq", "spy", "expected"),
    [
        (4, 72.0, 65.0, ("SQQQ", 333)),  # Nasdaq-led; a third of the size at three times the leverage
        (5, 65.0, 72.0, ("SPXS", 416)),
        (4, 65.0, 65.0, ("SPXS", 416)),
        (3, 72.0, 65.0, SH),
    ],
)
def test_the_fund_follows_the_kind_of_selloff(hot, qqq, spy, expected):
    assert proposed(reading(hot, qqq=qqq, spy=spy)) == [expected]


def test_falls_back_to_the_plain_fund_and_says_so():
    on = reading(5, qqq=72.0, unusable={"SQQQ"})
    assert proposed(on) == [SH]
    (hedge,) = module(InverseHedge).propose(book(), on)
    assert "SH 1x, as SQQQ has no usable bar" in hedge.reason
    assert proposed(reading(5, unusable=FUNDS)) == []
    assert proposed(reading(3, unusable={"SH"})) == []


@pytest.mark.parametrize(
    ("readings", "unusable", "told"),
    [
        ({"qqq": math.nan}, (), "SH 1x, as no RSI of QQQ is known"),
        ({"spy": math.nan}, (), "SH 1x, as no RSI of SPY is known"),
        ({"qqq": math.nan, "spy": math.nan}, (), "SH 1x, as no RSI of QQQ and SPY is known"),
        ({"qqq": 72.0}, ("SPY",), "SH 1x, as no RSI of SPY is known"),
    ],
)
def test_nothing_leveraged_is_bought_where_a_reading_of_the_two_markets_is_missing(readings, unusable, told):
    on = reading(5, unusable=unusable, **readings)
    assert proposed(on) == [SH]
    assert module(InverseHedge).propose(book(), on)[0].reason.endswith(told)


def test_the_proposal_is_complete():
    (hedge,) = module(InverseHedge).propose(book(), reading(3))
    assert (hedge.role, hedge.side, hedge.signal, hedge.rank, hedge.batch) == ("hedge", "buy", "inverse_hedge", 1, 1)
    assert (hedge.stop, hedge.target) == pytest.approx((12.35, 14.95))
    assert hedge.terms.at(13.0) == (hedge.stop, hedge.target)
    assert (hedge.score, hedge.atr) == (60.0, 0.2)
    assert hedge.reason.startswith("60% of gauges have RSI > 70 (AAPL 75.0, ")


def test_only_usable_gauges_count():
    assert proposed(reading(2, unusable={"TSLA"})) == []  # 2 of 4
    assert proposed(reading(2, unusable={"TSLA", "NVDA"})) == [SH]  # 2 of 3
    assert proposed(reading(2, unusable={"TSLA", "NVDA", "GOOGL"})) == []  # no reading from 2


@pytest.mark.parametrize(
    ("held", "hot", "expected"),
    [
        ("SH", 3, []),
        ("SH", 5, [("SPXS", 416)]),  # stepped up
        ("SPXS", 5, []),
        ("SQQQ", 5, []),  # as leveraged as SPXS
        ("SQQQ", 3, []),  # never stepped down by buying
    ],
)
def test_a_hedge_is_only_stepped_up(held, hot, expected):
    price = FUNDS[held]
    assert proposed(reading(hot), book(position(held, 100, price, role="hedge"))) == expected
    assert proposed(reading(hot), book(pending=[proposal(held, 100, price, role="hedge")])) == expected


def test_a_fund_bought_by_a_signal_counts():
    assert proposed(reading(3), book(position("SH", 100, 13.0))) == []


def test_what_is_not_held_against_the_market_takes_no_room_and_is_not_trimmed():
    state = book(position("AAPL", 500), pending=[proposal("MSFT", 300)])
    assert proposed(reading(3), state) == [SH]
    assert adjusted(reading(3), state) == []


def test_what_is_held_and_pending_limits_the_size():
    state = book(position("SH", 1_000, 13.0, role="hedge"), pending=[proposal("OTHER", 50, role="hedge")])
    assert proposed(reading(5), state) == [("SPXS", 250)]  # 20,000 - 13,000 - 5,000
    full = book(position("SH", 1_600, 13.0, role="hedge"))
    assert proposed(reading(5), full) == []


@pytest.mark.parametrize("equity", [0.0, -1.0, math.nan, 50.0])
def test_no_equity_no_hedge(equity):
    assert proposed(reading(5), book(equity=equity, cash=0.0)) == []


def test_no_hedge_where_what_is_held_against_the_market_has_no_known_value():
    on = reading(5, qqq=72.0, funds=FUNDS | {"SH": math.nan})
    assert proposed(on) == [("SQQQ", 333)]
    assert proposed(on, book(position("SH", 100, math.nan, role="hedge"))) == []


@pytest.mark.parametrize(("hot", "unwound"), [(0, True), (1, True), (2, False), (3, False)])
def test_unwound_below_forty_percent(hot, unwound):
    state = book(position("SH", 100, 13.0, role="hedge"), position("SQQQ", 10, 10.0), position("AAPL", 10))
    assert adjusted(reading(hot), state) == ([("exit", "SH", 0)] if unwound else [])


def test_no_reading_unwinds_nothing():
    state = book(position("SH", 100, 13.0, role="hedge"))
    assert adjusted(reading(0, unusable=GAUGES[:3]), state) == []


def test_trimmed_when_the_market_lifts_it_above_the_total():
    state = book(position("SH", 1_000, 13.0, role="hedge"), position("SQQQ", 1_000, 10.0, role="hedge"))
    trims = {s: q for _, s, q in adjusted(reading(3), state)}
    left = (1_000 - trims["SH"]) * 13 + (1_000 - trims["SQQQ"]) * 10
    assert left <= 0.195 * 100_000
    assert left > 0.195 * 100_000 - 13 - 10
    assert adjusted(reading(3), book(position("SH", 1_538, 13.0, role="hedge"))) == []


def test_a_hedge_without_a_mark_is_valued_at_its_entry():
    state = book(position("SH", 1_600, 13.0, role="hedge"))
    assert proposed(reading(5, funds=FUNDS | {"SH": math.nan}), state) == []


@pytest.mark.parametrize(
    ("wish", "after"),
    [
        (proposal("SH", 769, 13.0, role="hedge"), 538),
        (proposal("SQQQ", 900, 10.0), 700),  # a signal's
        (proposal("SQQQ", 900, 10.0, side="sell_short"), 900),
        (proposal("AAPL", 900), 900),
        (proposal("SH", 100, 13.0, role="hedge"), 100),
    ],
)
def test_review_holds_everyone_to_the_total(wish, after):
    state = book(position("SPXS", 1_625, 8.0, role="hedge"))  # 13,000 of 20,000
    verdict = module(InverseHedge).review(wish, state, reading(3))
    assert verdict.after == after
    assert verdict.code == ("OK" if after == wish.quantity else "INVERSE_HEDGE: total would pass 20% of equity")


def test_any_fund_labelled_inverse_counts_in_the_total():
    on = reading(3, funds={**FUNDS, "SDS": 20.0}, sectors={"SDS": "inverse"})
    state = book(position("SDS", 900, 20.0))  # 18,000 of 20,000, bought on a signal
    verdict = module(InverseHedge).review(proposal("SDS", 300, 20.0), state, on)
    assert (verdict.after, verdict.code) == (100, "INVERSE_HEDGE: total would pass 20% of equity")
    too_much = book(position("SDS", 1_100, 20.0))
    assert [(kind, symbol) for kind, symbol, _ in adjusted(on, too_much)] == [("trim", "SDS")]
    assert module(InverseHedge).review(proposal("SDS", 300, 20.0), state, reading(3)).after == 300


def test_needs_and_symbols():
    rule = module(InverseHedge)
    assert rule.needs() == ("rsi_14", "atr_14")
    assert set(rule.symbols()) == {*GAUGES, *FUNDS, "SPY", "QQQ"}


@pytest.mark.parametrize(
    ("settings", "on"),
    [
        ({"gauges": ["NVDA", "TSLA", "AAPL"]}, reading(3)),
        ({"min_gauges": 5}, reading(3, unusable={"TSLA"})),
        ({"rsi_bars": 5}, reading(3)),
        ({"overbought": 80}, reading(3)),
        ({"open_frac": 0.5}, reading(2, unusable={"TSLA"})),
        ({"escalate_frac": 0.6}, reading(3)),
        ({"plain": {"symbol": "SPXS", "leverage": 1}}, reading(3)),
        ({"broad": {"symbol": "SQQQ", "leverage": 3}}, reading(5)),
        ({"broad": {"symbol": "SPXS", "leverage": 2}}, reading(5)),
        ({"nasdaq": {"symbol": "SPXS", "leverage": 3}}, reading(5, qqq=72.0)),
        ({"broad_gauge": "AAPL"}, reading(5, qqq=72.0)),
        ({"nasdaq_gauge": "AAPL"}, reading(5)),
        ({"size_frac": 0.05}, reading(3)),
        ({"max_total_frac": 0.10, "size_frac": 0.05}, reading(3)),
        ({"lot": 100}, reading(3)),
    ],
)
def test_every_setting_of_an_opening_has_an_effect(settings, on):
    assert proposed(on, **settings) != proposed(on)


def test_every_other_setting_has_an_effect():
    (hedge,) = module(InverseHedge, stop_frac=0.1, target_frac=0.2, atr_bars=7).propose(book(), reading(3))
    assert (hedge.stop, hedge.target) == pytest.approx((11.7, 15.6))
    assert math.isnan(hedge.atr)
    heavy = book(position("SH", 1_600, 13.0, role="hedge"))
    assert adjusted(reading(2), heavy) == [("trim", "SH", 100)]
    assert adjusted(reading(2), heavy, band_frac=0.0) == [("trim", "SH", 62)]
    assert adjusted(reading(2), heavy, max_total_frac=0.3) == []
    assert adjusted(reading(2), heavy, clear_frac=0.5) == [("exit", "SH", 0)]


@pytest.mark.parametrize(
    "settings",
    [
        {"gauges": []},
        {"gauges": ["AAPL", "AAPL", "MSFT"]},
        {"gauges": ["AAPL"]},
        {"clear_frac": 0.7},
        {"escalate_frac": 0.5},
        {"size_frac": 0.3},
        {"band_frac": 0.2},
        {"plain": {"symbol": "SH", "leverage": 0.5}},
        {"plain": "SH"},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValidationError):
        module(InverseHedge, **settings)
