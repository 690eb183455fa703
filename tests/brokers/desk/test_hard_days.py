"""Days at a slow venue: nothing short, bare or surplus, also after the process has ended, and how long shares wait."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from backtests.live import live_runs
from brokers.desk.lifecycle.wiring import PROTECT_WITHIN_S, STOP_WITHIN_S
from tests.brokers.desk.hard_days import ANSWERING, HardDay, worst_by_cause
from tests.brokers.desk.unprotected_spells import CLOSING
from tests.brokers.journal.conftest import postgres  # noqa: F401  # a fixture
from tests.brokers.journal.postgres_server import PostgresServer
from tests.brokers.journal.troubled_server import TroubledServer, quick_to_give_up

SEEDS, PARTS = 60, 6
LONGEST_S, CLOSING_S, AFTER_A_RESTART_S = 3.0, 3.5, 10.0
"""With the venue answering within 0.1 s and ending orders within 2 s; time is read ten times a second. Between a stop
and the sale of what it held there is a look, which waits its turn in a minute with many requests.
"""
REQUESTS_PER_MINUTE = 200


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def play(folder: Path, seeds: Iterable[int], server: TroubledServer | None = None) -> Counter[str]:
    """Play some days, and say that none of them was wrong; what they met."""
    days, wrong, met = [], {}, Counter[str]()
    for seed in seeds:
        place = folder / str(seed)
        place.mkdir()
        days.append(HardDay(place, seed, server=server).play())
        met += days[-1].met
        if days[-1].faults:
            wrong[seed] = days[-1].faults
    assert wrong == {}
    worst = worst_by_cause(days)
    assert worst.get(ANSWERING, 0.0) <= LONGEST_S
    assert worst.get(CLOSING, 0.0) <= CLOSING_S
    assert worst.get("after a restart", 0.0) <= AFTER_A_RESTART_S
    assert max(day.busiest for day in days) <= REQUESTS_PER_MINUTE
    return met + Counter({"spells": sum(len(day.unprotected.spells) for day in days)})


def test_a_hard_day(tmp_path):
    assert play(tmp_path, [43])["spells"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_hard_days(tmp_path, part):
    met = play(tmp_path, range(part * SEEDS // PARTS, (part + 1) * SEEDS // PARTS))
    assert min(met[what] for what in ("killed", "answer lost", "processed late", "signal in a request", "spells")) > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [214, 547])
def test_a_process_ends_after_the_slowest_cancel(tmp_path, seed):
    """Told to end just as it has asked for one that takes five to six seconds, with shares that come back late."""
    play(tmp_path, [seed])


@pytest.mark.slow
def test_an_entry_that_fills_in_part_again_and_again(tmp_path):
    """So much news that a look waits two seconds for its turn; the cancel of an entry does not wait for it."""
    play(tmp_path, [414])


def test_nothing_cuts_a_process_off_before_it_has_protected():
    assert live_runs.LEAVE_WITHIN_S > PROTECT_WITHIN_S + STOP_WITHIN_S


@pytest.mark.slow
def test_hard_days_on_a_server_in_trouble(tmp_path, postgres: PostgresServer):  # noqa: F811  # as above
    with quick_to_give_up():
        met = play(tmp_path, range(6), TroubledServer(postgres))
    assert min(met[f"the database {what}"] for what in TroubledServer.TROUBLES) > 0
