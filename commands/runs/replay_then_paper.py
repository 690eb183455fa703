"""``replay-then-paper``: a window replayed, then the last day's decisions traded on paper."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from commands.composition import command
from commands.options import (
    DataOptions,
    FolderOptions,
    ReportOptions,
    ScreenOptions,
    SeedOptions,
    SettingsOptions,
    StateOptions,
    UniverseOptions,
    VenueOptions,
)
from commands.runs.request import RunArguments, carry_out, merged, refuse_what_is_missing, requested, settled
from config.errors import Refusal

META_MODEL = "meta_model"


@command(
    "risk-first replay-then-paper --data yahoo --universe u.csv --cap 50 --start 2025-11-03 --end 2026-01-02 "
    "--dotenv keys.env",
    "risk-first replay-then-paper --data bars.parquet --start 2024-01-02 --replay-only",
)
def replay_then_paper(
    universe: UniverseOptions,
    chosen: SettingsOptions,
    data: DataOptions,
    venue: VenueOptions,
    state: StateOptions,
    seed: SeedOptions,
    folder: FolderOptions,
    report: ReportOptions,
    screen: ScreenOptions,
    replay_only: Annotated[bool, typer.Option("--replay-only", help="Replay the window, and trade nothing.")] = False,
    cognitive: Annotated[
        bool, typer.Option("--cognitive", help="Scale sizes by the meta-model, where the settings have one.")
    ] = False,
) -> int:
    """Replay a window, then trade on paper alike.

    First a backtest of the window, then one iteration on the paper account by the same strategy, universe and
    settings: what the strategy decides on the newest complete bar is sent, behind its stop and target. Both are
    settled before the first begins, so that missing keys are told at once.
    """
    both = merged(universe, chosen, data, venue, state, seed, folder, report, screen)
    if cognitive:
        both = _with_meta_model(both)
    replay = replace(both, mode="backtest", alpaca_url=None, state_dir=None)
    paper = _on_paper(both)
    first = requested(replay, *settled(replay))
    refuse_what_is_missing(first, chosen=True)
    if replay_only:
        return carry_out(first)
    second = requested(paper, *settled(paper))
    refuse_what_is_missing(second, chosen=True)
    return carry_out(first) or carry_out(second)


def _with_meta_model(both: RunArguments) -> RunArguments:
    from config.schema import Signals

    if META_MODEL not in Signals.model_fields:
        raise Refusal("--cognitive: this version has no meta-model to scale sizes by; leave it out")
    return replace(both, set_=[*both.set_, f"signals.{META_MODEL}.enabled=true"])


def _on_paper(both: RunArguments) -> RunArguments:
    """One iteration on the paper account; the files, the data and the window are the replay's."""
    if both.json:
        raise Refusal("--json: this command runs twice; give it to risk-first backtest and risk-first once instead")
    return replace(
        both,
        mode="paper",
        once=True,
        data=None,
        start=None,
        end=None,
        budget=None,
        out=None,
        overwrite=False,
        draw_all=False,
        no_report=False,
        scoreboard=False,
    )
