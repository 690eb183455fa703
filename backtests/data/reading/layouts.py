"""What the columns of a file mean: whose export it is, where symbol, time and prices stand, and what it leaves open."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path

from backtests.data.reading.company_columns import companies
from backtests.data.reading.exports import (
    EPOCHS,
    HEADLESS_DAY_AND_CLOCK,
    HEADLESS_ONE_TIME,
    HEADLESS_SINCE_1970,
    TIMES,
    exporter,
    other_names,
    renamings,
)
from backtests.data.reading.file_names import symbol_of_file
from backtests.data.reading.options import LONGEST_TOLD, ReadOptions, shortened, symbols_in
from backtests.data.reading.tables import Names, RawTable
from backtests.data.reading.times import WHOLE
from config.errors import Refusal
from config.reading.error_messages import some
from config.values.symbols import canonical
from market.bars import FIELDS, PRICES

NEEDED = ("symbol", "datetime", *FIELDS)
ADJUSTED = "adjusted"
_SYMBOLS = ("symbol", "ticker", "name", "sym")
_TIMES = (*EPOCHS, "datetime", "timestamp", *TIMES, "date", "time", "gmttime", "localtime", "index", "")
_MEANINGS = {
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "volume": "volume",
    "vol": "volume",
    "tickvol": "volume",
    "tickvolume": "volume",
    "closelast": "close",
    "adjclose": ADJUSTED,
    "adjustedclose": ADJUSTED,
    "adjusted": ADJUSTED,
    "closeadj": ADJUSTED,
    "openprice": "open",
    "highprice": "high",
    "lowprice": "low",
    "closeprice": "close",
}
LIKE = 0.6
"""Likeness, 0 to 1, from which on a heading is told before the others."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Where the bars of one or of many symbols stand.

    Parameters
    ----------
    fields : dict of str to int
        Places of open, high, low, close, volume and, where there is one, of the adjusted close.
    symbol : int or None
        Place of the column of symbols.
    name : str
        The only symbol, where there is no such column.
    adjusted : str
        What the column of adjusted closes is called, for messages.
    """

    fields: dict[str, int]
    symbol: int | None = None
    name: str = ""
    adjusted: str = "adjusted close"


@dataclass(frozen=True, slots=True)
class Layout:
    """A file's columns by their meaning.

    Parameters
    ----------
    kind : str
        Whose form it is, in words.
    times : tuple of int
        Places of the time, or of date and time of day.
    bars : tuple of Bars
        One for a long table, one for each symbol of a wide one.
    stooq : bool
        Whether symbols end in the market they trade at, such as ``.US``.
    """

    kind: str
    times: tuple[int, ...]
    bars: tuple[Bars, ...]
    stooq: bool = False

    @property
    def places(self) -> list[int]:
        """Every column that is read."""
        found = dict.fromkeys(self.times)
        for bars in self.bars:
            found.update(dict.fromkeys(bars.fields.values()))
            found.update({bars.symbol: None} if bars.symbol is not None else {})
        return list(found)


def layout_of(raw: RawTable, path: Path, options: ReadOptions, minutes: int | None = None) -> Layout:
    """What the columns of a file mean.

    Parameters
    ----------
    raw : RawTable
    path : Path
        Its name is the symbol of a file that names none.
    options : ReadOptions
        They may say that symbol.
    minutes : int, optional
        Length of the bars of a file in MetaTrader 4's form, as far as its symbol depends on it.

    Raises
    ------
    Refusal
        A column is missing or there twice, or whose bars they are is left open.
    """
    if raw.headless:
        return _headless(raw, path, options, minutes)
    names = tuple(map(_of_tuple, raw.names))
    if any(len([part for part in name if part]) > 1 for name in names):
        return _two_rows(names, path)
    plain = [_plain(name) for name in names]
    found = _long(raw, plain, names, path, options)
    return found if found is not None else _wide(names, plain, path, options)


def _headless(raw: RawTable, path: Path, options: ReadOptions, minutes: int | None) -> Layout:
    """Columns without headings, in the order in which everybody writes them."""
    width = len(raw.names)
    counted = bool(re.fullmatch(WHOLE, raw.first[0].strip()))
    known = HEADLESS_SINCE_1970 if counted else range(HEADLESS_ONE_TIME, HEADLESS_DAY_AND_CLOCK + 3)
    if width not in known:
        raise Refusal(f"{path}: its first row holds no headings; write one such as {','.join(NEEDED)}")
    whose = HEADLESS_SINCE_1970[width] if counted else ""
    times = (0,) if counted or width == HEADLESS_ONE_TIME else (0, 1)
    fields = {name: len(times) + k for k, name in enumerate(FIELDS)}
    name = symbol_of_file(path, options, minutes)
    return Layout(f"{whose}no headings, one symbol", times, (Bars(fields, name=name),))


def _plain(name: Sequence[str]) -> str:
    return re.sub(r"[<>()\s_./*#-]+", "", " ".join(name)).lower()


def _of_tuple(name: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a heading that a table with several header rows was written by: ``('Close', 'AAA')``."""
    if len(name) == 1 and re.fullmatch(r"\(.{1,200}\)", name[0]):
        try:
            parts = ast.literal_eval(name[0])
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return name
        if isinstance(parts, tuple) and all(isinstance(part, str) for part in parts):
            return parts
    return name


def _long(raw: RawTable, plain: Sequence[str], names: Names, path: Path, options: ReadOptions) -> Layout | None:
    """A table with one row for each bar; None if prices have other names than these."""
    fields: dict[str, int] = {}
    for place, name in enumerate(plain):
        meaning = _MEANINGS.get(name)
        if meaning is None:
            continue
        if meaning in fields:
            # Volume has several names, and MetaTrader writes two of them: the ticks come first, and are what there is.
            if meaning == "volume" and plain[fields[meaning]] != name:
                continue
            told = " and ".join(dict.fromkeys([" ".join(names[fields[meaning]]), " ".join(names[place])]))
            raise Refusal(f"{path}: two columns of {meaning} ({told}); leave one of them out")
        fields[meaning] = place
    fields |= other_names(plain, fields)
    if not any(name in fields for name in PRICES[:3]):
        return None
    symbols = [k for wanted in _SYMBOLS for k, name in enumerate(plain) if name == wanted][:1]
    if symbols and list(plain).count(plain[symbols[0]]) > 1:
        raise Refusal(f"{path}: two columns {plain[symbols[0]]}; leave one of them out")
    symbols = symbols or companies(raw, plain, path, options)
    times = _times(plain, path)
    missing = [name for name in FIELDS if name not in fields]
    if not times:
        missing = ["datetime", *missing]
    if missing:
        raise _lacks(missing, names, path, options, named=bool(symbols))
    name = "" if symbols else symbol_of_file(path, options)
    bars = Bars(fields, symbols[0] if symbols else None, name)
    if ADJUSTED in fields:
        bars = replace(bars, adjusted=" ".join(names[fields[ADJUSTED]])[:LONGEST_TOLD])
    return Layout(_kind(plain, names, bars), times, (bars,), stooq="per" in plain)


def _times(plain: Sequence[str], path: Path) -> tuple[int, ...]:
    found = {name: [k for k, other in enumerate(plain) if other == name] for name in _TIMES}
    twice = next((name for name, places in found.items() if name and len(places) > 1), None)
    if twice is not None:
        raise Refusal(f"{path}: two columns {twice}; leave one of them out")
    # What counts from 1970 has a zone, and the date beside it may have none.
    for name in (*EPOCHS, "datetime", "timestamp"):
        if found[name]:
            return (found[name][0],)
    if found["date"] and found["time"]:
        return (found["date"][0], found["time"][0])
    return next(((places[0],) for places in found.values() if len(places) == 1), ())


def _kind(plain: Sequence[str], names: Names, bars: Bars) -> str:
    there = set(plain)
    one = bars.symbol is None
    of = "one symbol" if one else f"symbols in column {' '.join(names[bars.symbol or 0])[:LONGEST_TOLD]}"
    if {"ticker", "per"} <= there:
        return "Stooq"
    if found := exporter(frozenset(there)):
        return f"{found}, {of}"
    if "adjclose" in there and one:
        return f"Yahoo, {of}"
    if not one and plain[bars.symbol or 0] == "name":
        return f"Kaggle, {of}"
    if one and "time" in there and "date" not in there:
        return f"TradingView, {of}"
    return of if one else "long table" if tuple(plain[: len(NEEDED)]) == NEEDED else f"long table, {of}"


def _two_rows(names: Names, path: Path) -> Layout:
    """A table with a row of fields and a row of symbols above its columns."""
    heads = [name for name in names if len([part for part in name if part]) > 1]
    depth = max(map(len, heads))
    level = next((k for k in range(depth) if any(_field(name, k) in PRICES for name in heads)), None)
    if level is None:
        raise Refusal(f"{path}: {depth} rows of headings, none of them open, high, low, close; write one row of them")
    other = next((k for k in range(depth) if k != level and all(len(name) > k and name[k] for name in heads)), None)
    if other is None:
        raise Refusal(f"{path}: rows of headings without symbols; write one row, {', '.join(NEEDED)}")
    by: dict[str, dict[str, int]] = {}
    times: list[int] = []
    for place, name in enumerate(names):
        meaning, symbol = _field(name, level), name[other] if len(name) > other else ""
        if meaning:
            _note(by, symbol, meaning, place, path)
        elif not times:
            times.append(place)
    return _of_many(by, times, f"yfinance, {depth} rows of headings", path)


def _field(name: Sequence[str], level: int) -> str:
    return _MEANINGS.get(_plain(name[level : level + 1]), "")


def _wide(names: Names, plain: Sequence[str], path: Path, options: ReadOptions) -> Layout:
    """A table with the columns of many symbols beside one another: ``AAA_open``, ``Open BBB``, ``CCC.Close``."""
    by: dict[str, dict[str, int]] = {}
    rest: list[int] = []
    for place, name in enumerate(names):
        words = re.split(r"[\s_.:|]+", " ".join(name).strip())
        for at, symbol in ((-1, words[:-1]), (0, words[1:])):
            meaning = _MEANINGS.get(words[at].lower(), "")
            if len(words) > 1 and meaning:
                _note(by, ".".join(symbol), meaning, place, path)
                break
        else:
            rest.append(place)
    times = [k for k in rest if plain[k] in _TIMES][:1]
    # One incomplete group is no symbol's: Day High and Day Low are headings of a long table, as is a column of symbols.
    several = len(by) > 1 or all(len(set(FIELDS) & fields.keys()) == len(FIELDS) for fields in by.values())
    if set(plain) & set(_SYMBOLS) or not several or not any(len(fields) > 1 for fields in by.values()):
        symbols = symbols_in(" ".join(names[k]) for k in rest if plain[k] not in _TIMES)
        unnamed = not by and not set(plain) & {*_MEANINGS, *_SYMBOLS}
        if unnamed and times and len(symbols) > 1 and len(symbols) == len(rest) - 1:
            raise Refusal(
                f"{path}: one price a day of {some(list(symbols.values()))}; bars need open, high, low, close, volume"
            )
        known = {_MEANINGS.get(name) for name in plain}
        missing = [name for name in FIELDS if name not in known]
        if not times:
            missing = ["datetime", *missing]
        raise _lacks(missing, names, path, options, named=bool(set(plain) & set(_SYMBOLS)))
    return _of_many(by, times, "wide table", path)


def _lacks(missing: Sequence[str], names: Names, path: Path, options: ReadOptions, *, named: bool) -> Refusal:
    """Everything that a table has no column of, beside the headings that it has, the likest first.

    ``named`` tells that a column says whose the bars are; an option or the file's own name may say it too.
    """
    if not named:
        try:
            symbol_of_file(path, options)
        except Refusal:
            missing = ["symbol", *missing]
    spellings = {plain for plain, meaning in _MEANINGS.items() if meaning in missing}
    if "datetime" in missing:
        spellings |= {name for name in _TIMES if name}
    if "symbol" in missing:
        spellings |= set(_SYMBOLS)
    ranked = sorted(names, key=lambda name: -_likeness(_plain(name), spellings))
    headings = some([shortened(" ".join(name)) for name in ranked])
    needed = ", ".join(NEEDED)
    found = renamings([" ".join(name) for name in ranked], list(map(_plain, ranked)), missing)
    renamed = ", ".join(f"{shortened(heading)} to {meaning}" for heading, meaning in found.items())
    renamed = f"; rename {renamed}" if renamed else ""
    way_out = "; a file of one symbol may be named after it instead, AAPL.csv" if "symbol" in missing else ""
    return Refusal(
        f"{path}: no column {', '.join(missing)} among {headings}{renamed}; the file needs the columns "
        f"{needed}{way_out}"
    )


def _likeness(heading: str, spellings: Collection[str]) -> float:
    """How like the likest of ``spellings`` a heading is; 0 where it is like none."""
    if heading in _MEANINGS or heading in _TIMES or heading in _SYMBOLS:
        return 0.0
    found = max((SequenceMatcher(None, heading, spelling).ratio() for spelling in spellings), default=0.0)
    return found if found >= LIKE else 0.0


def _note(by: dict[str, dict[str, int]], symbol: str, meaning: str, place: int, path: Path) -> None:
    fields = by.setdefault(symbol, {})
    if meaning in fields:
        raise Refusal(f"{path}: two columns of {meaning} of {shortened(symbol)}; leave one of them out")
    fields[meaning] = place


def _of_many(by: dict[str, dict[str, int]], times: Sequence[int], kind: str, path: Path) -> Layout:
    lacking = [] if times else ["of times (write one named Date)"]
    for name, fields in by.items():
        if missing := [field for field in FIELDS if field not in fields]:
            lacking.append(f"{', '.join(missing)} of {shortened(name)}")
    if lacking:
        shown = "; ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
        raise Refusal(f"{path}: no column {shown}; bars need {', '.join(FIELDS)}")
    bars = []
    for name, fields in by.items():
        try:
            bars.append(Bars(fields, name=canonical(name)))
        except ValueError as error:
            raise Refusal(f"{path}: {shortened(name)} above a column is no ticker; {error}") from None
    return Layout(f"{kind}, {len(bars)} symbol{'s' if len(bars) > 1 else ''}", tuple(times), tuple(bars))
