"""The figures of a run, each with its definition; a figure that is not defined is ``None``, never NaN.

Ratios of the equity curve use one value per trading session (the last bar's equity of each day), so
that hourly and daily runs can be compared. The risk-free rate is what idle cash earns, 0 by default, and it is
subtracted as a backtest credits it: for the calendar days between two sessions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from backtests.rounding import NIL_DEVIATION
from brokers.backtest.matching import DAYS_A_YEAR as INTEREST_DAYS
from brokers.record import EquityRow, RunRecord, TradeRecord
from config.values.counting import zero_unsigned
from market.trading_day import days_of

Figure = float | int | None

SESSIONS_PER_YEAR = 252
"""Sessions of a US equity year."""

ALWAYS_OPEN_PER_YEAR = 365
"""Sessions of a market that never closes."""

SATURDAY = 5

SHORTEST_ANNUALISED = 90
"""Days of the shortest span of which anything is stated per year: a good week would read as a fortune."""

DAYS_PER_YEAR = 365.25
"""Calendar days, for everything that is stated per year of elapsed time."""


def sessions_per_year(times: pd.DatetimeIndex) -> int:
    """Sessions in a year of the market whose bars open at ``times``: one that trades on Saturdays never closes."""
    days = times.tz_localize(None).normalize().unique()
    saturdays = int((days.dayofweek == SATURDAY).sum())
    # Exchanges hold a rare session on a Saturday; of a market that never closes every seventh day is one.
    return ALWAYS_OPEN_PER_YEAR if saturdays * 14 >= len(days) > 0 else SESSIONS_PER_YEAR


def metrics(record: RunRecord, sessions_per_year: int = SESSIONS_PER_YEAR, cash_rate: float = 0.0) -> dict[str, Figure]:
    """All figures of a run.

    Parameters
    ----------
    record : RunRecord
        What the run left in memory.
    sessions_per_year : int, default=252
        Annualises Sharpe and Sortino.
    cash_rate : float, default=0
        What idle cash earns in a year; Sharpe and Sortino are over it.

    Returns
    -------
    dict of str to float, int or None
        ``trades``
            Closed portions, one per row of the trades file; a half taken off early counts by itself.
        ``win_rate``
            Share of trades with a profit above 0.
        ``avg_win``, ``avg_loss``
            Mean profit of the winners and mean (negative) result of the losers, USD.
        ``avg_r``
            Mean R multiple of the trades that have one.
        ``profit_factor``
            Profit of the winners over loss of the losers; ``None`` without losers.
        ``max_drawdown``
            Largest fall from a peak, at bar closes, as a positive fraction of the peak.
        ``sharpe``, ``sortino``
            Mean session return over its standard deviation (or over the root mean square of the
            negative ones), annualised; like all that is stated per year, ``None`` below a quarter of a year.
        ``cagr``
            Compound growth per calendar year, from the first bar's opening to the last one's close.
        ``exposure``
            Mean over all bars of the market value held over equity: long, short and inverse positions added up.
        ``turnover``
            Filled notional, buys and sells, over mean equity, per calendar year of the same span.
        ``slippage_cost``
            What fills cost against the reference price, USD.
        ``fees``
            What fills were charged, USD; entries that are still open included.
        ``rejected``, ``resized``
            Proposals that the risk chain refused, and those that it shrank.
        ``protected_share``
            Share of position-bars in which working stops covered the whole position; in a session in which the
            symbol has no bar, nothing does.
    """
    outcomes = [decision.outcome for decision in record.decisions]
    curve = curve_metrics(session_closes(record), sessions_per_year, cash_rate)
    years = _years(record)
    annual = _annualised(years)
    return {
        **_trade_metrics(record.trades),
        "max_drawdown": max_drawdown(np.array([record.initial_equity, *(row.equity for row in record.equity)])),
        "sharpe": curve["sharpe"],
        "sortino": curve["sortino"],
        "cagr": growth(record.initial_equity, record.equity[-1].equity, years) if annual else None,
        "exposure": _exposure(record.equity),
        "turnover": _ratio(record.turnover, _mean_equity(record) * years) if annual else None,
        "slippage_cost": finite(record.slippage_cost),
        "fees": finite(record.fees),
        "rejected": outcomes.count("refused"),
        "resized": outcomes.count("resized"),
        "protected_share": _ratio(record.protected_bars, record.position_bars),
    }


def for_people(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """The figures as people read them: a drawdown is a loss, so it is shown below zero."""
    fall = figures.get("max_drawdown")
    return {**figures, "max_drawdown": fall if fall is None else -fall}


def figure_text(value: Figure, form: str) -> str:
    """A figure for a reader; a dash for what is not defined."""
    return "–" if value is None else zero_unsigned(form.format(value))


def protected_text(share: Figure, form: str, bare_s: float) -> str:
    """The share of position time protected, counted at iterations: what was without a stop between them is told too."""
    if share is None or not bare_s or share < 1:
        return figure_text(share, form)
    return f"<100% ({max(1, round(bare_s))} s)"


def excess_returns(closes: pd.Series, cash_rate: float) -> np.ndarray:
    """Returns from close to close over what cash earned meanwhile; shape ``(n - 1,)``.

    Cash earns simple interest for the calendar days between two sessions, as the account of a backtest does. The first
    moment lies in the first session, all others end theirs.
    """
    values = closes.to_numpy(dtype=float)
    returns = np.asarray(values[1:] / values[:-1] - 1)
    if not cash_rate:
        return returns
    times = pd.DatetimeIndex(closes.index)
    # A bar that closes at midnight ends its day, it doesn't begin the next one.
    days = days_of(pd.DatetimeIndex(times[:1].append(times[1:] - pd.Timedelta(microseconds=1))))
    return returns - cash_rate * np.diff(days.to_numpy()).astype("timedelta64[D]").astype(float) / INTEREST_DAYS


def curve_metrics(
    closes: pd.Series, sessions_per_year: int = SESSIONS_PER_YEAR, cash_rate: float = 0.0
) -> dict[str, Figure]:
    """The figures that any curve of session closes has, so that the benchmark is measured alike.

    Parameters
    ----------
    closes : Series of float
        One value per session, indexed by time, ascending.
    sessions_per_year : int, default=252
    cash_rate : float, default=0
        What cash earns in a year; the ratios are over it.

    Returns
    -------
    dict of str to float or None
        ``total_return``, ``cagr``, ``max_drawdown`` (positive), ``sharpe``, ``sortino``.
    """
    values = closes.to_numpy(dtype=float)
    empty = {"total_return": None, "cagr": None, "max_drawdown": None, "sharpe": None, "sortino": None}
    if len(values) < 2 or not np.isfinite(values).all() or (values <= 0).any():
        return {**empty, "max_drawdown": max_drawdown(values)}
    returns = excess_returns(closes, cash_rate)
    deviation = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    downside = math.sqrt(float(np.square(np.minimum(returns, 0)).mean()))
    scale = math.sqrt(sessions_per_year)
    mean = float(returns.mean())
    years = (closes.index[-1] - closes.index[0]).total_seconds() / _YEAR_SECONDS
    annual = _annualised(years)
    return {
        "total_return": finite(values[-1] / values[0] - 1),
        "cagr": growth(values[0], values[-1], years) if annual else None,
        "max_drawdown": max_drawdown(values),
        "sharpe": finite(mean / deviation * scale) if annual and deviation > NIL_DEVIATION else None,
        "sortino": finite(mean / downside * scale) if annual and downside > NIL_DEVIATION else None,
    }


def session_closes(record: RunRecord) -> pd.Series:
    """Equity at the end of each day, led by the initial equity; a day ends at midnight where the market's days do.

    Returns
    -------
    Series of float
        Indexed by time; the first entry is the initial equity one microsecond before the first bar.
    """
    if not record.equity:
        return pd.Series(dtype=float, index=pd.DatetimeIndex([], tz="UTC"))
    times = pd.DatetimeIndex([row.time for row in record.equity])
    equity = pd.Series([row.equity for row in record.equity], index=times)
    # A bar that closes at midnight ends its day, it doesn't begin the next one.
    days = days_of(times - pd.Timedelta(microseconds=1))
    last_of_day = np.append(days[1:] != days[:-1], True)
    start = pd.Series([record.initial_equity], index=times[:1] - pd.Timedelta(microseconds=1))
    return pd.concat([start, equity[last_of_day]])


def max_drawdown(values: np.ndarray) -> float | None:
    """Largest fall below an earlier peak, as a positive fraction of that peak; shape ``(n,)``."""
    values = values[np.isfinite(values)]
    if not len(values) or values[0] <= 0:
        return None
    peaks = np.maximum.accumulate(values)
    return float(np.max(1 - values / peaks))


def growth(first: float, last: float, years: float) -> float | None:
    """Compound growth per year; ``None`` where no time has passed or the account was lost."""
    if not (years > 0 and first > 0 and last > 0):
        return None
    # A window of hours can grow beyond any float once it is compounded over a year.
    exponent = math.log(last / first) / years
    return finite(math.expm1(exponent)) if exponent < 700 else None


def finite(value: float) -> float | None:
    """The value as a plain float, ``None`` where it is not a finite number."""
    return float(value) if math.isfinite(value) else None


_YEAR_SECONDS = DAYS_PER_YEAR * 86400


def _annualised(years: float) -> bool:
    return years * DAYS_PER_YEAR >= SHORTEST_ANNUALISED


def _mean_equity(record: RunRecord) -> float:
    return _mean(np.array([row.equity for row in record.equity])) or 0.0


def _years(record: RunRecord) -> float:
    rows = record.equity
    if not rows:
        return 0.0
    # Times of one zone subtract by the clock on the wall, which loses an hour to daylight saving.
    return (rows[-1].time.timestamp() - (record.began or rows[0].time).timestamp()) / _YEAR_SECONDS


def _trade_metrics(trades: Sequence[TradeRecord]) -> dict[str, Figure]:
    pnl = np.array([trade.pnl for trade in trades], dtype=float)
    r_multiples = np.array([trade.r_multiple for trade in trades], dtype=float)
    wins, losses = pnl[pnl > 0], pnl[pnl < 0]
    return {
        "trades": len(trades),
        "win_rate": _ratio(len(wins), len(trades)),
        "avg_win": _mean(wins),
        "avg_loss": _mean(losses),
        "avg_r": _mean(r_multiples[np.isfinite(r_multiples)]),
        "profit_factor": _ratio(float(wins.sum()), float(-losses.sum())),
    }


def _exposure(rows: Sequence[EquityRow]) -> float | None:
    return _mean(np.array([_gross(row) / row.equity for row in rows if row.equity > 0]))


def _gross(row: EquityRow) -> float:
    if row.gross_exposure is not None:
        return row.gross_exposure
    return abs(row.long_exposure) + abs(row.inverse_exposure)


def _mean(values: np.ndarray) -> float | None:
    return finite(values.mean()) if len(values) else None


def _ratio(part: float, whole: float) -> float | None:
    return finite(part / whole) if whole > 0 else None
