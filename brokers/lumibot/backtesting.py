"""Lumibot's classes for backtests, without the libraries that only other data sources of it use.

It imports Polars, and the source of ThetaData with its downloads, to recognise frames and a source that hardly any run
has: nearly all of the time that Lumibot takes to load. Both are imported when they are asked for.
"""

from types import ModuleType

from lumibot._lazy_imports import lazy_class

import market.new_york_exchange  # noqa: F401  # Lumibot would load the calendars of all exchanges
from config.process.later import Later, standing_in

_THETADATA = "lumibot.backtesting.thetadata_backtesting_pandas"
_polars, _thetadata = Later("polars"), ModuleType(_THETADATA)
vars(_polars).update(DataFrame=lazy_class("polars", "DataFrame"))
vars(_thetadata).update(ThetaDataBacktestingPandas=lazy_class(_THETADATA, "ThetaDataBacktestingPandas"))

with standing_in({"polars": _polars}, {_THETADATA: _thetadata}):
    import lumibot.entities.bars  # noqa: F401  # is what imports Polars
    from lumibot.backtesting import BacktestingBroker
    from lumibot.strategies import Strategy

__all__ = ["BacktestingBroker", "Strategy"]
