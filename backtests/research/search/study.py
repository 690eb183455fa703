"""A study: configurations are asked for in fixed batches, run anywhere, told in order, and counted for good.

The study's journal lies in its folder, so that the same command goes on where it was interrupted. Batches do not
depend on the number of workers and the sampler is seeded anew for each: a seed gives the same study everywhere.
Trials that a killed process left running are marked as failed, and their parameters are tried again, which is the
same trial for the count.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
import pandas as pd
from filelock import FileLock, Timeout
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock
from optuna.trial import FrozenTrial, TrialState

from backtests.reports.formatting import to_json_indented, write_text
from backtests.reports.metrics import SHORTEST_ANNUALISED
from backtests.research.search.executors import Executor
from backtests.research.search.registry import Entry, TrialRegistry
from backtests.research.search.space import Space
from backtests.research.search.trials import Trial, TrialContext, configuration, run_trial
from config.errors import Refusal
from config.values.counting import counted

Sampler = Literal["grid", "random", "tpe"]
KEPT = "result"
FIGURES = ("config_hash", "sharpe", "sharpe_known", "total_return", "max_drawdown", "trades", "seconds")
JOURNAL, IDENTITY, RETURNS = "study.journal", "study.json", "returns"
SEED_STEP = 1_000_003
"""Seeds of consecutive batches lie this far apart, so that two studies with neighbouring seeds share none."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a study is carried out.

    Parameters
    ----------
    sampler : {"grid", "random", "tpe"}
    trials : int
        Of a search; a grid is tried whole.
    seed : int
    batch : int
        Trials that are asked for at once.
    startup : int
        Random trials before ``tpe`` learns.
    objective : str
        See ``Trial.objective``.
    """

    sampler: Sampler
    trials: int
    seed: int
    batch: int
    startup: int
    objective: str


def require_comparable(context: TrialContext, objective: str) -> None:
    """Refuse a window that is too short for the ratio by which its trials are to be compared."""
    closes = context.table.closes_at
    first, last = (int(context.table.opens_at.searchsorted(bar)) for bar in (context.start, context.end))
    span = closes[min(last, len(closes) - 1)] - closes[first]
    if objective == "sharpe" and span < pd.Timedelta(days=SHORTEST_ANNUALISED):
        raise Refusal(
            f"--objective sharpe: from {context.start:%Y-%m-%d} to {context.end:%Y-%m-%d} are "
            f"{counted(span.days, 'day')}, and a Sharpe ratio a year takes {SHORTEST_ANNUALISED}; give a longer window "
            "(of a walk-forward a longer --train), or --objective total_return"
        )


@dataclass(frozen=True, slots=True)
class StudyResult:
    """``trials`` are the completed ones by number; ``failed`` were left running by a process that died."""

    name: str
    trials: dict[int, Trial]
    refused: dict[int, str]
    failed: int
    seconds: float


class Study:
    """One study in one folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there; one with this study in it is gone on with.
    context : TrialContext
    space : Space
    plan : Plan
    registry : TrialRegistry
    data_hash : str
        By which trials are counted.

    Raises
    ------
    Refusal
        If the folder holds another study or another process works on it.
    """

    def __init__(
        self, folder: Path, context: TrialContext, space: Space, plan: Plan, registry: TrialRegistry, data_hash: str
    ) -> None:
        require_comparable(context, plan.objective)
        self.folder, self.context, self.space, self.plan = folder, context, space, plan
        self._registry, self._data_hash = registry, data_hash
        self.name = self._identified()
        backend = JournalFileBackend(str(folder / JOURNAL), lock_obj=_NoLock())
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._study = optuna.create_study(
            storage=optuna.storages.JournalStorage(backend),
            study_name=self.name,
            direction="maximize",
            load_if_exists=True,
        )

    def run(self, executor: Executor, on_trial: Callable[[int], Any] = lambda _: None) -> StudyResult:
        """Try what has not been tried yet; ``on_trial`` is told how many trials have just ended.

        Raises
        ------
        Refusal
            If every configuration was refused.
        """
        begun = time.perf_counter()
        with _alone(self.folder):
            again = self._fail_orphans()
            on_trial(self._done())
            while batch := self._ask(again):
                again = []
                self._registry.add(
                    Entry(
                        self._data_hash,
                        self.name,
                        t.number,
                        self.space.values(t.params),
                        (self.context.start.isoformat(), self.context.end.isoformat()),
                        configuration(self.context.settings, self.space.values(t.params)),
                    )
                    for t in batch
                )
                found = executor.map(run_trial, self.context, [self.space.values(t.params) for t in batch])
                for asked, trial in zip(batch, found, strict=True):
                    self._tell(asked, trial)
                    on_trial(1)
        result = self._result(time.perf_counter() - begun)
        if not result.trials:
            why = next(iter(result.refused.values()), "nothing was tried")
            raise Refusal(f"every configuration of the search was refused: {why}")
        return result

    def _ask(self, again: list[dict[str, Any]]) -> list[optuna.Trial]:
        for parameters in again:
            self._study.enqueue_trial(parameters)
        if again:
            return [self._study.ask(dict(self.space.distributions)) for _ in again]
        done = self._done()
        if self.space.grid is not None:
            tried = [t.params for t in self._finished()]
            left = [c for c in self.space.combinations() if c not in tried][: self.plan.batch]
            for parameters in left:
                self._study.enqueue_trial(parameters)
            count = len(left)
        else:
            # A batch that was interrupted is filled up first, so that later batches begin where they always do.
            count = min(self.plan.batch - done % self.plan.batch, self.plan.trials - done)
            self._study.sampler = self._sampler(done // self.plan.batch)
        return [self._study.ask(dict(self.space.distributions)) for _ in range(count)]

    def _sampler(self, batch: int) -> optuna.samplers.BaseSampler:
        seed = (self.plan.seed * SEED_STEP + batch) % 2**32
        if self.plan.sampler == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=self.plan.startup, constant_liar=True, multivariate=False
        )

    def _tell(self, asked: optuna.Trial, trial: Trial) -> None:
        if trial.refused:
            self._study.set_user_attr(f"refused-{asked.number}", trial.refused)
            self._study.tell(asked, state=TrialState.PRUNED)
            return
        path = self._returns_of(asked.number)
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".part")
        with partial.open("wb") as file:
            np.save(file, trial.returns)
        partial.replace(path)
        asked.set_user_attr(KEPT, {name: getattr(trial, name) for name in FIGURES})
        self._study.tell(asked, trial.objective(self.plan.objective))

    def _fail_orphans(self) -> list[dict[str, Any]]:
        orphans = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        for orphan in orphans:
            self._study.tell(orphan.number, state=TrialState.FAIL)
        # What was queued and never begun is queued anew.
        for waiting in self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            self._study._storage.set_trial_state_values(waiting._trial_id, TrialState.FAIL)
        return [dict(orphan.params) for orphan in orphans]

    def _finished(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))

    def _done(self) -> int:
        return len(self._finished())

    def _returns_of(self, number: int) -> Path:
        return self.folder / RETURNS / f"{number:06d}.npy"

    def _result(self, seconds: float) -> StudyResult:
        trials: dict[int, Trial] = {}
        refused: dict[int, str] = {}
        for t in self._finished():
            if t.state is TrialState.PRUNED:
                refused[t.number] = str(self._study.user_attrs.get(f"refused-{t.number}", ""))
                continue
            kept = t.user_attrs[KEPT]
            trials[t.number] = Trial(self.space.values(t.params), returns=np.load(self._returns_of(t.number)), **kept)
        failed = [
            t
            for t in self._study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
            if set(t.params) == set(self.space.distributions)
        ]
        return StudyResult(self.name, trials, refused, len(failed), seconds)

    def _identified(self) -> str:
        """The study's name, from the folder or new; refuses a folder of another one."""
        identity = {
            "data": self._data_hash,
            "settings": self.context.settings,
            "window": [self.context.start.isoformat(), self.context.end.isoformat()],
            "space": self.space.document(),
            "sampler": self.plan.sampler,
            "seed": self.plan.seed,
            "batch": self.plan.batch,
            "objective": self.plan.objective,
        }
        identity = json.loads(json.dumps(identity))
        path = self.folder / IDENTITY
        try:
            if path.exists():
                known = json.loads(path.read_text(encoding="utf-8"))
                name = str(known.pop("study"))
                if known != identity:
                    other = ", ".join(key for key in identity if known.get(key) != identity[key])
                    raise Refusal(f"{self.folder}: holds a study with other {other}; choose another --out")
                return name
            if self.folder.is_dir() and any(self.folder.iterdir()):
                raise Refusal(f"{self.folder}: is not empty and holds no study; choose another --out")
            self.folder.mkdir(parents=True, exist_ok=True)
            name = f"study-{hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]}"
            write_text(path, to_json_indented({"study": name, **identity}) + "\n")
        except (OSError, ValueError, KeyError) as error:
            raise Refusal(f"{path}: can't be used ({error}); choose another --out") from error
        return name


class _NoLock(BaseJournalFileLock):
    """One process works on a study at a time, see ``_alone``: the journal needs no lock that a kill would leave."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        return None


@contextmanager
def _alone(folder: Path) -> Any:
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise Refusal(f"{folder}: another process works on this study; wait for it or choose another --out") from None
