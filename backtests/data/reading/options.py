"""What a reader of bar files may be told, and what it refuses to read whatever it is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from config.errors import Refusal
from config.values.markets import NEW_YORK
from config.values.symbols import canonical

DateOrder = Literal["dmy", "mdy"]
Decimal = Literal["point", "comma"]
Hours = Literal["regular", "extended", "all"]
Labels = Literal["begin", "end"]

MAX_BYTES = 2 * 1024**3
"""A table that unpacks to more is refused before it is read."""
MAX_COLUMNS = 20_000
MAX_LINE_BYTES = 4 * 1024**2
LONGEST_TOLD = 60


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read what a file alone leaves open.

    Parameters
    ----------
    date_order : {"dmy", "mdy"}, optional
        Of dates such as 03/04/2022.
    timezone : str, optional
        IANA name of the zone of times without an offset, where the user says it.
    unsaid_timezone : str
        Their zone where the user doesn't; New York's by default, UTC for what trades around the clock.
    decimal : {"point", "comma"}, optional
        What a number such as 1,234 means.
    symbol : str, optional
        Of a file of one symbol that does not name it.
    hours : {"regular", "extended", "all"}
        Which bars of exchange-traded symbols are kept: those of 09:30 to 16:00 New York, of 04:00 to 20:00, or all.
    max_bytes : int
        Size of the unpacked table from which on it is refused.
    labels : {"begin", "end"}, optional
        Whether a bar's time is that of its opening or that of its end; the opening's where nothing speaks against it.
    symbol_option : str
        The option by which the command's user says ``symbol``, for messages.
    """

    date_order: DateOrder | None = None
    timezone: str | None = None
    decimal: Decimal | None = None
    symbol: str | None = None
    hours: Hours = "regular"
    max_bytes: int = MAX_BYTES
    unsaid_timezone: str = NEW_YORK
    labels: Labels | None = None
    symbol_option: str = "--symbols"

    def __post_init__(self) -> None:
        if self.timezone is not None:
            try:
                ZoneInfo(self.timezone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise Refusal(
                    f"--timezone {self.timezone}: there is no such zone; write one such as UTC or America/New_York"
                ) from None
        if self.symbol is not None:
            try:
                object.__setattr__(self, "symbol", canonical(self.symbol))
            except ValueError as error:
                raise Refusal(f"{self.symbol_option} {self.symbol}: is no ticker; {error}") from None


PLAIN = ReadOptions()


def ends_of_bars(path: Path, told: str) -> Refusal:
    """The refusal of times that are not those at which bars begin; ``told`` says what shows it."""
    return Refusal(
        f"{path}: {told} those at which bars end; say --labels end, which takes one length of a bar off each time, or "
        "--labels begin if they are openings"
    )


def shortened(value: object) -> str:
    """A value of a file as it may stand in a message."""
    text = repr(value)
    return text if len(text) <= LONGEST_TOLD else f"{text[:LONGEST_TOLD]}…"


def symbols_in(names: Iterable[object]) -> dict[object, str]:
    """The one spelling of each name; those that can be no symbol are left out."""
    found: dict[object, str] = {}
    for name in names:
        try:
            found[name] = canonical(str(name))
        except ValueError:
            continue
    return found
