"""The interface every risk module implements, and the strict base of its configuration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from config.cross_checks import MOST_RISK_FRAC
from config.defaults import with_defaults
from config.values.symbols import canonical
from market.market import Market
from risk.limit_usage import Frees, Limit, Remedy
from risk.model import Adjustment, Book, Proposal, Verdict

Fraction = Annotated[float, Field(ge=0, le=1, description="fraction of 1")]
PositiveFraction = Annotated[float, Field(gt=0, le=1, description="fraction of 1")]
RiskFraction = Annotated[float, Field(gt=0, le=MOST_RISK_FRAC, description="fraction of 1")]
"""Of equity, lost at a stop: 1 would be how a percentage is written."""
Symbol = Annotated[str, AfterValidator(canonical)]


class ModuleConfig(BaseModel):
    """Base of every module's settings: strict types, no unknown keys, immutable once loaded.

    Fields of the modules of this package have no default in the code: it is what ``config/base.yaml`` says. A module
    of another package, which has no section there, gives each field its default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)


class RiskModule:
    """One rule: judges proposals before an entry and may adjust what is held.

    Subclasses set ``name`` (the key in YAML and in the entry point), define a nested ``Config`` and
    override ``review``, ``manage`` or both. A module never reads the clock, sleeps or does I/O, and
    keeps no state of its own: what must survive is in the Book.

    Parameters
    ----------
    config : ModuleConfig
        The validated settings of this module.
    """

    name: ClassVar[str]
    remedy: ClassVar[str] = ""
    """What would have to change for a refusal of this rule to become an entry, in words."""
    frees: ClassVar[Frees] = ""
    """When time alone ends a refusal of this rule."""
    measures_peak: ClassVar[bool] = False
    """Whether its halts are measured from the peak of equity, which then begins anew after each."""

    class Config(ModuleConfig):
        pass

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A class without settings of its own shares those of its base, which are nobody's to fill.
        if {"name", "Config"} <= vars(cls).keys():
            with_defaults(cls.Config, f"risk.modules.{cls.name}")

    def __init__(self, config: Any) -> None:
        self.config = config

    def needs(self) -> Sequence[str]:
        """Feature columns that this module reads, e.g. ``("rsi_14",)``; OHLCV and ``mark`` are always there."""
        return ()

    def symbols(self) -> Sequence[str]:
        """Symbols the module needs bars of beyond the universe (gauges, hedging funds)."""
        return ()

    def review(self, proposal: Proposal, book: Book, market: Market) -> Verdict:
        """Judge one proposal; the quantity after may be smaller or zero, never larger."""
        return self.keep(proposal)

    def manage(self, book: Book, market: Market) -> list[Adjustment]:
        """Changes to what is held: trims, exits, tighter stops."""
        return []

    def propose(self, book: Book, market: Market) -> list[Proposal]:
        """Positions this module itself wants to open (the hedger); sized and judged like any other."""
        return []

    @property
    def cash_funds(self) -> tuple[str, ...]:
        """Funds in which this rule parks idle cash, none by default; they count as cash to every other rule."""
        return ()

    def ready_cash(self, book: Book, market: Market) -> float:
        """USD that a sale of everything parked would bring."""
        return 0.0

    def park(self, usd: float, book: Book, market: Market) -> Proposal | None:
        """What to buy with so much cash above the buffer; None for nothing."""
        return None

    def raise_cash(self, usd: float, book: Book, market: Market) -> list[Adjustment]:
        """Sales of what is parked that bring so much, or all there is; sent before the entries that want it."""
        return []

    def status(self, book: Book, market: Market) -> str:
        """What this rule reads now, in one line for a screen, whether or not it does anything; empty for nothing."""
        return ""

    def without_volume(self) -> str | None:
        """What it does at bars without volume, in words for a note of the run, empty for nothing of interest.

        None leaves it to the features that it needs.
        """
        return None

    def limits(self, book: Book, market: Market) -> list[Limit]:
        """The limits of this rule and how much of each is used, for the operator's screens; no decision reads them."""
        return []

    @classmethod
    def remedy_for(cls, verdict: Verdict, price: float) -> Remedy:
        """What would have to change for a verdict of this rule, with its own figures where they are recorded.

        Parameters
        ----------
        verdict : Verdict
            As it was recorded; of a journal it holds what JSON can hold.
        price : float
            Of the proposal, USD.
        """
        return Remedy(cls.remedy or f"what {cls.name} read, or its settings", cls.frees)

    def halts(self, book: Book) -> bool:
        """Whether new positions are over for ``halt_sessions``; the desk remembers the name in ``book.halted``."""
        return False

    @property
    def halt_sessions(self) -> int:
        """Sessions that a halt of this module lasts, the one in which it began counted."""
        return 1

    def keep(self, proposal: Proposal, most_usd: float = math.inf, /, **inputs: Any) -> Verdict:
        """Nothing is taken off; ``most_usd`` is what the position may cost, where the rule limits that."""
        return Verdict(self.name, "OK", proposal.quantity, proposal.quantity, inputs, most_usd=most_usd)

    def shrink(
        self, proposal: Proposal, quantity: float, code: str, most_usd: float = math.inf, /, **inputs: Any
    ) -> Verdict:
        """Fewer shares, at most ``quantity``; ``most_usd`` as for ``keep``."""
        after = min(quantity, proposal.quantity)
        return Verdict(self.name, code, proposal.quantity, after, inputs, most_usd=most_usd)

    def refuse(self, proposal: Proposal, code: str, **inputs: Any) -> Verdict:
        return Verdict(self.name, code, proposal.quantity, 0, inputs)

    def halted(self, proposal: Proposal, book: Book, code: str, **inputs: Any) -> Verdict:
        """A refusal by a halt, with its end where that is known."""
        return Verdict(self.name, code, proposal.quantity, 0, inputs, book.halted_until.get(self.name))
