"""``explain``: why something was sent, resized, refused or not even proposed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.composition import command
from commands.operator.account import settings_of
from commands.options import KeyOptions, ScreenOptions, SettingsOptions, StateOptions, a_count
from config.errors import Refusal

if TYPE_CHECKING:
    from monitoring.explain import Explanation, Source

EVERYTHING = 1_000_000


@command(
    "risk-first explain AAPL",
    'risk-first explain AAPL --at "2024-03-04 10:30" --all',
    "risk-first explain 2024-03-04T10:30 --run runs/backtest-active-2013-01-02",
    "risk-first explain rf-20240304-AAPL-entry-1 --state-dir state",
)
def explain(
    wanted: Annotated[
        str,
        typer.Argument(metavar="SYMBOL|ORDER_ID|TIME", help="A ticker, an order's id, or a moment in New York time."),
    ],
    state: StateOptions,
    chosen: SettingsOptions,
    keys: KeyOptions,
    screen: ScreenOptions,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="With a ticker: as of then (default: the latest).")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Read the folder of a run instead of a trader's journal.")
    ] = None,
    journal: Annotated[
        str | None, typer.Option(metavar="FILE|URL", help="Read this journal (default: the state folder's).")
    ] = None,
    last: Annotated[
        int | None, typer.Option(parser=a_count, metavar="N", help="How many decisions and orders (default: 1).")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every decision and order, each rule with what it read, each event.")
    ] = False,
    data: Annotated[
        str | None, typer.Option(metavar="FILE", help="With --run: where the run's data are now, if they were moved.")
    ] = None,
) -> int:
    """Say why something was sent, resized or refused.

    The latest decision first: the rule that decided, what would have to change, when time alone frees it, the largest
    size that is allowed now, and of a symbol that was not even proposed what its signals lack. Of an order what became
    of it; of a moment everything that was decided in its iteration. The journal is DATABASE_URL where that is set,
    else the one in the state folder; it may be in use.

    Exit status: 0 done, 2 refused the input.
    """
    from commands.screen import console, show_json
    from commands.views.explain_screen import document, show
    from monitoring.explain import explain as explained
    from monitoring.explain import moment_of

    if sum(given is not None for given in (run, journal, state.state_dir)) > 1:
        raise Refusal("--run, --journal and --state-dir name three places; give one of them")
    if data is not None and run is None:
        raise Refusal("--data: is read with --run only")
    moment = None if at is None else _moment("--at", at)
    asked = moment_of(wanted) if any(c.isdigit() for c in wanted[:4]) else None
    if asked is not None and at is not None:
        raise Refusal(f"{wanted}: is a time, and --at is another one; give one of them")
    latest = EVERYTHING if everything else last or 1
    source = _source(run, journal, data, state, chosen, keys, screen)
    found = explained(source, "", asked) if asked is not None else _by_name(source, wanted, moment, latest)
    if found.empty:
        where = "the journal" if run is None else str(run)
        raise Refusal(f"{wanted}: nothing in {where}; give a ticker, an order's id, or a time such as 2024-03-04T10:30")
    if screen.json:
        show_json(document(found))
    else:
        show(console(json=False), found, everything=everything or screen.verbose)
    return 0


def _by_name(source: Source, wanted: str, moment: datetime | None, latest: int) -> Explanation:
    from config.values.symbols import spelled
    from monitoring.explain import explain as explained

    found = explained(source, wanted, moment, latest)
    return found if not found.empty else explained(source, spelled(wanted), moment, latest)


def _source(
    run: Path | None,
    journal: str | None,
    data: str | None,
    state: StateOptions,
    chosen: SettingsOptions,
    keys: KeyOptions,
    screen: ScreenOptions,
) -> Source:
    from commands.operator.places import journal_of
    from monitoring.explain import RunSource, source_of
    from monitoring.state import JOURNAL_FILE

    if run is not None:
        kept = run / "state" / JOURNAL_FILE
        # A rehearsal's own journal knows more than its files.
        return source_of(kept.parent, kept) if kept.is_file() else RunSource(run, _reader(run, data))
    if journal is not None:
        path = Path(journal) if "://" not in journal else None
        return source_of(Path() if path is None else path.parent, journal)
    settings = settings_of(chosen, state, keys, screen=screen)
    return source_of(Path(settings.live.state_dir), journal_of(settings))


def _reader(run: Path, data: str | None) -> Any:
    """Readings of a run's bars, from its own data; loaded when they are asked for."""

    def read(at: datetime | None) -> list[Any]:
        from backtests.run_inputs import read_inputs
        from backtests.run_readings import run_readings
        from commands.runs.request import RunArguments, requested, settled
        from commands.runs.rerun import as_asked

        if run not in made:
            arguments = as_asked(RunArguments(), run, read_inputs(run), data)
            made[run] = run_readings(requested(arguments, *settled(arguments)))
        return list(made[run](at))

    made: dict[Path, Any] = {}
    return read


def _moment(option: str, text: str) -> datetime:
    from monitoring.explain import moment_of

    found = moment_of(text)
    if found is None:
        raise Refusal(f'{option} {text}: is no time; write New York time, e.g. "2024-03-04 10:30"')
    return found
