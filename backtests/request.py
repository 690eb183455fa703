"""What a run was asked for, as the command line hands it on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from backtests.data.reading.options import PLAIN, ReadOptions
from config import Settings

Mode = Literal["backtest", "rehearse", "paper", "live"]
Engine = Literal["lumibot", "replay"]

EMBEDDED_OVERLAY = Path(__file__).parent / "embedded" / "embedded.yaml"
"""Fits the settings to the embedded symbols; named here so that it is found without loading any data code."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A validated request. What the settings also hold is the same value, already merged into them.

    Parameters
    ----------
    strategy, profile : str
        Names in the registry and in ``config/profiles``.
    mode : {"backtest", "rehearse", "paper", "live"}
    data : str
        ``yahoo``, ``alpaca``, ``embedded`` or the path of a .parquet or .csv file that exists.
    start, end : date or None
        First and last day, both included; None is where the data begins or ends.
    budget : float
        Cash at the start in USD.
    seed : int
    out : Path or None
        Folder of the run's files; None is ``runs/<mode>-<profile>-<start>``.
    overwrite : bool
        Whether files of an earlier run in it may be replaced.
    once, scan : bool
        One iteration only; ``scan`` is ``once`` that submits nothing.
    lookahead : int
        Instead of a run: at how many moments to check that later data change nothing; 0 is a run.
    draw_all : bool
        Draw every trade, not only the worst and the best.
    report : bool
        Write pictures, page and tearsheet beside the tables.
    scoreboard : bool
        Print measures beside goals, for the whole run and its last days.
    quiet : bool
        No progress bar.
    verbose : bool
        Say also which settings differ from the defaults, and who set them.
    json : bool
        One JSON document on standard output, and nothing else there.
    speed : float or None
        Of a rehearsal: seconds of the venue in one of ours; None is a choice by the data.
    settings : Settings
    reading : ReadOptions
        What settles that which a file leaves open.
    engine : {"lumibot", "replay"}
        Which loop drives a backtest; the record files are the same.
    """

    strategy: str
    profile: str
    mode: Mode
    data: str
    start: date | None
    end: date | None
    budget: float
    seed: int
    out: Path | None
    overwrite: bool
    once: bool
    scan: bool
    lookahead: int
    draw_all: bool
    report: bool
    scoreboard: bool
    quiet: bool
    verbose: bool
    json: bool
    speed: float | None
    settings: Settings
    reading: ReadOptions = PLAIN
    engine: Engine = "lumibot"
