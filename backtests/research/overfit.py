"""Judges a set of trials: an edge, no edge, overfit, or too short to say. For anybody's backtests."""

from __future__ import annotations

import csv
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from backtests.research.cross_validation import Cscv, cscv
from backtests.research.statistics import (
    Moments,
    deflated_sharpe,
    min_backtest_years,
    min_track_record,
    moments,
    probabilistic_sharpe,
    sharpe_ratio,
)
from config.errors import Refusal
from config.research import Overfit, research
from config.values.counting import counted as plain_count

Judgement = Literal["edge", "no edge", "overfit", "too short"]
MOST_RETURN = 10.0
"""No period brings more, a fraction of 1; a column beyond it holds prices or an account's equity."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a matrix of trials says.

    ``sharpe`` is a year's, of the trial ``best``; ``psr`` and ``dsr`` are probabilities; ``pbo`` and ``cross`` are None
    for a single trial or too few observations. ``counted`` are the trials that the deflation counts, ``trials`` those
    of the matrix, of which ``distinct`` differ from one another in some period. ``min_track_record`` in observations,
    ``min_backtest_years`` in years.
    """

    trials: int
    distinct: int
    counted: int
    observations: int
    best: str
    sharpe: float
    psr: float
    dsr: float
    pbo: float | None
    min_track_record: float
    min_backtest_years: float
    verdict: Judgement
    moments: Moments
    cross: Cscv | None

    def document(self) -> dict[str, Any]:
        """As the command prints it; what is not finite is null."""
        plain = {
            "trials": self.trials,
            "trials_distinct": self.distinct,
            "observations": self.observations,
            "best": self.best,
            "sharpe": self.sharpe,
            "sharpe_per_period": self.moments.sharpe,
            "psr": self.psr,
            "dsr": self.dsr,
            "pbo": self.pbo,
            "min_track_record": self.min_track_record,
            "min_backtest_years": self.min_backtest_years,
            "verdict": self.verdict,
            "skewness": self.moments.skewness,
            "kurtosis": self.moments.kurtosis,
            "trials_counted": self.counted,
            "loss_probability": None if self.cross is None else self.cross.loss_probability,
            "degradation_slope": None if self.cross is None else self.cross.slope,
            "dominates": None if self.cross is None else self.cross.dominates,
            "sentence": self.sentence(),
        }
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in plain.items()}

    def lengths(self, unit: str) -> tuple[str, str]:
        """Shortest track record and shortest backtest in words; observations are called ``unit``."""
        never = "none is long enough, as the Sharpe ratio is not above 0"
        track, years = self.min_track_record, self.min_backtest_years
        return (
            f"{track:,.0f} {unit} for that Sharpe ratio to be above 0" if math.isfinite(track) else never,
            f"{years:.1f} years, below which luck alone reaches it" if math.isfinite(years) else never,
        )

    def sentence(self) -> str:
        """The verdict in one sentence."""
        pbo = "not defined" if self.pbo is None else f"{self.pbo:.2f} (0.5 = chance)"
        tried = plain_count(self.counted, "trial")
        figures = f"deflated Sharpe {self.dsr:.2f} over {tried}, PBO {pbo}"
        told = {
            "edge": f"{self.best} has an edge that luck among {tried} does not explain",
            "no edge": f"{self.best} shows nothing that luck among {tried} does not explain",
            "overfit": f"{self.best} was best by fitting the past: what was best in one half was not in the other",
            "too short": f"{self.observations:,} observations are too few to say whether {self.best} is more than luck",
        }
        if self.verdict == "no edge" and self.dsr >= research().overfit.min_confidence:
            # All trials may share an edge, or the market's own rise: then choosing among them adds nothing.
            told["no edge"] = f"{self.best} is more than luck among {tried}, but choosing it among them was chance"
        alike = "" if self.distinct == self.trials else f"; only {self.distinct} of the {self.trials} differ at all"
        return f"{told[self.verdict]}; {figures}{alike}."


def judge(
    returns: np.ndarray,
    names: list[str],
    *,
    periods: int | None = None,
    blocks: int | None = None,
    counted: int | None = None,
) -> Verdict:
    """Judge trials by their returns and the thresholds of ``config/research.yaml``.

    Parameters
    ----------
    returns : ndarray of float, shape (observations, trials)
        Fractions of 1, of every trial over the same periods.
    names : list of str
        Of the trials.
    periods : int, optional
        Observations of a year.
    blocks : int, optional
        Of the cross-validation, even.
    counted : int, optional
        Trials that were made on these data, where they are more than those of the matrix.
    """
    rules = research().overfit
    periods = rules.periods if periods is None else periods
    blocks = rules.blocks if blocks is None else blocks
    observations, trials = returns.shape
    # Trials that earned the same in every period are one: ranks among them would be chance.
    _, firsts = np.unique(returns, axis=1, return_index=True)
    distinct = returns[:, np.sort(firsts)]
    ratios = np.array([sharpe_ratio(returns[:, k]) for k in range(trials)])
    best = int(ratios.argmax())
    found = moments(returns[:, best])
    number = max(trials, counted or trials)
    variance = _variance(ratios, number, observations)
    cross = cscv(distinct, blocks) if distinct.shape[1] > 1 and observations >= 2 * blocks else None
    annual = found.sharpe * math.sqrt(periods)
    figures = {
        "psr": probabilistic_sharpe(found),
        "dsr": deflated_sharpe(found, number, variance),
        "pbo": None if cross is None else cross.pbo,
    }
    return Verdict(
        trials=trials,
        distinct=distinct.shape[1],
        counted=number,
        observations=observations,
        best=names[best],
        sharpe=annual,
        min_track_record=min_track_record(found, confidence=rules.min_confidence),
        min_backtest_years=min_backtest_years(number, annual),
        verdict=_verdict(found, figures, cross, periods, rules),
        moments=found,
        cross=cross,
        **figures,  # type: ignore[arg-type]  # psr and dsr are never None
    )


def _variance(ratios: np.ndarray, number: int, observations: int) -> float:
    """Of the Sharpe ratios of all trials that count, an observation's.

    Those outside the matrix are known by number alone. They have the variance that luck gives, 1/(T-1): else a single
    trial, or a few alike, would escape what the many before it cost.
    """
    inside, luck = len(ratios), 1 / max(1, observations - 1)
    known = float(ratios.var(ddof=1)) if inside > 1 else luck
    return (inside * known + (number - inside) * luck) / number


def _verdict(
    found: Moments, figures: dict[str, float | None], cross: Cscv | None, periods: int, rules: Overfit
) -> Judgement:
    visible = Moments(rules.visible_sharpe / math.sqrt(periods), 0.0, 3.0, found.observations)
    if found.observations < min_track_record(visible, confidence=rules.min_confidence):
        return "too short"
    if found.sharpe <= 0:
        return "no edge"
    proven = (figures["dsr"] or 0.0) >= rules.min_confidence
    chosen = cross is None or cross.pbo <= rules.max_pbo
    if proven and chosen:
        return "edge"
    if cross is not None and cross.pbo >= rules.chance_pbo:
        return "overfit"
    # A good year that is too few observations to be told from luck is not the same as a long dull record.
    promising = found.sharpe * math.sqrt(periods) >= rules.visible_sharpe / 2
    if promising and (figures["psr"] or 0.0) < rules.min_confidence:
        return "too short"
    return "no edge"


def read_matrix(path: Path) -> tuple[np.ndarray, list[str]]:
    """Returns and names of the trials in a csv file whose first column names the period.

    Raises
    ------
    Refusal
        If the file can't be read, or a cell is no return.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except FileNotFoundError:
        raise Refusal(f"{path}: there is no such file; give a csv with one column of returns per trial") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Refusal(f"{path}: can't be read as csv ({error}); save it as comma separated UTF-8 text") from None
    if len(rows) < 3:
        raise Refusal(
            f"{path}: holds {max(0, len(rows) - 1)} periods; give at least two rows below the names of trials"
        )
    names = [cell.strip() for cell in rows[0][1:]]
    if not names:
        raise Refusal(f"{path}: has one column; the first names the period, each further one is a trial")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or "" in names:
        told = f"two columns are named {twice[0]!r}" if twice and twice[0] else "a column has no name"
        raise Refusal(f"{path}: {told}; give each trial a name of its own")
    values = np.empty((len(rows) - 1, len(names)))
    for number, row in enumerate(rows[1:]):
        if len(row) != len(names) + 1:
            raise Refusal(
                f"{path}: line {number + 2} has {len(row)} cells, the first line {len(names) + 1}; even them out"
            )
        for k, cell in enumerate(row[1:]):
            values[number, k] = _return(cell, f"{path}: line {number + 2}, {names[k]}")
    return values, names


def _return(cell: str, place: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        written = cell.strip() or "empty"
        raise Refusal(f"{place}: {written} is no return; write a fraction of 1 in every cell, 0 where nothing was held")
    if value > MOST_RETURN:
        raise Refusal(
            f"{place}: {value:,.10g} is a level and no return; write fractions of 1, 0.01 for 1%, as in the "
            "returns.csv of risk-first optimise"
        )
    if value < -1:
        raise Refusal(f"{place}: {cell.strip()} would lose more than everything; write fractions of 1, -0.02 for -2%")
    return value
