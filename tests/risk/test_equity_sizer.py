from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.equity_sizer import SizingConfig, calculate_position_size, most_of_one, size
from tests.risk.helpers import book, proposal

SLACK = 1e-9


def test_the_worked_example():
    sized = calculate_position_size(entry_price=170, stop_loss=163, account_equity=105_000)
    assert (sized.by_risk, sized.by_notional, sized.shares) == (300, 61, 61)
    assert sized.notional == 10_370
    assert sized.risk_dollars == 427
    assert sized.capped
    assert sized.cap_reason == "notional"
    assert sized.notional / 105_000 == pytest.approx(0.099, abs=0.0005)


@pytest.mark.parametrize(
    ("entry", "stop", "equity", "settings", "shares", "reason"),
    [
        (100, 50, 100_000, {}, 40, ""),  # a wide stop: the risk cap decides
        (100, 80, 100_000, {}, 100, ""),  # both caps agree
        (100, 95, 100_000, {}, 100, "notional"),
        (100, 105, 100_000, {}, 100, "notional"),  # short
        (100, 150, 100_000, {}, 40, ""),  # short, wide
        (443.18, 420.0, 106_400, {}, 24, "notional"),
        (170.77, 160.0, 106_400, {}, 62, "notional"),
        (100, 95, 100_000, {"size_multiplier": 0.5}, 50, "notional"),
        (100, 95, 100_000, {"size_multiplier": 0}, 0, "notional"),
        (100, 95, 100_000, {"risk_pct": 0.001}, 20, ""),
        (100, 95, 100_000, {"max_notional_pct": 0.05}, 50, "notional"),
        (60_000, 57_000, 1_000, {"lot": 1e-8}, 0.00166666, "notional"),
        (60_000, 57_000, 1_000, {}, 0, ""),  # not even one
        (100, 95, 100_000, {"lot": 30}, 90, "notional"),
    ],
)
def test_sizes(entry, stop, equity, settings, shares, reason):
    sized = calculate_position_size(entry, stop, equity, **settings)
    assert sized.shares == pytest.approx(shares, abs=1e-12)
    assert (sized.capped, sized.cap_reason) == (bool(reason), reason)


BAD = [-1, math.nan, math.inf, -math.inf]
POSITIVE = ["entry_price", "stop_loss", "account_equity", "risk_pct", "max_notional_pct", "lot"]


@pytest.mark.parametrize(
    ("name", "bad"), [*itertools.product([*POSITIVE, "size_multiplier"], BAD), *itertools.product(POSITIVE, [0])]
)
def test_nonsense_is_refused(name, bad):
    good = {"entry_price": 170, "stop_loss": 163, "account_equity": 105_000}
    with pytest.raises(ValueError, match=name):
        calculate_position_size(**good | {name: bad})


@pytest.mark.parametrize("changes", [{"risk_pct": 2}, {"max_notional_pct": 10}, {"size_multiplier": 1.5}])
def test_percent_instead_of_fraction_is_refused(changes):
    with pytest.raises(ValueError):
        calculate_position_size(170, 163, 105_000, **changes)


def test_stop_at_entry_is_refused():
    with pytest.raises(ValueError, match="equals entry_price"):
        calculate_position_size(170, 170, 105_000)


@given(
    entry=st.floats(0.01, 1e5),
    stop=st.floats(0.01, 1e5),
    equity=st.floats(1, 1e8),
    risk=st.floats(1e-4, 1),
    notional=st.floats(1e-4, 1),
    multiplier=st.floats(0, 1),
    lot=st.sampled_from([1.0, 10.0, 0.01, 1e-8]),
)
def test_neither_cap_is_ever_exceeded(entry, stop, equity, risk, notional, multiplier, lot):
    if stop == entry:
        return
    sized = calculate_position_size(entry, stop, equity, risk, notional, size_multiplier=multiplier, lot=lot)
    slack = 1 + SLACK
    assert sized.shares >= 0
    assert sized.shares * entry <= equity * notional * slack + SLACK * entry * lot
    assert sized.shares * abs(entry - stop) <= equity * risk * slack + SLACK * abs(entry - stop) * lot
    assert sized.shares <= min(sized.by_risk, sized.by_notional) * multiplier * slack + SLACK * lot
    assert sized.shares / lot == pytest.approx(round(sized.shares / lot), abs=1e-3, rel=1e-12)


def test_first_verdict_goes_from_by_risk_to_capped():
    verdict = size(proposal("PLTR", 0, 170, stop=163), book(equity=105_000), SizingConfig())
    assert (verdict.module, verdict.before, verdict.after) == ("equity_sizer", 300, 61)
    assert verdict.code == "EQUITY_SIZER: 61 shares, 9.9% of equity, cut by notional"
    assert verdict.inputs["by_notional"] == 61
    assert verdict.inputs["notional_usd"] == 10_370


def test_one_share_is_one():
    verdict = size(proposal("PLTR", 0, 170, stop=163), book(equity=1_800), SizingConfig())
    assert verdict.code == "EQUITY_SIZER: 1 share, 9.4% of equity, cut by notional"


def test_first_verdict_is_ok_when_risk_decides():
    verdict = size(proposal("PLTR", 0, 100, stop=50), book(), SizingConfig())
    assert (verdict.code, verdict.before, verdict.after) == ("OK", 40, 40)


def test_multiplier_is_named():
    verdict = size(proposal("PLTR", 0, 100, stop=50, size_multiplier=0.5), book(), SizingConfig())
    assert verdict.after == 20
    assert verdict.code.endswith("cut by multiplier 0.5")


def test_a_stated_quantity_is_never_enlarged():
    assert size(proposal("SH", 7), book(), SizingConfig()).after == 7
    assert size(proposal("SH", 700), book(), SizingConfig()).after == 100
    # A part of one is a stated quantity, too.
    assert size(proposal("BTC/USD", 0.5), book(), SizingConfig(lot=0.01)).after == 0.5


@pytest.mark.parametrize(
    ("changes", "equity", "code"),
    [
        ({"price": 60_000.0}, 1_000.0, "EQUITY_SIZER: 0 shares (by risk 0, by notional 0)"),
        ({"stop": 100.0}, 1e5, "EQUITY_SIZER: stop_loss equals entry_price"),
        ({"stop": 105.0}, 1e5, "EQUITY_SIZER: stop 105.0 is on the wrong side"),
        ({"side": "sell_short", "stop": 95.0}, 1e5, "EQUITY_SIZER: stop 95.0 is on the wrong side"),
        ({"stop": math.nan}, 1e5, "EQUITY_SIZER: stop_loss must be a positive number"),
        ({"price": math.nan}, 1e5, "EQUITY_SIZER: entry_price must be a positive number"),
        ({}, -5.0, "EQUITY_SIZER: account_equity must be a positive number"),
        ({"size_multiplier": math.nan}, 1e5, "EQUITY_SIZER: size_multiplier"),
    ],
)
def test_unusable_proposals_are_refused_not_raised(changes, equity, code):
    verdict = size(proposal("PLTR", 0, **changes), book(equity=equity), SizingConfig())
    assert verdict.refused
    assert verdict.code.startswith(code)


@pytest.mark.parametrize(
    ("settings", "after"),
    [({"risk_frac": 0.001}, 20), ({"max_notional_frac": 0.05}, 50), ({"notional_usd": 4_000}, 40), ({"lot": 30}, 90)],
)
def test_every_setting_has_an_effect(settings, after):
    config = SizingConfig.model_validate(settings)
    assert size(proposal("PLTR", 0), book(), config).after == after
    assert size(proposal("PLTR", 0), book(), SizingConfig()).after == 100


def test_of_the_fraction_and_the_amount_the_stricter_one_caps_a_position():
    config = SizingConfig(max_notional_frac=0.10, notional_usd=4_000)
    assert [size(proposal("PLTR", 0), book(equity=e), config).after for e in (1e5, 30_000)] == [40, 30]
    assert [most_of_one(config, e) for e in (1e5, 30_000)] == [4_000, 3_000]


def test_without_an_equity_it_says_which_command_reads_the_account():
    with pytest.raises(TypeError, match=r"account_equity=105000; .* risk-first size --entry 170 --stop 163 reads it"):
        calculate_position_size(170, 163)


def test_the_multiplier_goes_by_its_other_name_too():
    assert calculate_position_size(170, 163, 105_000, cognitive_multiplier=0.5).shares == 30
    with pytest.raises(TypeError, match="another name for size_multiplier"):
        calculate_position_size(170, 163, 105_000, size_multiplier=0.5, cognitive_multiplier=0.5)
    with pytest.raises(ValueError, match="size_multiplier must be in"):
        calculate_position_size(170, 163, 105_000, cognitive_multiplier=1.5)
