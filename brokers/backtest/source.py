"""Lumibot data sources over a ``BarTable``: causal for daily frames, and lean.

Stock ``PandasDataBacktesting`` shows a daily bar before it has closed. Here history and last prices end
at the last complete bar, whatever the bar's length, and are cut from the arrays only when asked for.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from lumibot.backtesting import PandasDataBacktesting
from lumibot.backtesting.market_input_evidence import MarketInputEvidence
from lumibot.entities import Asset, Quote
from lumibot.tools.helpers import parse_timestep_qty_and_unit

from brokers.backtest.frames import pandas_table
from brokers.backtest.yahoo import require_yahoo, served, yahoo_bars
from config.errors import Refusal
from config.values.symbols import spelled
from market.bar_tables import frames_to_table, session_dates
from market.bars import DAY_MINUTES, FIELDS, BarTable

WITH_OWN_BARS = "give bars of your own with PandasDataBacktesting and pandas_data"
"""What a script that runs Lumibot's backtest can do without Yahoo."""


class _TableData(PandasDataBacktesting):
    """A pandas backtesting source whose bars live in a ``BarTable``.

    Parameters
    ----------
    table : BarTable
        All bars, history before the window included.
    datetime_start, datetime_end : datetime
        First and last moment of the run (timezone-aware).
    """

    def __init__(self, table: BarTable, datetime_start: datetime, datetime_end: datetime, **kwargs: Any) -> None:
        kwargs.pop("pandas_data", None)
        # Lumibot starts at the first bar strictly after its start.
        super().__init__(datetime_start=datetime_start - timedelta(minutes=1), datetime_end=datetime_end, **kwargs)
        row = int(table.opens_at.searchsorted(datetime_start))
        if row and (table.session[row] == table.session[row - 1] or table.closes_at[row - 1] >= table.opens_at[row]):
            # A minute early Lumibot's clock waits for the opening. Where the market was open until then, inside a
            # session or around the clock, it would not wait, but decide at once, and stay a minute early for good;
            # and it stops when its end is reached, not after it.
            self._datetime = datetime_start
            self.datetime_end += timedelta(seconds=1)
        self.table = table
        self._column = {symbol: k for k, symbol in enumerate(table.symbols)}
        self._timestep = "day" if table.daily else "minute"
        # Lumibot's recorder of every price read costs more than the run itself; the journal tells more.
        self._market_input_evidence = MarketInputEvidence(max_observations=0)

    def load_data(self) -> pd.DataFrame:
        index = self.table.opens_at
        self._date_index = index[(index > self.datetime_start) & (index <= self.datetime_end)]
        return self.get_trading_days_pandas()

    def get_trading_days_pandas(self) -> pd.DataFrame:
        table = self.table
        grid = pd.DataFrame({"market_open": table.opens_at, "market_close": table.closes_at})
        days = grid.groupby(table.opens_at.normalize()).agg(
            market_open=("market_open", "first"), market_close=("market_close", "last")
        )
        days.index.name = "date"
        return days

    def get_last_price(self, asset: Any, quote: Any = None, exchange: Any = None) -> float | None:
        frame = self._closed(asset, 1)
        return None if frame is None else float(frame["close"].iloc[-1])

    def get_last_prices(self, assets: Any, quote: Any = None, exchange: Any = None, **kwargs: Any) -> dict[Any, Any]:
        return {asset: self.get_last_price(asset) for asset in assets}

    def get_quote(self, asset: Any, quote: Any = None, exchange: Any = None) -> Quote:
        return Quote(asset=asset, price=self.get_last_price(asset), timestamp=self._datetime)

    def get_yesterday_dividends(self, assets: Any, quote: Any = None) -> dict[Any, float]:
        return {}

    def get_yesterday_stock_splits(self, assets: Any, quote: Any = None) -> dict[Any, float]:
        return {}

    def should_apply_stock_splits_to_positions(self, asset: Any, quote: Any = None) -> bool:
        return False

    def get_assets(self) -> list[Any]:
        return [(Asset(symbol), Asset("USD", "forex")) for symbol in self.table.symbols]

    def _pull_source_symbol_bars(
        self, asset: Any, length: int, timestep: str = "", timeshift: Any = 0, *_: Any, **__: Any
    ) -> pd.DataFrame | None:
        shift = timeshift if isinstance(timeshift, timedelta) else timedelta(days=timeshift or 0)
        step = timestep or self._timestep
        quantity, unit = parse_timestep_qty_and_unit(step)
        native = DAY_MINUTES if unit == "day" else quantity * (60 if unit == "hour" else 1)
        if native == self.table.minutes or step in (self._timestep, "1M"):
            return self._closed(asset, length, shift)
        if native < self.table.minutes or (native % self.table.minutes and native != DAY_MINUTES):
            return None
        frame = self._closed(asset, length * max(1, native // self.table.minutes) + native // self.table.minutes, shift)
        if frame is None:
            return None
        times = pd.DatetimeIndex(frame.index)
        rule = times.normalize() if native == DAY_MINUTES else times.floor(f"{native}min")
        merged = frame.groupby(rule).agg(
            {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
        )
        return merged.iloc[-length:]

    def _closed(self, asset: Any, length: int, shift: timedelta = timedelta(0)) -> pd.DataFrame | None:
        base = asset[0] if isinstance(asset, tuple) else asset
        symbol = base.symbol if isinstance(base, Asset) else str(base)
        k = self._column.get(symbol)
        if k is None:
            k = self._column.get(spelled(symbol))
        if k is None:
            return None
        end = self.table.row_closed_at(pd.Timestamp(self._datetime) - shift) + 1
        columns = {name: getattr(self.table, name)[:end, k] for name in FIELDS}
        frame = pd.DataFrame(columns, index=self.table.opens_at[:end])
        frame = frame[frame["close"].notna()].iloc[-length:]
        return None if frame.empty else frame


# Lumibot tells "pure pandas" sources from others by the class's name.
CausalPandasData = type("PandasDataBacktesting", (_TableData,), {"__doc__": _TableData.__doc__})


def causal(source: Any) -> Any:
    """The bars and the window of stock ``PandasDataBacktesting`` behind a causal clock; other sources as they are.

    Raises
    ------
    Refusal
        If no bar lies in the window.
    """
    if isinstance(source, _TableData) or not isinstance(source, PandasDataBacktesting):
        return source
    table = table_of(source, ())
    # Daily frames are labelled by the day: one whose label lies in the window belongs to it.
    labels = table.opens_at.normalize() if table.daily else table.opens_at
    inside = table.opens_at[(labels >= source.datetime_start) & (labels <= source.datetime_end)]
    if inside.empty:
        raise Refusal(
            f"pandas_data: no bars between {source.datetime_start:%Y-%m-%d} and {source.datetime_end:%Y-%m-%d}; they "
            f"run from {table.opens_at[0]:%Y-%m-%d} to {table.opens_at[-1]:%Y-%m-%d}"
        )
    first, last = inside[0].to_pydatetime(), inside[-1].to_pydatetime()
    return CausalPandasData(table, first, last, show_progress_bar=source._show_progress_bar)


def table_of(source: Any, symbols: tuple[str, ...], watched: Collection[str] = ()) -> BarTable:
    """The bars behind a Lumibot source, for every symbol it knows, as one table.

    ``watched`` are those of the symbols that are not traded, and whose end therefore ends nothing.

    Raises
    ------
    Refusal
        For a source whose bars can't be read ahead of the run, or Yahoo if neither it nor its cache has them.
    """
    if isinstance(source, _TableData):
        return source.table
    if getattr(source, "SOURCE", "") == "YAHOO":
        if source.auto_adjust:
            raise Refusal(
                "YahooDataBacktesting: Lumibot 4.6.30 loses the prices with auto_adjust=True; leave it out, dividends "
                "are then credited as cash on their ex-dates"
            )
        last = require_yahoo(symbols, source.datetime_end.date(), watched, WITH_OWN_BARS)
        # Lumibot takes a cache that ends on Friday as outdated on Saturday.
        if source.datetime_end.date() > last:
            source.datetime_end = source.datetime_end.replace(year=last.year, month=last.month, day=last.day)
        # The cache may reach beyond the run; its bars are labelled by their close.
        end = source.datetime_end.replace(hour=23, minute=59)
        frames = {}
        for symbol in served(symbols, last, watched):
            frame = yahoo_bars(source, symbol)
            # What was listed after the run is as unknown to it as what never was; no rows at all are a history
            # that was cut on purpose.
            if frame is not None and (frame.empty or frame.index[0] <= end):
                frames[symbol] = frame.loc[:end, list(FIELDS)]
        return frames_to_table(frames, daily=True, source="yahoo")
    if isinstance(source, PandasDataBacktesting):
        return pandas_table(source.pandas_data)
    raise Refusal(
        f"{type(source).__name__} is not a data source this strategy can be tested on: use YahooDataBacktesting, "
        "PandasDataBacktesting or the command line's --data"
    )


def dividends_of(source: Any, bars: BarTable) -> dict[int, dict[str, float]]:
    """What the source tells of dividends beside its prices: USD a share, by row of the ex-date and symbol.

    Yahoo's prices are adjusted for splits only, and so are its dividends. Frames and files are taken as they
    are: their prices hold the dividends, or there are none.
    """
    if getattr(source, "SOURCE", "") != "YAHOO":
        return {}
    row_of = {day: row for row, day in enumerate(bars.opens_at.date)}
    found: dict[int, dict[str, float]] = {}
    for symbol in bars.symbols:
        paid = yahoo_bars(source, symbol)["dividend"]
        for day, amount in zip(session_dates(pd.DatetimeIndex(paid.index)).date, paid.to_numpy(), strict=True):
            if amount > 0 and day in row_of:
                found.setdefault(row_of[day], {})[symbol] = float(amount)
    return found
