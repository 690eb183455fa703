"""Fuzzing by the thousand: what came of it is counted, and what must not come of it is kept.

``python -m tests.fuzz.campaign KIND COUNT [SEED]`` prints one JSON line; kinds are those of ``KINDS``. Each case has
its own seed, so that one that is found can be repeated alone.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from backtests.checks.audit import audit
from backtests.replay.engine import replay
from config.errors import Refusal
from config.reading import loader
from strategies.registry import build_pipeline
from tests.backtests.market import TRADED, market
from tests.fuzz.random_settings import caps, file_content, pairs

LONGEST_S, MOST_MB = 2.0, 500.0
"""Of computing and of memory for one case; how long a busy machine takes is not the question."""
LONGEST_SENTENCE = 2_000
SECTORS = ", ".join(f"{symbol}: {'left' if k % 2 else 'right'}" for k, symbol in enumerate(TRADED))


class Campaign:
    """Tries cases one after another."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.faults: list[str] = []
        self.longest_s = 0.0
        self._memory = _peak_mb()

    def tried(self, seed: int, case: Callable[[], str]) -> None:
        """Carry out a case; it returns what came of it, or raises Refusal."""
        began = time.process_time()
        try:
            self.outcomes[case()] += 1
        except Refusal as refusal:
            self.outcomes["refused"] += 1
            sentence = str(refusal)
            if not sentence.strip() or len(sentence) > LONGEST_SENTENCE:
                self.faults.append(f"{seed}: refused in {len(sentence)} characters")
        except Exception as error:
            self.outcomes["traceback"] += 1
            self.faults.append(f"{seed}: {type(error).__name__}: {str(error)[:200]}")
        took = time.process_time() - began
        if took >= LONGEST_S:
            self.faults.append(f"{seed}: {took:.1f} s of CPU")
        self.longest_s = max(self.longest_s, took)
        if (grown := _peak_mb() - self._memory) > MOST_MB:
            self.faults.append(f"{seed}: {grown:.0f} MB more than before")
            self._memory += grown

    def told(self) -> dict[str, Any]:
        """Counts and measures."""
        return {
            "outcomes": dict(self.outcomes),
            "longest_s": round(self.longest_s, 3),
            "grown_mb": round(_peak_mb() - self._memory, 1),
            "faults": self.faults[:50],
        }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@cache
def _shipped(path: Path, source: str) -> str:
    return json.dumps(_READ(path, source))


_READ = loader._read


def shipped_once(path: Path, source: str) -> dict[str, Any]:
    """Reads the package's own files once for all cases."""
    inside = path.is_absolute() and path.is_relative_to(loader.FOLDER)
    return dict(json.loads(_shipped(path, source))) if inside else _READ(path, source)


def configurations(count: int, seed: int = 0) -> Campaign:
    """Half of the cases are values of ``--set``, half files."""
    campaign = Campaign()
    loader._read = shipped_once
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "random.yaml"
            for number in range(seed, seed + count):
                rng = Random(number)
                given = pairs(rng) if number % 2 else ()
                if not given:
                    path.write_bytes(file_content(rng))

                def case(given: Any = given) -> str:
                    build_pipeline(loader.load(files=() if given else (path,), overrides=given, environment={}))
                    return "loaded"

                campaign.tried(number, case)
    finally:
        loader._read = _READ
    return campaign


def short_runs(count: int, seed: int = 0) -> Campaign:
    """Runs of settings that were accepted, on markets that jump; every cap is checked by the audit."""
    campaign, checked = Campaign(), Counter[str]()
    for number in range(seed, seed + count):
        rng = Random(number)

        def case(rng: Random = rng, number: int = number) -> str:
            chosen = loader.load(
                rng.choice(["active", "swing"]),
                overrides=[
                    *caps(rng), f"universe.symbols=[{', '.join(TRADED)}]", "universe.benchmark=AAA",
                    f"universe.sectors={{{SECTORS}}}",
                    f"account.budget_usd={rng.choice([2_000, 30_000, 1_000_000])}",
                ],
                environment={},
            )  # fmt: skip
            table = market(number, rng.choice([0.005, 0.02, 0.05]), rng.choice([0, 0.03]), rng.choice([0, 0.05]), 90)
            result = replay(chosen, table, table.opens_at[30], table.opens_at[-1])
            found = audit(result.record, table, chosen)
            checked.update(found.checked)
            if found.violations:
                raise AssertionError(f"{found.violations[0]}")
            return "traded" if result.record.trades else "ran"

        campaign.tried(number, case)
    campaign.outcomes.update({f"checked {rule}": tested for rule, tested in checked.items()})
    return campaign


def damaged_files(count: int, seed: int = 0) -> Campaign:
    """Good files after some accidents, half of them csv, half parquet: read as what is left of them, or refused."""
    from tests.fuzz.test_data_files import fuzz

    campaign = Campaign()
    with tempfile.TemporaryDirectory() as folder:
        for number, kind in enumerate(["csv", "parquet"]):
            fuzz(Path(folder), kind, count // 2, seed + number, campaign.tried)
    return campaign


def command_lines(count: int, seed: int = 0) -> Campaign:
    """Random arguments of every command that ends by itself, none of which runs anything."""
    from tests.fuzz.test_command_lines import here_and_nothing, outcome, random_line

    campaign = Campaign()
    with tempfile.TemporaryDirectory() as folder, here_and_nothing(Path(folder)):
        for number in range(seed, seed + count):
            line = random_line(Random(number))
            campaign.tried(number, lambda line=line: outcome(line))
    return campaign


def venue_answers(count: int, seed: int = 0) -> Campaign:
    """Answers of both venues with parts that are odd, gone, doubled or nested."""
    from tests.fuzz.venue_answers import alpaca, kraken

    campaign = Campaign()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(seed, seed + count):
            rng = Random(number)
            campaign.tried(number, lambda rng=rng: alpaca(rng) if rng.random() < 0.5 else kraken(rng, Path(folder)))
    return campaign


KINDS = {
    "venue_answers": venue_answers,
    "configurations": configurations,
    "short_runs": short_runs,
    "damaged_files": damaged_files,
    "command_lines": command_lines,
}


def main() -> int:
    kind, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    campaign = KINDS[kind](count, seed)
    told = {
        "kind": kind,
        "count": count,
        "seed": seed,
        "seconds": round(time.monotonic() - began, 1),
        **campaign.told(),
    }
    sys.stdout.write(json.dumps(told) + "\n")
    return 1 if campaign.faults else 0


if __name__ == "__main__":
    sys.exit(main())
