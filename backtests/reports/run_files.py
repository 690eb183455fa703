"""The names of a run's files and columns, and the folder that they go into."""

from __future__ import annotations

from datetime import date
from itertools import chain, count
from pathlib import Path

from config.errors import Refusal

ORDER_COLUMNS = (
    "time",
    "client_order_id",
    "parent_id",
    "symbol",
    "side",
    "quantity",
    "type",
    "limit_price",
    "stop_price",
    "role",
    "status",
    "filled_quantity",
    "filled_price",
    "filled_time",
    "reason",
    "sent_time",
    "slippage_usd",
)
TRADE_COLUMNS = (
    "symbol",
    "side",
    "quantity",
    "entry_time",
    "entry_price",
    "exit_time",
    "exit_price",
    "stop",
    "target",
    "atr",
    "stop_multiple",
    "pnl",
    "r_multiple",
    "exit_reason",
    "signal",
    "score",
)
EQUITY_COLUMNS = ("time", "equity", "cash", "long_exposure", "inverse_exposure", "positions")

TEARSHEET = "tearsheet.html"
FILES = (
    "summary.json",
    "orders.csv",
    "trades.csv",
    "decisions.jsonl",
    "equity.csv",
    TEARSHEET,
    "report.html",
    "equity.png",
    "settings.yaml",
    "run.json",
)
TRADE_PAGES = "trades"
"""Folder of the trade pictures inside a run's folder."""
INTERRUPTED = "interrupted"
"""Key of the summary, and of the last line of the decisions, in a run that did not come to its end."""
COMMENT = "#"
"""Begins the last line of each csv file of such a run: ``# interrupted by …``."""


def default_folder(mode: str, profile: str, start: date) -> Path:
    """``runs/<mode>-<profile>-<start>``, the start as a date."""
    return Path("runs") / f"{mode}-{profile}-{start:%Y-%m-%d}"


def unused(path: Path) -> Path:
    """The folder itself if nothing is there yet, else the first of ``-2``, ``-3`` and so on that is not there."""
    later = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(candidate for candidate in chain([path], later) if not candidate.exists())


def check_folder(path: Path, overwrite: bool) -> None:
    """Refuse a folder that a run can't write into, and leave it as it is; see ``prepare_folder``."""
    try:
        if path.is_dir():
            if not overwrite and any(path.iterdir()):
                raise Refusal(f"{path} is not empty: choose another --out or add --overwrite")
        elif path.exists():
            raise Refusal(f"{path} is a file: --out needs a folder")
    except OSError as error:
        raise Refusal(f"{path} can't be used as --out: {error.strerror}") from error


def prepare_folder(path: Path, overwrite: bool) -> Path:
    """Make the folder of a run, empty of an earlier run's files.

    Parameters
    ----------
    path : Path
        Made with its parents if it isn't there.
    overwrite : bool
        Allow a folder that is not empty. Only files that a run writes are removed from it.

    Raises
    ------
    Refusal
        If the folder is not empty and ``overwrite`` is false, or if it can't be made.
    """
    check_folder(path, overwrite)
    try:
        path.mkdir(parents=True, exist_ok=True)
        for known in [path / name for name in FILES] + _trade_pictures(path):
            known.unlink(missing_ok=True)
    except OSError as error:
        raise Refusal(f"{path} can't be used as --out: {error.strerror}") from error
    return path


def _trade_pictures(folder: Path) -> list[Path]:
    """The pictures of trades that a run left, one of an earlier version too; other files in the folder are not."""
    named = ("all-by-entry.png", "by-entry-*.png", "worst-and-best.png", "page-*.png")
    return sorted(path for pattern in named for path in (folder / TRADE_PAGES).glob(pattern))
