from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from risk.correlation_cap import CorrelationCap, correlations
from tests.risk.helpers import book, market, module, position, proposal

BARS = 80


def prices(returns: np.ndarray) -> np.ndarray:
    return 100 * np.cumprod(np.concatenate([[1.0], 1 + returns]))


def crowd(weight: float = 0.9, symbols: int = 6, seed: int = 1) -> dict[str, np.ndarray]:
    """S0…: series that share a factor; ``LONER``: one that does not; ``MIRROR``: minus the factor."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(0, 0.02, BARS)
    series = {f"S{k}": prices(weight * factor + (1 - weight) * rng.normal(0, 0.02, BARS)) for k in range(symbols)}
    return series | {"LONER": prices(rng.normal(0, 0.02, BARS)), "MIRROR": prices(-factor)}


MARKET = market(crowd())


def judge(candidate, *positions, on=MARKET, side="buy", pending=(), **settings):
    return module(CorrelationCap, **settings).review(
        proposal(candidate, side=side), book(*positions, pending=pending), on
    )


def longs(*symbols: str):
    return [position(s, 1) for s in symbols]


def test_matches_numpy():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=60), rng.normal(size=(60, 5))
    y[:, 0] += x
    expected = [np.corrcoef(x, y[:, k])[0, 1] for k in range(5)]
    np.testing.assert_allclose(correlations(x, y, 20), expected, rtol=1e-12)


def test_missing_returns_are_left_out_pair_by_pair():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=60), rng.normal(size=(60, 2))
    x[:7], y[10:25, 0] = np.nan, np.nan
    expected = np.corrcoef(np.r_[x[7:10], x[25:]], np.r_[y[7:10, 0], y[25:, 0]])[0, 1]
    assert correlations(x, y, 20)[0] == pytest.approx(expected)
    assert np.isnan(correlations(x, y, 39)[0])
    assert not np.isnan(correlations(x, y, 38)[0])


def test_what_does_not_move_is_not_judged():
    moving = np.random.default_rng(0).normal(size=60)
    still = np.column_stack([np.zeros(60), np.full(60, 0.01), 0.01 + 1e-17 * moving])
    assert np.isnan(correlations(moving, still, 20)).all()


def test_the_fourth_of_a_kind_is_refused():
    assert judge("S3", *longs("S0", "S1")).code == "OK"
    verdict = judge("S3", *longs("S0", "S1", "S2"))
    assert verdict.refused
    assert verdict.code.startswith("CORRELATION_CAP: 3/3 above 0.70 (")
    assert set(verdict.inputs["alike"]) == {"S0", "S1", "S2"}


def test_a_loner_passes():
    assert judge("LONER", *longs("S0", "S1", "S2", "S3")).code == "OK"
    assert judge("S3", *longs("S0", "S1", "LONER")).code == "OK"


def test_pending_entries_count_and_hedges_do_not():
    assert judge("S3", *longs("S0", "S1"), pending=[proposal("S2")]).refused
    hedged = [*longs("S0", "S1"), position("S2", 1, role="hedge")]
    assert judge("S3", *hedged).code == "OK"
    wish = proposal("S3", role="hedge")
    assert module(CorrelationCap).review(wish, book(*longs("S0", "S1", "S2")), MARKET).code == "OK"


def test_sides_count():
    assert judge("S3", *longs("S0", "S1", "S2"), side="sell_short").code == "OK"
    assert judge("MIRROR", *longs("S0", "S1", "S2")).code == "OK"
    assert judge("MIRROR", *longs("S0", "S1", "S2"), side="sell_short").refused


def test_little_history_is_not_judged_and_noted():
    series = crowd()
    for name in ("S1", "S2"):
        series[name][:-15] = np.nan
    verdict = judge("S3", *longs("S0", "S1", "S2"), on=market(series))
    assert verdict.code == "OK"
    assert verdict.inputs["not_judged"] == ["S1", "S2"]


def test_as_many_returns_are_compared_as_are_asked_for():
    assert judge("S3", *longs("S0", "S1", "S2"), bars=20, min_bars=20).refused


def test_unknown_symbols_and_an_empty_market_are_not_judged():
    assert judge("ZZZ", *longs("S0", "S1", "S2")).inputs["not_judged"] == ["S0", "S1", "S2"]
    assert judge("S3", *longs("S0", "S1", "ZZZ")).inputs["not_judged"] == ["ZZZ"]
    assert judge("S3", *longs("S0", "S1", "S2"), on=market(crowd(), row=-1)).code == "OK"


def test_later_bars_are_never_read():
    series = crowd()
    cut = {s: np.r_[values[:70], np.full(len(values) - 70, np.nan)] for s, values in series.items()}
    seen = judge("S3", *longs("S0", "S1", "S2"), on=market(series, row=69))
    assert seen == judge("S3", *longs("S0", "S1", "S2"), on=market(cut, row=69))


def test_every_setting_has_an_effect():
    base = judge("S3", *longs("S0", "S1", "S2"))
    assert base.refused
    assert not judge("S3", *longs("S0", "S1", "S2"), max_positions=4).refused
    assert not judge("S3", *longs("S0", "S1", "S2"), max_correlation=0.999).refused
    assert judge("S3", *longs("S0", "S1", "S2"), bars=40).inputs != base.inputs
    short = {s: np.r_[np.full(len(v) - 16, np.nan), v[-16:]] for s, v in crowd().items()}
    assert not judge("S3", *longs("S0", "S1", "S2"), on=market(short)).refused
    assert judge("S3", *longs("S0", "S1", "S2"), on=market(short), min_bars=10).refused


@pytest.mark.parametrize("settings", [{"bars": 10}, {"max_correlation": 1.0}, {"max_positions": 0}, {"bars": 60.5}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValidationError):
        module(CorrelationCap, **settings)


@given(seed=st.integers(0, 1_000), holes=st.floats(0, 1))
def test_correlations_lie_between_minus_one_and_one(seed, holes):
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(30, 4))
    data[rng.random((30, 4)) < holes] = np.nan
    values = correlations(data[:, 0], data, 5)
    assert np.all(np.isnan(values) | (np.abs(values) <= 1))
