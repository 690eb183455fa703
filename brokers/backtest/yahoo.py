"""What Lumibot's Yahoo cache holds, and whether Yahoo can be asked for the rest.

Unreachable, Yahoo costs Lumibot ten seconds and more per symbol before it gives up, and the strategy then
runs on what is left. So it is found out before a run, in seconds, and told in one sentence.
"""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import pandas as pd

from config.errors import Refusal
from config.values.symbols import at_yahoo, is_symbol
from market.calendar import last_session

YAHOO_URL = "https://query2.finance.yahoo.com/"
REACH_TIMEOUT_S = 4.0
HELD_UNTIL = date(2100, 1, 1)
WAY_OUT = "fill the cache with scripts/fill_yahoo_cache.py FILE, or"
WITH_A_FILE = "run with --data FILE"


def require_yahoo(symbols: Sequence[str], end: date, watched: Collection[str] = (), instead: str = WITH_A_FILE) -> date:
    """Make sure that a Yahoo run up to ``end`` can get its bars, before it starts.

    Parameters
    ----------
    symbols : sequence of str
        All symbols the run will ask for.
    end : date
        Last day of the run, included.
    watched : collection of str
        Those of them that are not traded: gauges, funds, the benchmark. A fund that has ended stops no run.
    instead : str, optional
        What whoever runs it can do without Yahoo.

    Returns
    -------
    date
        The last session on or before ``end``. Hand Lumibot this as the last day: it takes a cache that
        ends on Friday as outdated on Saturday.

    Raises
    ------
    Refusal
        Within seconds, if symbols are not cached up to that session and Yahoo cannot be reached, or if
        they are held at an earlier bar, so that Lumibot would not ask for newer ones.
    """
    needed = last_session(pd.Timestamp(end)).date()
    short: list[str] = []
    held: list[str] = []
    for symbol in dict.fromkeys(symbols):
        if symbol in watched:
            continue
        last, is_held = _cached(at_yahoo(symbol))
        if last is None or last < needed:
            (held if is_held else short).append(symbol)
    if held:
        raise Refusal(
            f"the Yahoo cache of {', '.join(held)} is held and ends before {needed}; "
            "choose an earlier --end or fill the cache from a longer file"
        )
    if short and not reachable():
        raise Refusal(
            f"no cached Yahoo bars up to {needed} for {', '.join(short)} and Yahoo is unreachable; {WAY_OUT} {instead}"
        )
    return needed


def served(symbols: Sequence[str], end: date, watched: Collection[str]) -> list[str]:
    """The symbols without those watched ones that neither the cache nor Yahoo has up to ``end``.

    What is held ends where it ends, and Lumibot asks for no more of it.
    """
    short = []
    for symbol in watched:
        last, is_held = _cached(at_yahoo(symbol))
        if not is_held and (last is None or last < end):
            short.append(symbol)
    if short and reachable():
        short = []
    return [symbol for symbol in symbols if symbol not in short]


def yahoo_bars(source: Any, symbol: str) -> Any:
    """Lumibot's own frame of a symbol's daily bars, None without any.

    Yahoo writes some symbols in its own way; what it sends is kept under ours too, as Lumibot asks by that.
    """
    from lumibot.entities import Asset

    if not is_symbol(symbol):
        return None
    asset, there = Asset(symbol), Asset(at_yahoo(symbol))
    if asset in source._data_store:
        return source._data_store[asset]
    frame = source._get_source_symbol_data(there, "day")
    if frame is not None and there in source._data_store:
        for kept in (source._data_store, source._data_index_values, source._data_open_values):
            kept[asset] = kept[there]
    return frame


def reachable(url: str | None = None, timeout_s: float = REACH_TIMEOUT_S) -> bool:
    """Whether Yahoo (through the proxy, if one is set) answers at all within ``timeout_s`` seconds."""
    answered = threading.Event()

    def ask() -> None:
        try:
            with urllib.request.urlopen(url or YAHOO_URL, timeout=timeout_s):  # noqa: S310  # never a user's text
                answered.set()
        except urllib.error.HTTPError:
            answered.set()
        except OSError:
            pass

    # Name resolution obeys no timeout, hence the thread that may be left behind.
    asker = threading.Thread(target=ask, daemon=True)
    asker.start()
    asker.join(timeout_s)
    return answered.is_set()


def _cached(symbol: str) -> tuple[date | None, bool]:
    """Date of the last cached bar, and whether the cache is held beyond it."""
    # Lumibot makes a file's name of it, and reads what is there.
    stored = yahoo_helper().check_pickle_file(symbol, "1d") if is_symbol(symbol) else None
    if stored is None or stored.data is None or stored.data.empty:
        return None, False
    held = stored.data.index[-1].date() >= HELD_UNTIL
    return stored.data.index[-2 if held else -1].date(), held


def yahoo_helper() -> Any:
    """Lumibot's class around the cache; imported late, as Lumibot reads the cache folder when it is first imported."""
    from lumibot.tools.yahoo_helper import YahooHelper

    return YahooHelper
