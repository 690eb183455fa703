"""The interface every signal implements: one score per symbol at the last closed bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from config.defaults import with_defaults
from market.market import Market
from risk.interface import ModuleConfig
from risk.model import Side

Score = Annotated[float, Field(ge=0, le=100, description="0 to 100")]


class SignalConfig(ModuleConfig):
    """Settings that every signal has."""

    stop_atr: Annotated[float, Field(gt=0, description="stop distance in ATR")] = 2.5


class Signal:
    """Finds entries. A signal judges all symbols at once and says nothing about size.

    Subclasses set ``name`` and ``side``, define a nested ``Config`` and override ``needs``,
    ``scores`` and ``reason``. One that can tell the opposite of what it looks for overrides ``opposes``
    too and may then be given a veto. ``elementwise`` states that the class's own ``scores`` reads each cell of
    ``market.values`` by itself, so that many bars may be scored at once; a subclass with other scores states it anew.
    """

    name: ClassVar[str]
    side: ClassVar[Side] = "buy"
    intraday_only: ClassVar[bool] = False
    elementwise: ClassVar[bool] = False
    requires: ClassVar[str] = ""
    """A package of an extra without which it cannot run; empty for none."""

    class Config(SignalConfig):
        pass

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A class without settings of its own shares those of its base, which are nobody's to fill.
        if {"name", "Config"} <= vars(cls).keys():
            with_defaults(cls.Config, f"signals.modules.{cls.name}")

    def __init__(self, config: Any) -> None:
        self.config = config

    def needs(self) -> Sequence[str]:
        """Feature columns this signal reads."""
        return ()

    def scores(self, market: Market) -> np.ndarray:
        """Score 0–100 per symbol at the last closed bar, NaN where the signal is silent; shape ``(symbols,)``."""
        raise NotImplementedError

    def opposes(self, market: Market) -> np.ndarray:
        """Where the readings speak against an entry on the signal's side; bool, shape ``(symbols,)``."""
        return np.zeros(len(market.symbols), dtype=bool)

    def needs_to_oppose(self) -> Sequence[str]:
        """Feature columns that ``opposes`` reads, asked for only if the signal has a veto."""
        return ()

    def lacks(self, market: Market, symbol: str) -> str:
        """What the readings of a usable symbol lack for this signal to fire, e.g. ``RSI(14) 47.2, needs below 30``.

        For the operator's screens, where the signal is silent; no decision reads it.
        """
        return "its condition is not met"

    def without_volume(self) -> str | None:
        """What it does at bars without volume, in words for a note of the run, empty for nothing of interest.

        None leaves it to the features that it needs.
        """
        return None

    def reason(self, market: Market, symbol: str) -> str:
        """One line with the readings behind a score, for the log and the journal."""
        raise NotImplementedError
