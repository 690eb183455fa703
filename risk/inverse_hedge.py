"""Holds an inverse ETF while the market leaders are overbought."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from market.market import Market
from market.sectors import INVERSE
from risk.interface import Fraction, ModuleConfig, PositiveFraction, RiskModule, Symbol
from risk.limit_usage import Limit
from risk.lots import EPSILON, Lot, affordable, trim_quantity
from risk.model import Adjustment, Book, BracketTerms, Position, Proposal, Verdict


class Fund(ModuleConfig):
    """An inverse ETF and how many times it moves against its index per day."""

    symbol: Symbol = Field(description="ticker of the fund")
    leverage: float = Field(ge=1, description="daily move against the index, as a multiple")


class InverseHedge(RiskModule):
    """Buys an inverse ETF when most gauges are overbought and sells it when the reading clears.

    The share of overbought gauges decides: from ``open_frac`` on the plain fund, from
    ``escalate_frac`` on a leveraged one, of the Nasdaq or of the broad market, whichever has the
    higher RSI. A hedge is only ever stepped up: a fund is bought on top of held ones if it is
    more leveraged than all of them. All inverse positions together stay within ``max_total_frac``.
    Where the RSI of one of the two markets is not known, there is nothing to compare, and the plain fund is bought.

    Parameters
    ----------
    gauges : tuple of str
        Symbols whose RSI is read; one without a usable newest bar doesn't count.
    min_gauges : int
        Usable gauges below which there is no reading: nothing is opened, nothing unwound.
    rsi_bars, overbought : int and float
        A gauge is overbought above this RSI.
    open_frac, escalate_frac, clear_frac : float
        Shares of overbought gauges that open and step up a hedge, and below which it is unwound.
    plain, broad, nasdaq : Fund
        The instruments.
    broad_gauge, nasdaq_gauge : str
        Symbols whose RSI tell a broad from a Nasdaq-led reading.
    size_frac : float
        Size of one hedge as a fraction of equity, divided by the fund's leverage.
    max_total_frac, band_frac : float
        Value of all inverse positions as a fraction of equity, at most; when above, they are
        trimmed to a band below it, against trading every bar.
    stop_frac, target_frac : float
        Bracket of the hedge as fractions of its entry price.
    atr_bars : int
        Period of the ATR that is recorded with the hedge.
    lot : float
        Smallest tradable quantity.
    """

    name = "inverse_hedge"
    remedy = "an inverse position has to be closed, or risk.modules.inverse_hedge.max_total_frac raised"

    class Config(ModuleConfig):
        """Settings of ``InverseHedge``."""

        # YAML has lists only: not strict, so that one is taken for a tuple.
        gauges: tuple[Symbol, ...] = Field(
            strict=False,
            min_length=1,
            description="symbols whose RSI is read",
        )
        min_gauges: int = Field(ge=1, description="usable gauges needed for a reading")
        rsi_bars: int = Field(ge=2, description="RSI period, in bars")
        overbought: float = Field(gt=0, lt=100, description="RSI above which a gauge is overbought")
        open_frac: PositiveFraction = Field(description="share of overbought gauges that opens a hedge")
        escalate_frac: PositiveFraction = Field(description="share from which on it is leveraged")
        clear_frac: Fraction = Field(description="share below which hedges are unwound")
        plain: Fund
        broad: Fund
        nasdaq: Fund
        broad_gauge: Symbol = Field(description="symbol read for the broad market")
        nasdaq_gauge: Symbol = Field(description="symbol read for the Nasdaq")
        size_frac: PositiveFraction = Field(description="size of one hedge, fraction of equity at 1x")
        max_total_frac: PositiveFraction = Field(description="value of all hedges, fraction of equity")
        band_frac: Fraction = Field(description="how far below the cap a trim goes, fraction of equity")
        stop_frac: float = Field(gt=0, lt=1, description="stop distance, fraction of the entry price")
        target_frac: float = Field(gt=0, lt=1, description="target distance, fraction of the entry price")
        atr_bars: int = Field(ge=2, description="period of the recorded ATR, in bars")
        lot: Lot

        @model_validator(mode="after")
        def _consistent(self) -> Self:
            if len(set(self.gauges)) < len(self.gauges):
                raise ValueError("inverse_hedge.gauges names a symbol twice")
            if self.min_gauges > len(self.gauges):
                raise ValueError("inverse_hedge needs min_gauges <= number of gauges: else it never has a reading")
            if not self.clear_frac <= self.open_frac <= self.escalate_frac:
                raise ValueError("inverse_hedge needs clear_frac <= open_frac <= escalate_frac")
            if self.size_frac > self.max_total_frac:
                raise ValueError("inverse_hedge needs size_frac <= max_total_frac")
            if self.band_frac >= self.max_total_frac:
                raise ValueError("inverse_hedge needs band_frac < max_total_frac")
            return self

        @property
        def funds(self) -> tuple[Fund, Fund, Fund]:
            return self.plain, self.broad, self.nasdaq

    config: Config

    @property
    def _rsi(self) -> str:
        return f"rsi_{self.config.rsi_bars}"

    def needs(self) -> Sequence[str]:
        return self._rsi, f"atr_{self.config.atr_bars}"

    def symbols(self) -> Sequence[str]:
        config = self.config
        return (*config.gauges, config.broad_gauge, config.nasdaq_gauge, *(fund.symbol for fund in config.funds))

    def limits(self, book: Book, market: Market) -> list[Limit]:
        used, most = sum(self._inverse(book, market).values()), self.config.max_total_frac * book.equity
        return [Limit(self.name, "inverse positions", used, most, scope="inverse")]

    def review(self, proposal: Proposal, book: Book, market: Market) -> Verdict:
        """Hold any inverse proposal, a signal's too, to what is left of the total."""
        if not self._counts(proposal, market):
            return self.keep(proposal)
        room = self._room(book, market)
        allowed = affordable(room, proposal.price, self.config.lot)
        if allowed >= proposal.quantity:
            return self.keep(proposal, room_usd=room)
        code = f"INVERSE_HEDGE: total would pass {self.config.max_total_frac:.0%} of equity"
        return self.shrink(proposal, allowed, code, room_usd=room)

    def status(self, book: Book, market: Market) -> str:
        """The gauges' reading, also when nothing follows from it, and what is held against the market."""
        config, readings = self.config, self.readings(market)
        listed = ", ".join(f"{s} {rsi:.1f}" for s, rsi in readings.items())
        share = self._share(readings)
        if share is None:
            return f"{len(readings)} of {len(config.gauges)} gauges can be read, a reading needs {config.min_gauges}"
        hot = sum(rsi > config.overbought for rsi in readings.values())
        held = self._inverse(book, market)
        if share >= config.open_frac - EPSILON:
            told = "hedged" if held else "a hedge is due"
        elif share < config.clear_frac - EPSILON:
            told = "hedges are sold" if held else f"no hedge below {config.open_frac:.0%}"
        else:
            told = "hedges stay" if held else f"no hedge below {config.open_frac:.0%}"
        shown = held and book.equity > 0
        total = f"; {sum(held.values()) / book.equity:.1%} of at most {config.max_total_frac:.0%}" if shown else ""
        return f"{hot} of {len(readings)} gauges above RSI {config.overbought:g} ({listed}), {share:.0%}: {told}{total}"

    def propose(self, book: Book, market: Market) -> list[Proposal]:
        """The hedge that the reading calls for, if it is not there yet and the total leaves room for it."""
        config = self.config
        readings = self.readings(market)
        share = self._share(readings)
        if share is None or share < config.open_frac - EPSILON:
            return []
        fund, why = self._fund(share, market)
        leverages = self._leverages()
        held = max((leverages.get(s, 1.0) for s in self._inverse(book, market)), default=0.0)
        if fund is None or fund.leverage <= held:
            return []
        price = market.mark(fund.symbol)
        size, room = config.size_frac * book.equity / fund.leverage, self._room(book, market)
        # One by one: the smaller of two amounts is not defined where one of them is not a number.
        quantity = min(affordable(usd, price, config.lot) for usd in (size, room))
        if quantity <= 0:
            return []
        terms = BracketTerms("buy", stop_frac=config.stop_frac, target_frac=config.target_frac, label=why)
        stop, target = terms.at(price)
        listed = ", ".join(f"{s} {rsi:.1f}" for s, rsi in readings.items())
        return [
            Proposal(
                symbol=fund.symbol,
                side="buy",
                signal=self.name,
                score=100 * share,
                price=price,
                atr=market.value(f"atr_{config.atr_bars}", fund.symbol),
                stop=stop,
                target=target,
                terms=terms,
                quantity=quantity,
                reason=f"{share:.0%} of gauges have RSI > {config.overbought:g} ({listed}): {why}",
                role="hedge",
                room_usd=min(size, room),
            )
        ]

    def manage(self, book: Book, market: Market) -> list[Adjustment]:
        """Unwind when the reading has cleared; otherwise trim what the market has lifted above the total."""
        config = self.config
        share = self._share(self.readings(market))
        if share is not None and share < config.clear_frac - EPSILON:
            code = f"INVERSE_HEDGE: {share:.0%} of gauges overbought < {config.clear_frac:.0%}, unwound"
            hedges = [s for s, position in book.positions.items() if position.role == "hedge"]
            return [Adjustment(self.name, "exit", s, code, inputs={"share_frac": share}) for s in hedges]

        values = self._inverse(book, market)
        total = sum(values.values())
        # Without positive equity there is no fraction to trim to; the halts, not this rule, deal with that.
        if book.equity <= 0 or not total > config.max_total_frac * book.equity * (1 + EPSILON):
            return []
        # Entries on their way are judged by review; only what is held can be trimmed.
        keep_frac = max(0.0, (config.max_total_frac - config.band_frac) * book.equity / total)
        code = f"INVERSE_HEDGE: {total / book.equity:.1%} of equity above {config.max_total_frac:.0%}"
        adjustments = []
        for symbol in values:
            if symbol not in book.positions or not market.usable(symbol):
                continue
            held = abs(book.positions[symbol].quantity)
            quantity = trim_quantity(held, held * keep_frac, config.lot)
            if quantity > 0:
                inputs = {"inverse_usd": total, "equity": book.equity, "held": held}
                adjustments.append(Adjustment(self.name, "trim", symbol, code, quantity=quantity, inputs=inputs))
        return adjustments

    def readings(self, market: Market) -> dict[str, float]:
        """RSI of every usable gauge."""
        return self._readings(self.config.gauges, market)

    def _readings(self, symbols: Sequence[str], market: Market) -> dict[str, float]:
        """RSI of those symbols that are usable and have one."""
        values = {s: market.value(self._rsi, s) for s in symbols if market.usable(s)}
        return {s: rsi for s, rsi in values.items() if math.isfinite(rsi)}

    def _share(self, readings: dict[str, float]) -> float | None:
        """Share of overbought gauges, None while too few are usable."""
        if len(readings) < self.config.min_gauges:
            return None
        return sum(rsi > self.config.overbought for rsi in readings.values()) / len(readings)

    def _fund(self, share: float, market: Market) -> tuple[Fund | None, str]:
        """Instrument for a reading, and why; None when not even the plain fund has a usable bar."""
        config = self.config
        plain = config.plain if market.usable(config.plain.symbol) else None
        told = f"{config.plain.symbol} {config.plain.leverage:g}x"
        if share < config.escalate_frac - EPSILON:
            return plain, told
        compared = config.nasdaq_gauge, config.broad_gauge
        known = self._readings(compared, market)
        if unknown := [s for s in compared if s not in known]:
            return plain, f"{told}, as no RSI of {' and '.join(unknown)} is known"
        nasdaq, broad = (known[s] for s in compared)
        fund = config.nasdaq if nasdaq > broad else config.broad
        why = f"{config.nasdaq_gauge} RSI {nasdaq:.1f} vs {config.broad_gauge} {broad:.1f}"
        if market.usable(fund.symbol):
            return fund, f"{fund.symbol} {fund.leverage:g}x, {why}"
        return plain, f"{told}, as {fund.symbol} has no usable bar ({why})"

    def _leverages(self) -> dict[str, float]:
        return {fund.symbol: fund.leverage for fund in self.config.funds}

    def _counts(self, what: Position | Proposal, market: Market) -> bool:
        """Whether it counts in the total: every hedge, and every inverse fund that is held long."""
        inverse = what.symbol in self._leverages() or market.sector(what.symbol) == INVERSE
        return what.role == "hedge" or (inverse and what.side == "buy")

    def _inverse(self, book: Book, market: Market) -> dict[str, float]:
        """Value in USD of every inverse position, held or on its way, whoever opened it."""
        values: dict[str, float] = {}
        for symbol, position in book.positions.items():
            if self._counts(position, market):
                mark = market.mark(symbol)
                price = mark if math.isfinite(mark) else position.entry_price
                values[symbol] = abs(position.quantity) * price
        for symbol, pending in book.pending.items():
            if self._counts(pending, market):
                values[symbol] = values.get(symbol, 0.0) + pending.approved_usd
        return values

    def _room(self, book: Book, market: Market) -> float:
        """USD that may still go into inverse positions."""
        return self.config.max_total_frac * book.equity - sum(self._inverse(book, market).values())
