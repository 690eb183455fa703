from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from market.bar_tables import to_table
from market.features import FeatureTable
from market.market import Market
from risk.volume_profile import VolumeProfile, buckets, levels
from strategies.signals.momentum import Momentum
from tests.risk.helpers import NOW, book, module, proposal

nan = np.nan
WIDTH = 1.005


def price(bucket: float) -> float:
    """The middle of a bucket."""
    return WIDTH ** (bucket + 0.5)


def on(close, volume, mark=None, rows=None, days=20) -> Market:
    """A market of one symbol whose profile spans ``rows`` bars, all by default."""
    columns = {
        "close": np.array(close, dtype=float)[:, None],
        "mark": np.array(close if mark is None else mark, dtype=float)[:, None],
        "volume": np.array(volume, dtype=float)[:, None],
        f"session_rows_{days}": np.full((len(close), 1), float(len(close) if rows is None else rows)),
    }
    return Market(time=NOW, row=len(close) - 1, symbols=("NVDA",), index={"NVDA": 0}, columns=columns, sectors={})


# 5 at bucket 900, 1 each at 910, 920, 930 and 940: the average of five buckets is 9 / 5, and 1.5 of it 2.7
CLOSE = [price(b) for b in (900, 910, 920, 930, 940)]
VOLUME = [500.0, 100, 100, 100, 100]


def judged(at: float, close=CLOSE, volume=VOLUME, role="entry", symbol="NVDA", settings=None, **more):
    wish = proposal(symbol, price=at, role=role)
    return module(VolumeProfile, **(settings or {})).review(wish, book(), on(close, volume, **more))


def test_buckets_widen_with_the_price():
    assert buckets(np.array([price(900), price(901), price(5), 0.5]), 0.005).tolist() == [900, 901, 5, -139]
    for at in (0.07, 12.0, 480.0, 60_000.0):
        bucket = buckets(at, 0.005)
        assert WIDTH**bucket <= at < WIDTH ** (bucket + 1)


def test_levels_are_above_one_and_a_half_times_the_average_bucket():
    assert levels(np.array(CLOSE), np.array(VOLUME), 0.005, 1.5).tolist() == [900]
    # Two closes of one bucket count together: 3 of 6 in one bucket of 3 is exactly 1.5 times the average, and no more.
    close = np.array([price(b) for b in (900, 900, 910, 920)])
    assert levels(close, np.array([100.0, 200, 200, 100]), 0.005, 1.5).tolist() == []
    assert levels(close, np.array([100.0, 201, 200, 100]), 0.005, 1.5).tolist() == [900]


@pytest.mark.parametrize(
    ("bucket", "passes"), [(897, False), (898, True), (900, True), (902, True), (903, False), (940, False)]
)
def test_an_entry_is_near_a_level_up_to_two_buckets(bucket, passes):
    assert judged(price(bucket)).after == (10 if passes else 0)


def test_a_refusal_tells_the_nearest_level():
    above, below = judged(price(890)), judged(price(905))
    assert above.code == "VOLUME_PROFILE: nearest level 10 buckets above, at most 2"
    assert below.code == "VOLUME_PROFILE: nearest level 5 buckets below, at most 2"
    assert below.inputs == {"levels": 1, "nearest_buckets": -5.0}


def test_without_a_level_nothing_is_near():
    flat = judged(CLOSE[0], volume=[100.0] * 5)
    assert (flat.after, flat.code) == (0, "VOLUME_PROFILE: no level in 20 sessions")


def test_only_the_last_sessions_count():
    assert judged(price(900)).code == "OK"
    assert judged(price(900), rows=4).code == "VOLUME_PROFILE: no level in 20 sessions"


def test_too_short_a_history_is_refused():
    assert judged(price(900), rows=nan).code == "VOLUME_PROFILE: fewer than 20 sessions of history"
    assert judged(price(900), symbol="XYZ").refused


@pytest.mark.parametrize("volume", [[0.0] * 5, [nan] * 5])
def test_where_no_volume_is_reported_the_entry_passes_with_a_note(volume):
    verdict = judged(price(700), volume=volume)
    assert (verdict.code, verdict.after, verdict.inputs) == ("OK", 10, {"note": "no volume reported"})


def test_missing_and_insane_bars_weigh_nothing():
    close = [*CLOSE, nan, price(800)]
    mark = [*CLOSE, CLOSE[-1], CLOSE[-1]]
    assert judged(price(900), close, [*VOLUME, nan, 9_000.0], mark=mark).code == "OK"
    assert judged(price(800), close, [*VOLUME, nan, 9_000.0], mark=mark).refused


@pytest.mark.parametrize("at", [0.0, -1.0, nan, math.inf, 1e-300, 1e300])
def test_an_odd_price_is_far_from_everything(at):
    assert judged(at).refused


def test_a_hedge_is_bought_at_any_price():
    assert judged(price(700), role="hedge").code == "OK"


def test_settings_have_their_say():
    assert judged(price(905), settings={"near_buckets": 5}).code == "OK"
    assert judged(price(900), settings={"node_multiple": 3.0}).refused
    assert judged(price(905), settings={"bucket_frac": 0.05}).code == "OK"
    assert module(VolumeProfile, days=5).needs() == ("session_rows_5",)
    for wrong in ({"days": 0}, {"bucket_frac": 0.0}, {"near_buckets": -1}, {"node_multiple": 0.0}):
        with pytest.raises(ValidationError):
            module(VolumeProfile, **wrong)


def test_the_profile_of_intraday_bars_spans_twenty_sessions():
    days = pd.bdate_range("2024-03-04", periods=22).strftime("%Y-%m-%d")
    times = [t for day in days for t in pd.date_range(f"{day} 09:30", periods=4, freq="5min", tz="America/New_York")]
    close = np.full(88, price(900))
    # Within the last twenty sessions (rows 8 on) all else is dull but for the first of them; what was before is gone.
    close[8:] = [price(920 + 10 * (k % 4)) for k in range(80)]
    volume = np.full(88, 100.0)
    close[8], volume[8] = price(700), 1e6
    frame = pd.DataFrame({"symbol": "NVDA", "datetime": times, "close": close, "volume": volume})
    bars = to_table(frame.assign(open=close, high=close, low=close), ["NVDA"], "test")
    rule = module(VolumeProfile)
    found = FeatureTable(bars, rule.needs(), {})
    seen = found.market_at_row(87, bars.closes_at[87])
    assert rule.review(proposal(price=price(700)), book(), seen).code == "OK"
    assert rule.review(proposal(price=price(900)), book(), seen).refused
    early = found.market_at_row(75, bars.closes_at[75])
    assert rule.review(proposal(price=price(900)), book(), early).code.endswith("fewer than 20 sessions of history")


@pytest.mark.shared
@pytest.mark.parametrize(("file", "most"), [("daily_universe", 0.75), ("bars_5min", 0.6)])
def test_on_real_breakouts_it_refuses_about_half(shared_data: Path, file, most):
    frame = pd.read_parquet(shared_data / f"{file}.parquet")
    bars = to_table(frame, sorted(frame["symbol"].unique()), file).head(6000)
    signal, rule, state = Momentum(Momentum.Config()), module(VolumeProfile), book()
    found = FeatureTable(bars, [*signal.needs(), *rule.needs()], {})
    refused, unjudged = [], []
    for row in range(1700 if not bars.daily else 60, len(bars)):
        seen = found.market_at_row(row, bars.closes_at[row])
        for k in np.flatnonzero(np.isfinite(signal.scores(seen))):
            verdict = rule.review(proposal(bars.symbols[k], price=float(bars.close[row, k])), state, seen)
            refused.append(verdict.refused)
            unjudged.append("note" in verdict.inputs)
    assert 0.3 < np.mean(refused) < most
    assert np.mean(unjudged) < 0.15
