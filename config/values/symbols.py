"""How symbols are written: one spelling inside, and the one that each source wants at its border.

Inside, and at Alpaca, a class share is ``BRK.B`` and a pair of currencies ``BTC/USD``. Yahoo writes ``BRK-B``, files
any of these or ``BRK/B``. Preferred shares, warrants and units have the listing exchange's own suffixes
(``BAC.PRL``, ``OXY.WS``, ``ABC.U``); Yahoo writes ``BAC-PL``, ``OXY-WT``, ``ABC-UN``.
"""

from __future__ import annotations

import re

# A path or a wildcard is no symbol: words of letters and digits, joined by single separators, at most one slash.
_SHAPE = re.compile(r"\^?[A-Z0-9_]+(?:[.\-=][A-Z0-9_]+)*(?:/[A-Z0-9_]+)?(?:=[A-Z])?")
_LONGEST = 24
_JOINED = re.compile(r"([A-Z]{1,6})[./-]([A-Z]{1,4})")
_CODED = re.compile(r"([A-Z0-9]{2,12})[/-]([A-Z]{3,4})")
# Exchanges outside the United States that Yahoo marks with one letter: VOD.L is listed in London, not of class L.
_FOREIGN = frozenset("LFV")
_CURRENCIES = frozenset(["USD", "EUR", "GBP", "JPY", "CAD", "AUD", "CHF", "USDT", "USDC", "BTC", "ETH"])
OTHER_MONEY = frozenset({"EUR", "GBP", "CAD", "JPY", "CHF", "AUD"})
"""Currencies beside USD that Kraken keeps: what there is of one is money, and no coin that is held."""
_PREFERRED = re.compile(r"PR?([A-Z])?")
_SPECIAL = {"WS": "WS", "WT": "WS", "U": "U", "UN": "U"}
_AT_YAHOO = {"WS": "WT", "U": "UN"}


def canonical(text: str) -> str:
    """The one spelling of a symbol.

    Parameters
    ----------
    text : str
        As somebody wrote it: any case, blanks around it, class shares with ``.``, ``-`` or ``/``.

    Raises
    ------
    ValueError
        It can be no symbol; the message says what would be right.
    """
    symbol = text.strip().upper()
    if len(symbol) > _LONGEST or not _SHAPE.fullmatch(symbol):
        raise ValueError("write a ticker, e.g. AAPL, BRK.B or BTC/USD")
    if (pair := _CODED.fullmatch(symbol)) and pair[2] in _CURRENCIES:
        return f"{pair[1]}/{pair[2]}"
    joined = _JOINED.fullmatch(symbol)
    if joined is None:
        return symbol
    root, suffix = joined[1], joined[2]
    if suffix in _SPECIAL:
        return f"{root}.{_SPECIAL[suffix]}"
    if len(suffix) == 1:
        return symbol if suffix in _FOREIGN and "." not in symbol else f"{root}.{suffix}"
    if (preferred := _PREFERRED.fullmatch(suffix)) and "/" not in symbol and suffix != "PR":
        return f"{root}.PR{preferred[1] or ''}"
    return symbol


def is_symbol(text: str) -> bool:
    """Whether a text can be a symbol: what becomes part of a file's name or of an address has to be asked before."""
    try:
        canonical(text)
    except ValueError:
        return False
    return True


def spelled(text: str) -> str:
    """The one spelling of what may be a symbol; anything else as it is."""
    try:
        return canonical(text)
    except ValueError:
        return text


def is_money(symbol: str) -> bool:
    """Whether what a pair trades is money of another currency than USD."""
    return symbol.partition("/")[0] in OTHER_MONEY


def in_other_money(symbol: str) -> bool:
    """Whether a pair's price is in something else than USD: what it trades are the coins of the pair against USD."""
    return "/" in symbol and not symbol.endswith("/USD")


def at_yahoo(symbol: str) -> str:
    """A canonical symbol as Yahoo writes it: ``BRK-B``, ``BTC-USD``, ``BAC-PL``."""
    if "/" in symbol:
        return symbol.replace("/", "-")
    root, dot, suffix = symbol.partition(".")
    if not dot or "." in suffix:
        return symbol
    if suffix in _AT_YAHOO:
        return f"{root}-{_AT_YAHOO[suffix]}"
    if suffix.startswith("PR") and len(suffix) <= len("PRA"):
        return f"{root}-P{suffix[2:]}"
    return f"{root}-{suffix}" if len(suffix) == 1 and suffix not in _FOREIGN else symbol
