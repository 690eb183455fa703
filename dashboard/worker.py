"""A process that answers one question and ends: what needs the rules, the calendar or pandas, unlike the page."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

from config.errors import Refusal
from dashboard.settings import PageSettings, from_environment
from dashboard.words import moment
from monitoring.journal_reader import JournalReader
from monitoring.state import STATE_FILE, read_state


def main() -> int:
    """Read a question from standard input, write the answer to standard output; returns the exit status."""
    settings = from_environment()
    question = json.load(sys.stdin)
    try:
        found = {"remedy": remedy, "scoreboard": scoreboard}[question["question"]](settings, question)
    except Refusal as refusal:
        found = {"error": str(refusal)}
    json.dump(found, sys.stdout)
    return 0


def remedy(settings: PageSettings, question: dict[str, Any]) -> dict[str, Any]:
    """What would have to change for a decision, and when time alone frees it."""
    from monitoring import journal_queries
    from monitoring.explain import story

    with JournalReader(settings.journal).open() as db:
        found = journal_queries.decision(db, int(question["decision"]))
        if found is None:
            return {"error": "no such decision"}
        told = story(found, journal_queries.entries_of(db, found) if found.final > 0 else ())
    return {"bound_by": told.bound_by, "change": told.change, "unlocks": _unlocks(told.unlocks)}


def scoreboard(settings: PageSettings, question: dict[str, Any]) -> dict[str, Any]:
    """The scoreboard of the journal, in words."""
    from backtests.reports.live_scoreboard import board

    state = read_state(settings.state_folder / STATE_FILE)
    sectors = None if state is None else state.settings.get("universe", {}).get("sectors")
    return board(JournalReader(settings.journal), sectors)


def _unlocks(when: datetime | None) -> str:
    return (
        "" if when is None else f"By time alone it is free again from {moment(when, seconds=False)} New York time on."
    )


if __name__ == "__main__":
    sys.exit(main())
