"""The bars of a run: what its settings and options ask a source for, and what is refused of it."""

from __future__ import annotations

from dataclasses import replace

from backtests.data.data_sets import YAHOO, BarLength, DataSet, load_data, symbols_held
from backtests.data.file_universe import FROM_FILE
from backtests.data.reading.options import Hours, ReadOptions
from backtests.request import RunRequest
from config import Settings
from config.errors import Refusal
from config.reading.error_messages import nearest, some
from config.values.counting import counted
from config.values.markets import NEW_YORK_EQUITY_MARKETS
from market.bars import DAY_MINUTES, BarTable
from market.sectors import inverse_funds
from market.trading_day import use_day_of
from strategies.adapt_to_bars import decides_on_days
from strategies.registry import build_pipeline, build_signals
from strategies.run_notes import nothing_to_trade

FROM_UNIVERSE = "--universe "
GENERAL_DEFAULT = "config/base.yaml"


def data_for(request: RunRequest, settings: Settings, *, has_been: bool = False) -> DataSet:
    """The bars that the settings' universe, modules and benchmark need.

    ``has_been`` is for who looks at a run afterwards: finer bars are put together as they were for the run, and longer
    ones, or symbols of nearly a known name, are what they are.
    """
    use_day_of(settings.pace.day)
    symbols = list(dict.fromkeys([*build_pipeline(settings).symbols(), settings.universe.benchmark]))
    length = None
    if not decides_on_days(settings):
        length = length_of(settings, put_together=request.mode == "backtest", strict=not has_been)
    data = load_data(
        request.data,
        symbols,
        request.start,
        request.end,
        intraday=wants_intraday(settings),
        seed=request.seed,
        traded=settings.universe.traded,
        options=replace(request.reading, hours=hours_of(settings)),
        length=length,
    )
    if told := [note for note in (told_universe(settings, data), told_days(settings, data.table)) if note]:
        data = replace(data, notes=(*data.notes, *told))
    if not has_been:
        refuse_misspelt(settings, data, request.reading)
    if set(settings.universe.traded) <= set(data.missing):
        raise Refusal(nothing_to_trade(data.source, settings.universe.traded, "--symbols"))
    benchmark = settings.universe.benchmark
    if benchmark in data.missing and settings.provenance.chosen("universe.benchmark"):
        raise Refusal(
            f"{settings.source_of('universe.benchmark')}: {data.source} has no bars of {benchmark} to compare with; "
            f"name a benchmark that it has, e.g. one of {some(data.table.symbols)}"
        )
    return data


def refuse_misspelt(settings: Settings, data: DataSet, reading: ReadOptions) -> None:
    """Refuse a symbol that the user typed and the data lack, if they hold one of nearly the same name.

    Others are told and left out. So are those of a file of symbols, which nobody typed for this run, and tickers that
    the settings know by their sector. Whether Yahoo would know another name is not asked.

    Raises
    ------
    Refusal
    """
    universe, source = settings.universe, settings.source_of("universe.symbols")
    typed = settings.provenance.chosen("universe.symbols") and not source.startswith((FROM_FILE, FROM_UNIVERSE))
    absent = [symbol for symbol in universe.traded if symbol in data.missing and symbol not in universe.sectors]
    if not typed or not absent or data.source == YAHOO:
        return
    others = set(symbols_held(data.source, reading)) - set(universe.traded)
    for symbol in absent:
        if near := nearest(symbol, others):
            raise Refusal(
                f"{source}: {data.source} has no bars of {symbol}; did you mean {near}? If not, leave {symbol} out"
            )


def hours_of(settings: Settings) -> Hours:
    """Which hours' bars a run reads: those in which it would trade."""
    if settings.pace.market not in NEW_YORK_EQUITY_MARKETS:
        return "all"
    return "extended" if settings.live.extended_hours.enabled else "regular"


def length_of(settings: Settings, *, put_together: bool, strict: bool = True) -> BarLength:
    """The bars that a run decides on; the general default stands back for daily ones, any does so unless ``strict``.

    A finished run's settings are all in one file, which does not say what was the default.
    """
    source = settings.source_of("pace.bars")
    strict = strict and source != GENERAL_DEFAULT
    return BarLength(settings.pace.bars, source, strict=strict, put_together=put_together)


def told_days(settings: Settings, table: BarTable) -> str:
    """That the run decides on days, where a trader with the same settings decides more often; else empty."""
    if not table.daily or settings.pace.bars == DAY_MINUTES:
        return ""
    return (
        f"decided on days, as the data are; a trader decides on bars of {counted(settings.pace.bars, 'minute')} "
        f"({settings.source_of('pace.bars')}: pace.bars)"
    )


def told_universe(settings: Settings, data: DataSet) -> str:
    """What is traded, where the file says it, and which of its symbols are not; else empty."""
    if not settings.source_of("universe.symbols").startswith(FROM_FILE):
        return ""
    traded = settings.universe.traded
    told = f"universe: {counted(len(traded), 'symbol')} of the file"
    left = [s for s in sorted(inverse_funds(settings.universe.sectors)) if s in data.table.symbols and s not in traded]
    return f"{told}; {some(left)} left to the hedge" if left else told


def wants_intraday(settings: Settings) -> bool:
    """Whether a signal is on that means nothing on daily bars."""
    return any(signal.intraday_only for signal in build_signals(settings))
