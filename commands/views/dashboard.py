"""``dashboard``: the operator's page in a browser."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.composition import command
from commands.operator.account import settings_of
from commands.options import KeyOptions, ScreenOptions, SettingsOptions, StateOptions, a_whole
from config.errors import Refusal

if TYPE_CHECKING:
    from dashboard.settings import PageSettings

LEAST_TOKEN = 20


@command(
    "risk-first dashboard",
    "risk-first dashboard --state-dir runs/rehearse-intraday-2022-03-14/state --port 0",
    "risk-first dashboard --runs runs --token-file page.token",
)
def dashboard(
    state: StateOptions,
    chosen: SettingsOptions,
    keys: KeyOptions,
    screen: ScreenOptions,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the runs whose reports are shown.")] = Path(
        "runs"
    ),
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="An address of this machine alone.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(parser=a_whole, metavar="N", help="0 takes a free one (default: monitoring.port).")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the page's token in this file, instead of a new one a start."),
    ] = None,
) -> int:
    """Show the trader in a browser on this machine.

    Equity, positions with what protects them, limits, halts, every decision with its chain, orders, the scoreboard
    and reports. It reads only: the journal (DATABASE_URL where that is set, else the one in the state folder), the
    state folder and the folder of runs. It works while the trader runs and after it stopped, without a network.
    The address that it prints holds a token; the page answers to this machine alone.

    Exit status: 0 done, 2 refused the input.
    """
    from commands.operator.places import journal_of
    from config.operating import operating
    from dashboard.settings import PageSettings

    settings = settings_of(chosen, state, keys, screen=screen)
    page = PageSettings(
        journal=_absolute(journal_of(settings)),
        state_dir=str(Path(settings.live.state_dir).absolute()),
        runs=str(runs.absolute()),
        token=secrets.token_urlsafe(24) if token_file is None else kept_token(token_file),
        host=host,
        port=settings.monitoring.port if port is None else port,
        beat_s=settings.monitoring.beat_s,
        **operating().page.model_dump(),
    )
    become(page)
    return 0


def become(page: PageSettings) -> None:
    """Turn this process into the page's: a small one, without the settings' libraries and without any key.

    Raises
    ------
    Refusal
        The journal cannot be read, or the address is not one of this machine alone.
    """
    from dashboard.server import listening
    from dashboard.workers import environment
    from monitoring.journal_reader import JournalReader

    with JournalReader(page.journal).open():
        pass
    listening(page).close()
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "dashboard"], environment(page))  # noqa: S606  # our own module


def kept_token(path: Path) -> str:
    """The token of a file that only its owner can read; a new one is written where there is none.

    Raises
    ------
    Refusal
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    except OSError as error:
        raise Refusal(f"--token-file {path}: cannot be written ({error.strerror}); name another") from None
    else:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(24) + "\n")
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise Refusal(f"--token-file {path}: others can read it; run chmod 600 {path}")
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Refusal(f"--token-file {path}: cannot be read; name another") from None
    if len(token) < LEAST_TOKEN or not token.isascii() or not token.replace("-", "").replace("_", "").isalnum():
        raise Refusal(
            f"--token-file {path}: a token has at least {LEAST_TOKEN} letters and digits; delete it for a new one"
        )
    return token


def _absolute(journal: str | Path) -> str:
    return str(journal.absolute()) if isinstance(journal, Path) else str(journal)
