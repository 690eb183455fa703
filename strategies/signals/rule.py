"""A signal written in YAML: a condition over features, and a score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from config.errors import Refusal
from market.market import Market
from risk.model import Side
from strategies.expressions import Expression, parsed
from strategies.signals.base import Signal
from strategies.signals.scoring import silent, spoken

LOWEST, HIGHEST = 50.0, 100.0
"""The scores that a rule may give."""


class RuleSignal(Signal):
    """Fires where its condition holds at the last closed bar; see ``rule_signal``."""

    class Config(Signal.Config):
        """Settings of a rule.

        Parameters
        ----------
        when : str
            Condition under which it fires.
        score : float or str
            Score where it fires, 50 to 100, or an expression for it; what comes out is held between 50 and 100, since a
            condition that is just met is worth 50.
        side : {"buy", "sell_short"}
            Direction of the entries.
        stop_atr : float
            Stop distance in ATR that the bracket model atr uses.
        """

        when: str = Field(min_length=1, description="condition under which it fires")
        score: float | str = Field(default=70.0, description="score where it fires, or an expression for it")
        side: Literal["buy", "sell_short"] = Field(default="buy", description="direction of the entries")

    config: Config
    when: Expression
    score: Expression

    def needs(self) -> Sequence[str]:
        return [*self.when.columns.values(), *self.score.columns.values()]

    def scores(self, market: Market) -> np.ndarray:
        if market.empty:
            return silent(market)
        return spoken(market, self.when.of(market), held(self.score.of(market)))

    def lacks(self, market: Market, symbol: str) -> str:
        readings = ", ".join(f"{name} {market.value(c, symbol):.6g}" for name, c in self.when.columns.items())
        return f"{readings}, needs {self.when.text}"

    def reason(self, market: Market, symbol: str) -> str:
        columns = {**self.when.columns, **self.score.columns}
        readings = ", ".join(f"{name} {market.value(column, symbol):.6g}" for name, column in columns.items())
        return f"{self.when.text} ({readings})"


RuleConfig = RuleSignal.Config


def rule_signal(name: str, config: RuleConfig) -> RuleSignal:
    """The signal that a rule in the settings describes.

    Raises
    ------
    Refusal
        Its expressions cannot be read, are of the wrong kind, or name what is not there or looks ahead.
    """
    side: Side = config.side
    made: dict[str, Any] = {"name": name, "side": side, "__module__": __name__}
    kind: type[RuleSignal] = type(f"Rule_{name}", (RuleSignal,), made)
    signal = kind(config)
    for field, text, condition in (("when", config.when, True), ("score", str(config.score), False)):
        try:
            expression = parsed(text)
            if expression.condition is not condition:
                raise Refusal(f"{text} is {'a number' if condition else 'a condition'}; write {_wanted(condition)}")
        except Refusal as refusal:
            raise Refusal(f"{field}: {refusal}") from None
        setattr(signal, field, expression)
    if not signal.score.columns:
        _refuse_beyond(float(signal.score.of(_OneSymbol)[0]))  # type: ignore[arg-type]  # stands for it
    return signal


class _OneSymbol:
    """Stands for a market where an expression reads nothing of it."""

    symbols = ("",)


def held(score: Any) -> Any:
    """What a rule's expression gives, held between a condition that is just met and its strongest reading."""
    return np.clip(score, LOWEST, HIGHEST)


def _refuse_beyond(score: float) -> None:
    """Refuse a plain score that would be held at another one: its writer would never see it."""
    if LOWEST <= score <= HIGHEST:
        return
    meant = f"{score * HIGHEST:.4g}" if LOWEST <= score * HIGHEST <= HIGHEST else "70"
    raise Refusal(
        f"score: {score:g} is not between {LOWEST:g}, a condition that is just met, and {HIGHEST:g}, its strongest "
        f"reading; write e.g. {meant}"
    )


def _wanted(condition: bool) -> str:
    return "a condition, e.g. rsi_14 < 30" if condition else "a number or e.g. 50 + (30 - rsi_14)"
