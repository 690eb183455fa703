"""Which arguments a mode reads; one that would change nothing is refused rather than ignored."""

from __future__ import annotations

from collections.abc import Collection

from backtests.request import Mode
from config.errors import Refusal

_SIMULATED: tuple[Mode, ...] = ("backtest", "rehearse")
_BACKTEST: tuple[Mode, ...] = ("backtest",)
_VENUE: tuple[Mode, ...] = ("paper", "live")

READ_BY: dict[str, tuple[tuple[Mode, ...], str]] = {
    "data": (_SIMULATED, "the bars come from the venue"),
    "date_order": (_SIMULATED, "the bars come from the venue"),
    "timezone": (_SIMULATED, "the bars come from the venue"),
    "labels": (_SIMULATED, "the bars come from the venue"),
    "decimal": (_SIMULATED, "the bars come from the venue"),
    "start": (_SIMULATED, "it begins now"),
    "end": (_SIMULATED, "it ends when it is stopped"),
    "budget": (_SIMULATED, "the venue says what there is"),
    "lookahead": (_BACKTEST, "it checks a backtest"),
    "engine": (_BACKTEST, "it drives a backtest"),
    "draw_all": (_BACKTEST, "it draws the trades of a backtest"),
    "no_report": (_BACKTEST, "only a backtest's report can be left out"),
    "speed": (("rehearse",), "only a rehearsal makes time pass faster"),
    "sleeptime": (("rehearse", *_VENUE), "a backtest decides once per bar"),
    "alpaca_url": (_VENUE, "its orders don't leave this machine"),
    "state_dir": (_VENUE, "it keeps what it must not forget in the run's own folder, if anything"),
    "dotenv": (("backtest", *_VENUE), "its exchange has keys of its own"),
    "yes": (("live",), "only real money asks for a word"),
}
"""Arguments that not every mode reads: which do, and why the others don't. What is not here is read by all."""

SINGLE_SHOTS = {
    "lookahead": "the check prints what it finds and writes no files",
    "once": "one iteration is printed and writes no files",
    "scan": "one iteration is printed and writes no files",
}
FILES = ("out", "overwrite", "draw_all", "no_report", "scoreboard")


def refuse_unread(given: Collection[str], mode: Mode, chosen: bool) -> None:
    """Refuse arguments that would change nothing.

    Parameters
    ----------
    given : collection of str
        Arguments that were given, under the names they have in a namespace.
    mode : {"backtest", "rehearse", "paper", "live"}
    chosen : bool
        Whether the mode was given too; otherwise the message says that it was taken.

    Raises
    ------
    Refusal
    """
    for name, (readers, why) in READ_BY.items():
        if name in given and mode not in readers:
            taken = "" if chosen else ", the mode that was taken as none was given"
            ways = " or ".join(f"--{reader}" for reader in readers)
            raise Refusal(f"{_said(name)} is not read with --{mode}{taken}: {why}; leave it out or give {ways}")
    for single, why in SINGLE_SHOTS.items():
        # Where a rehearsal writes there is also the state of its one iteration.
        unread = FILES[2:] if mode == "rehearse" else FILES
        for name in (*unread, *(other for other in SINGLE_SHOTS if other != single)):
            if single in given and name in given:
                raise Refusal(f"{_said(name)} is not read with {_said(single)}: {why}; leave one of them out")
    if "overwrite" in given and "out" not in given and mode != "backtest":
        raise Refusal(f"--overwrite is not read with --{mode} alone: every start has a new folder; add --out")


def _said(name: str) -> str:
    return f"--{name.replace('_', '-')}"
