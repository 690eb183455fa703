"""Judges a set of trials: an edge, no edge, overfit, or too short to say. For anybody's backtests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from backtests.research.cross_validation import Cscv, cscv
from backtests.research.statistics import (
    FEWEST_OBSERVATIONS,
    Moments,
    deflated_sharpe,
    min_backtest_years,
    min_track_record,
    moments,
    moves,
    probabilistic_sharpe,
    sharpe_ratio,
)
from config.research import Overfit, research
from config.values.counting import counted as plain_count
from config.values.counting import zero_unsigned

Judgement = Literal["edge", "no edge", "overfit", "too short"]
UNDEFINED = "not defined"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a matrix of trials says; a figure that is not defined is NaN.

    ``sharpe`` is a year's of so many ``periods``, of the trial ``best``; ``psr`` and ``dsr`` are probabilities; ``pbo``
    and ``cross`` are None where ``uncrossed`` says why the choice can't be cross-validated. ``counted`` are the trials
    that the deflation counts, ``trials`` those of the matrix, of which ``distinct`` differ from one another in some
    period. ``min_track_record`` in observations, ``min_backtest_years`` in years. ``weak`` says that the best trial
    made too few trades to be called an edge.
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
    periods: int
    uncrossed: str
    weak: str

    def document(self) -> dict[str, Any]:
        """As the command prints it; what is not finite is null."""
        plain = {
            "trials": self.trials,
            "trials_distinct": self.distinct,
            "observations": self.observations,
            "best": self.best,
            "sharpe": self.sharpe,
            "sharpe_per_period": self.moments.sharpe if math.isfinite(self.sharpe) else None,
            "periods_per_year": self.periods,
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

        def told(value: float, text: str) -> str:
            if math.isnan(value):
                return UNDEFINED
            return text if math.isfinite(value) else "none is long enough, as the Sharpe ratio is not above 0"

        track, years = self.min_track_record, self.min_backtest_years
        return (
            told(track, f"{track:,.0f} {unit} for that Sharpe ratio to be above 0"),
            told(years, f"{years:.1f} years, below which luck alone reaches it"),
        )

    def pbo_told(self) -> str:
        """The probability of overfitting, or why there is none."""
        return f"{UNDEFINED} {self.uncrossed}" if self.pbo is None else f"{self.pbo:.3f} (0.5 = chance)"

    def sentence(self) -> str:
        """The verdict in one sentence."""
        pbo = UNDEFINED if self.pbo is None else f"{self.pbo:.2f} (0.5 = chance)"
        tried = plain_count(self.counted, "trial")
        best = f"trial {self.best}" if self.best.isdecimal() else self.best
        figures = f"deflated Sharpe {figure(self.dsr, '.2f')} over {tried}, PBO {pbo}"
        told = {
            "edge": f"{best} has an edge that luck among {tried} does not explain",
            "no edge": f"{best} shows nothing that luck among {tried} does not explain",
            "overfit": f"{best} was best by fitting the past: what was best in one half was not in the other",
            "too short": f"{self.observations:,} observations are too few to say whether {best} is more than luck",
        }
        if self.weak:
            told["too short"] = self.weak
        if math.isnan(self.sharpe):
            told["no edge"] = f"the returns of {best} never move, so that it has no Sharpe ratio"
        elif self.verdict == "no edge" and self.dsr >= research().overfit.min_confidence:
            # All trials may share an edge, or the market's own rise: then choosing among them adds nothing.
            told["no edge"] = f"{best} is more than luck among {tried}, but " + (
                f"an edge needs a PBO, which is {self.pbo_told()}"
                if self.pbo is None
                else "choosing it among them was chance"
            )
        alike = "" if self.distinct == self.trials else f"; only {self.distinct} of the {self.trials} differ at all"
        return f"{told[self.verdict]}; {figures}{alike}."


def figure(value: float | None, form: str) -> str:
    """A figure in words."""
    return UNDEFINED if value is None or math.isnan(value) else zero_unsigned(format(value, form))


def judge(
    returns: np.ndarray,
    names: list[str],
    *,
    periods: int | None = None,
    blocks: int | None = None,
    counted: int | None = None,
    trades: Sequence[int] | None = None,
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
    trades : sequence of int, optional
        Of each trial, where they are known: few trades are no edge.
    """
    rules = research().overfit
    periods = rules.periods if periods is None else periods
    blocks = rules.blocks if blocks is None else blocks
    observations, trials = returns.shape
    # Trials that earned the same in every period are one: ranks among them would be chance.
    _, firsts = np.unique(returns, axis=1, return_index=True)
    distinct = returns[:, np.sort(firsts)]
    ratios = np.array([sharpe_ratio(returns[:, k]) for k in range(trials)])
    moving = np.array([moves(returns[:, k]) for k in range(trials)])
    # What never moves has no ratio to be the best by, as long as anything moves.
    best = int(np.where(moving | ~moving.any(), ratios, -math.inf).argmax())
    found = moments(returns[:, best])
    number = max(trials, counted or trials)
    variance = _variance(ratios, number, observations)
    uncrossed = _uncrossed(trials, distinct.shape[1], observations, blocks)
    cross = None if uncrossed else cscv(distinct, blocks)
    annual = found.sharpe * math.sqrt(periods) if moves(returns[:, best]) else math.nan
    known = moves(returns[:, best]) and observations >= FEWEST_OBSERVATIONS
    figures = {
        "psr": probabilistic_sharpe(found) if known else math.nan,
        "dsr": deflated_sharpe(found, number, variance) if known else math.nan,
        "pbo": None if cross is None else cross.pbo,
    }
    verdict, weak = _verdict(found, figures, cross, periods, rules), ""
    if verdict == "edge" and trades is not None and trades[best] < rules.min_trades:
        made = plain_count(trades[best], "trade")
        verdict, weak = "too short", f"{names[best]} made {made}, and {rules.min_trades} are the least to judge by"
    return Verdict(
        trials=trials,
        distinct=distinct.shape[1],
        counted=number,
        observations=observations,
        best=names[best],
        sharpe=annual,
        min_track_record=min_track_record(found, confidence=rules.min_confidence) if known else math.nan,
        min_backtest_years=min_backtest_years(number, annual) if known else math.nan,
        verdict=verdict,
        moments=found,
        cross=cross,
        periods=periods,
        uncrossed=uncrossed,
        weak=weak,
        **figures,  # type: ignore[arg-type]  # psr and dsr are never None
    )


def _uncrossed(trials: int, distinct: int, observations: int, blocks: int) -> str:
    """Why the choice among trials can't be cross-validated; empty if it can."""
    if trials == 1:
        return "for a single trial"
    if distinct == 1:
        return "for trials that are all the same"
    if observations < 2 * blocks:
        return f"for {observations} observations: {blocks} blocks need {2 * blocks}"
    return ""


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
    least = max(FEWEST_OBSERVATIONS, min_track_record(visible, confidence=rules.min_confidence))
    if found.observations < least:
        return "too short"
    if found.sharpe <= 0:
        return "no edge"
    # Without a cross-validation nothing says that the choice held.
    if (figures["dsr"] or 0.0) >= rules.min_confidence and cross is not None and cross.pbo <= rules.max_pbo:
        return "edge"
    if cross is not None and cross.pbo >= rules.chance_pbo:
        return "overfit"
    # A good year that is too few observations to be told from luck is not the same as a long dull record.
    promising = found.sharpe * math.sqrt(periods) >= rules.visible_sharpe / 2
    if promising and (figures["psr"] or 0.0) < rules.min_confidence:
        return "too short"
    return "no edge"
