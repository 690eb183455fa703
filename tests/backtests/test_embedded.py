"""The embedded data: real days unchanged, synthetic series and bars that fit inside them."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from backtests import embedded
from backtests.data.bar_files import read_bars
from market.bar_tables import to_table
from risk.inverse_hedge import InverseHedge

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def builder():
    spec = importlib.util.spec_from_file_location("build_embedded_data", ROOT / "tools" / "build_embedded_data.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bars():
    return embedded.intraday("2022-11-21", "2022-11-30")


def test_daily_is_a_sound_bar_file_and_small():
    frame = embedded.daily()
    assert embedded.PATH.stat().st_size < 1_000_000
    assert frame.drop(columns="symbol").equals(read_bars(embedded.PATH).drop(columns="symbol").astype({"volume": int}))
    assert set(frame.symbol.unique()) == {*embedded.STOCKS, embedded.COMPOSITE, embedded.INVERSE}
    assert (frame.groupby("symbol", observed=True).size() == 2699).all()
    assert all(name in embedded.DESCRIPTION for name in (*embedded.STOCKS, embedded.COMPOSITE, embedded.INVERSE))
    assert "MIT License" in (embedded.PATH.parent / "NOTICE").read_text()


def test_composite_is_the_mean_move_and_inverse_its_mirror():
    table = to_table(embedded.daily(), [*embedded.STOCKS, embedded.COMPOSITE, embedded.INVERSE], "embedded")
    move = table.close[1:] / table.close[:-1] - 1
    np.testing.assert_allclose(move[:, 6], move[:, :6].mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(move[:, 7], -move[:, 6], atol=1e-5)
    down = table.low[1:, 7] / table.close[:-1, 7] - 1
    up = table.high[1:, 6] / table.close[:-1, 6] - 1
    np.testing.assert_allclose(down, -up, atol=1e-5)


def test_intraday_days_add_up_to_the_real_ones(bars):
    day = bars.datetime.dt.tz_localize(None).dt.normalize()
    sums = bars.groupby(["symbol", day], observed=True).agg(
        open=("open", "first"), high=("high", "max"), low=("low", "min"), close=("close", "last"),
        volume=("volume", "sum"), bars=("open", "size"),
    )  # fmt: skip
    real = embedded.daily().set_index(["symbol", "datetime"]).reindex(sums.index)
    for name in ("open", "high", "low", "close", "volume"):
        assert (sums[name] == real[name]).all(), name
    assert set(sums.xs(pd.Timestamp("2022-11-25"), level=1)["bars"]) == {42}
    assert set(sums.xs(pd.Timestamp("2022-11-23"), level=1)["bars"]) == {78}


def test_intraday_bars_are_sound_and_u_shaped(bars, tmp_path):
    bars.to_parquet(tmp_path / "bars.parquet")
    table = to_table(read_bars(tmp_path / "bars.parquet"), list(embedded.STOCKS), "embedded")
    assert table.minutes == 5 and np.isfinite(table.close).all()
    clock = bars.datetime.dt.strftime("%H:%M")
    assert bars.volume[clock < "10:00"].mean() > 1.5 * bars.volume[(clock >= "12:00") & (clock < "13:00")].mean()
    assert (bars.high > bars.low).mean() > 0.99


def test_intraday_bars_do_not_depend_on_the_window(bars):
    one = embedded.intraday("2022-11-23", "2022-11-23")
    same = bars[bars.datetime.dt.strftime("%Y-%m-%d") == "2022-11-23"].reset_index(drop=True)
    assert one.equals(same) and not one.empty
    assert embedded.intraday("2022-11-26", "2022-11-27").empty


def test_inverse_mirrors_the_composite_within_the_day(bars):
    table = to_table(bars, [embedded.COMPOSITE, embedded.INVERSE], "embedded")
    move = np.diff(table.close, axis=0) / table.close[:-1]
    assert np.corrcoef(move.T)[0, 1] < -0.99


def test_other_bar_lengths():
    assert len(embedded.intraday("2022-11-23", "2022-11-23", minutes=30)) == 8 * 13
    with pytest.raises(ValueError, match="divisor of 30"):
        embedded.intraday("2022-11-23", "2022-11-23", minutes=7)


def test_overlay_names_only_embedded_symbols():
    overlay = yaml.safe_load(embedded.OVERLAY.read_text())
    assert tuple(overlay["universe"]["symbols"]) == embedded.STOCKS
    assert set(overlay["universe"]["sectors"]) == {*embedded.STOCKS, embedded.INVERSE}
    hedge = InverseHedge.Config.model_validate(overlay["risk"]["modules"]["inverse_hedge"])
    names = {*hedge.gauges, hedge.broad_gauge, hedge.nasdaq_gauge, *(fund.symbol for fund in hedge.funds)}
    assert {*names, overlay["universe"]["benchmark"]} <= set(embedded.daily().symbol.unique())


def test_build_adjusts_prices_and_repeats_its_bytes(builder, tmp_path):
    days = pd.bdate_range("2023-01-02", periods=30)
    rows = []
    for k, symbol in enumerate(embedded.STOCKS):
        close = 100.0 + k + np.sin(np.arange(30) + k)
        rows.append(
            pd.DataFrame(
                {
                    "symbol": symbol, "date": days, "open": close - 0.5, "high": close + 1, "low": close - 1,
                    "close": close, "volume": 1000, "adjusted": close / 2,
                }
            )
        )  # fmt: skip
    pd.concat(rows).to_csv(tmp_path / "source.csv", index=False)
    built = builder.build(tmp_path / "source.csv", tmp_path / "one.parquet")
    builder.build(tmp_path / "source.csv", tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    first = built[built.symbol == "AAPL"].iloc[0]
    assert (first.open, first.high, first.low, first.close) == (49.75, 50.5, 49.5, 50.0)
    # Two of the thirty business days were holidays, and a reader leaves their bars out.
    assert len(read_bars(tmp_path / "one.parquet")) == 8 * 28


def test_they_are_read_as_pandas_reads_them_with_less_loaded() -> None:
    """In a new process: pyarrow's reader of folders takes as long to load as the file to be read."""
    code = (
        "import sys; from backtests import embedded; frame = embedded.daily();"
        "assert 'pyarrow.dataset' not in sys.modules;"
        "import pandas as pd; usual = pd.read_parquet(embedded.PATH);"
        "usual['datetime'] = usual['datetime'].astype('datetime64[ns]'); pd.testing.assert_frame_equal(frame, usual)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=240)
