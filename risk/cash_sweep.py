"""Parks idle cash in T-bill funds, and gives it back first when cash is wanted."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pydantic import Field

from market.market import Market
from risk.interface import Fraction, ModuleConfig, PositiveFraction, RiskModule, Symbol
from risk.lots import EPSILON, Lot, affordable
from risk.model import Adjustment, Book, BracketTerms, Position, Proposal, floor_lot


class CashSweep(RiskModule):
    """Buys T-bill funds with cash that is idle above the buffer, and sells them as soon as entries want the cash.

    What is parked is cash to every other rule: it is no entry, takes no place, no part of a budget, and is no trade.
    Entries are judged as if it were in the account; where one needs it, the sale is sent before the entry. A fund is
    bought once and sold in parts; cash that comes free later goes into the next fund of the list. Each has a stop at
    the venue like every position, far below what a T-bill fund does. While a rule has stopped entries nothing is
    parked.

    Parameters
    ----------
    funds : tuple of str
        T-bill funds, the first one first; they cannot be entered by signals.
    spare_frac : float
        Cash left beside the buffer as a fraction of equity, for slippage and fees.
    min_park_frac : float
        Idle cash below this fraction of equity stays where it is.
    haircut_frac : float
        How far below the last price a sale is reckoned with, as a fraction of it.
    stop_frac, target_frac : float
        Bracket of a fund as fractions of its entry price.
    lot : float
        Smallest tradable quantity.
    """

    name = "cash_sweep"

    class Config(ModuleConfig):
        """Settings of ``CashSweep``."""

        # YAML has lists only: not strict, so that one is taken for a tuple.
        funds: tuple[Symbol, ...] = Field(strict=False, min_length=1, description="T-bill funds, first one first")
        spare_frac: Fraction = Field(description="cash left beside the buffer, fraction of equity")
        min_park_frac: PositiveFraction = Field(description="least idle cash that is parked, fraction of equity")
        haircut_frac: Fraction = Field(description="how far below the last price a sale is reckoned with")
        stop_frac: float = Field(gt=0, lt=1, description="stop distance, fraction of the entry price")
        target_frac: float = Field(gt=0, lt=1, description="target distance, fraction of the entry price")
        lot: Lot

    config: Config

    def symbols(self) -> tuple[str, ...]:
        return self.config.funds

    @property
    def cash_funds(self) -> tuple[str, ...]:
        return self.config.funds

    def ready_cash(self, book: Book, market: Market) -> float:
        """USD that a sale of everything parked would bring; a fund without a usable newest bar brings nothing."""
        return sum(position.quantity * self._price(position.symbol, market) for position in self._parked(book, market))

    def park(self, usd: float, book: Book, market: Market) -> Proposal | None:
        """The purchase that free cash is worth, the spare aside: of the first fund that is not held; None otherwise."""
        config = self.config
        usd -= config.spare_frac * book.equity
        if not usd >= config.min_park_frac * book.equity or book.equity <= 0:
            return None
        free = (fund for fund in config.funds if not book.held(fund) and market.usable(fund))
        if (fund := next(free, None)) is None:
            return None
        price = market.mark(fund)
        quantity = affordable(usd, price, config.lot)
        if quantity <= 0:
            return None
        terms = BracketTerms("buy", stop_frac=config.stop_frac, target_frac=config.target_frac, label="parked cash")
        stop, target = terms.at(price)
        return Proposal(
            symbol=fund,
            side="buy",
            signal=self.name,
            score=0.0,
            price=price,
            atr=math.nan,
            stop=stop,
            target=target,
            terms=terms,
            quantity=quantity,
            reason=f"{usd:,.2f} USD above the buffer are idle",
        )

    def raise_cash(self, usd: float, book: Book, market: Market) -> list[Adjustment]:
        """Sales that bring at least so much, or all there is; the smallest goes first, so that its place is free."""
        if not usd > 0:
            return []
        sales, wanted, lot = [], usd, self.config.lot
        parked = sorted(self._parked(book, market), key=lambda p: (p.quantity * market.mark(p.symbol), p.symbol))
        for position in parked:
            price, held = self._price(position.symbol, market), position.quantity
            lots = min(wanted / price, held) / lot
            quantity = floor_lot(max(1, math.ceil(lots - EPSILON)) * lot, lot)
            code = f"CASH_SWEEP: {usd:,.2f} USD wanted for entries"
            inputs = {"wanted_usd": usd, "price": price, "held": held}
            if quantity >= held:
                sales.append(Adjustment(self.name, "exit", position.symbol, code, inputs=inputs))
                wanted -= held * price
            else:
                sales.append(Adjustment(self.name, "trim", position.symbol, code, quantity=quantity, inputs=inputs))
                wanted -= quantity * price
            if wanted <= 0:
                break
        return sales

    def status(self, book: Book, market: Market) -> str:
        """What is parked and where."""
        parked = self._parked(book, market)
        if not parked:
            return "nothing is parked"
        told = ", ".join(f"{p.quantity:g} {p.symbol}" for p in parked)
        return f"{self.ready_cash(book, market):,.2f} USD are parked: {told}"

    def _parked(self, book: Book, market: Market) -> list[Position]:
        held: Iterable[Position | None] = (book.positions.get(fund) for fund in self.config.funds)
        return [p for p in held if p is not None and p.quantity > 0 and market.usable(p.symbol)]

    def _price(self, symbol: str, market: Market) -> float:
        return market.mark(symbol) * (1 - self.config.haircut_frac)
