"""The defaults of the research commands, read from ``config/research.yaml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from config.reading import strict_yaml

FILE = Path(__file__).with_name("research.yaml")
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Overfit(_Section):
    """When a set of trials is called an edge; probabilities and shares are fractions of 1."""

    min_confidence: Share
    max_pbo: Share
    chance_pbo: Share
    visible_sharpe: Annotated[float, Field(gt=0)]
    blocks: Annotated[int, Field(ge=2, le=20, multiple_of=2)]
    periods: Count
    min_trades: Count


class Optimise(_Section):
    """How parameters are searched for."""

    batch: Count
    startup_trials: Count
    max_grid: Count
    objective: Literal["sharpe", "total_return", "calmar"]


class WalkForward(_Section):
    """Windows as calendar lengths (6M, 1Y, 90D), and what a window needs to be judged."""

    train: str
    test: str
    embargo_sessions: Annotated[int, Field(ge=0)]
    min_train_bars: Count
    min_trades: Annotated[int, Field(ge=0)]
    trials: Count


class Bootstrap(_Section):
    """How intervals are drawn."""

    repetitions: Count
    confidence: Share
    seed: int


class MonteCarlo(_Section):
    """How many random strategies are compared with."""

    runs: Count
    seed: int


class Band(_Section):
    """Fill assumptions that a result is shown over."""

    slippage_bps: tuple[float, ...]
    fee_frac: tuple[float, ...]


class Research(_Section):
    """All sections of the file."""

    overfit: Overfit
    optimise: Optimise
    walk_forward: WalkForward
    bootstrap: Bootstrap
    monte_carlo: MonteCarlo
    band: Band


@cache
def research() -> Research:
    """The defaults, read once."""
    return Research.model_validate(strict_yaml.parse(FILE.read_text(encoding="utf-8"), FILE.name))
