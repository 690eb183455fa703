"""Six gates that an entry of a small account passes, in order; each refuses by its own name."""

from __future__ import annotations

from pydantic import Field

from market.market import Market
from risk.interface import Fraction, ModuleConfig, RiskModule, Symbol
from risk.limit_usage import Limit
from risk.lots import Lot, affordable
from risk.model import Book, Proposal, Verdict

MINUTE_S = 60.0
INTERVAL, OPEN_POSITION, QUALITY = "INTERVAL", "OPEN_POSITION", "QUALITY"
BALANCE, SYMBOL, PENDING_ORDER = "BALANCE", "SYMBOL", "PENDING_ORDER"
GATES = (INTERVAL, OPEN_POSITION, QUALITY, BALANCE, SYMBOL, PENDING_ORDER)
"""In the order in which they are asked."""


class EntryGates(RiskModule):
    """Keeps a small account from dying of activity.

    Small accounts lose to fees and to doing too much, so the gates are about both. They are asked in this order, and
    the first that refuses is the one that is named: interval, open position, quality, balance, symbol, pending order.
    A position is never added to: averaging down is an open position like any other.

    Parameters
    ----------
    interval_s : float
        Seconds between two orders that open a position, unfilled ones too; where it is not 0 a scan enters one.
    entries_a_minute : int
    max_positions : int
    min_confidence : float
        Score / 100.
    fee_frac : float
        What is kept of the cash for the fee of an entry and of its exit together, as a fraction of its value.
    min_equity_usd : float
        Below it nothing is entered any more.
    min_order_usd : float
        What the balance would shrink below it is refused.
    restricted : tuple of str
        Symbols that are never entered.
    lot : float
        Smallest tradable quantity.
    """

    name = "entry_gates"
    remedy = "time, a position that closes, a better score, more cash or the end of an order, by the gate that refused"

    class Config(ModuleConfig):
        """Settings of ``EntryGates``."""

        interval_s: float = Field(
            ge=0, le=86_400, description="seconds between two orders that open a position; not 0: one a scan"
        )
        entries_a_minute: int = Field(ge=1, le=600, description="orders that open a position in a minute, at most")
        max_positions: int = Field(ge=1, le=100, description="open positions, at most")
        min_confidence: Fraction = Field(description="score / 100 that an entry needs, fraction of 1")
        fee_frac: Fraction = Field(description="kept of the cash for both fees, fraction of the position's value")
        min_equity_usd: float = Field(ge=0, description="equity below which nothing is entered, USD")
        min_order_usd: float = Field(ge=0, description="an entry that the balance would shrink below it is refused")
        restricted: tuple[Symbol, ...] = Field(description="symbols that are never entered")
        lot: Lot

    config: Config

    def limits(self, book: Book, market: Market) -> list[Limit]:
        """Positions and balance; the other gates are about moments, scores and symbols."""
        config, fees = self.config, 1 + self.config.fee_frac
        spent = max(0.0, book.equity - book.free_cash)
        # Below the least equity nothing is entered, whatever cash there is: what is spent is all that may be.
        enough = book.equity >= config.min_equity_usd
        most = book.equity if enough else spent
        name = "spent of the balance, fees kept" if enough else f"nothing below {config.min_equity_usd:g} USD of equity"
        return [
            Limit(self.name, "open positions", book.count, config.max_positions, "positions"),
            Limit(self.name, name, spent / fees, most / fees),
        ]

    def review(self, proposal: Proposal, book: Book, market: Market) -> Verdict:
        """The six gates."""
        config = self.config
        # By a clock that was put back a time may lie ahead.
        ages = [max(0.0, (book.time - time).total_seconds()) for time in book.entry_times]
        # Those accepted earlier in this scan are sent in this moment.
        count = book.entries_within(MINUTE_S) + book.accepted
        inputs = {"entries_in_a_minute": count, "positions": len(book.positions), "free_cash": book.free_cash}
        if ages and (since := min(ages)) < config.interval_s:
            why = f"{since:.0f} s after the last entry, {config.interval_s:g} s apart"
            return self._no(proposal, INTERVAL, why, **inputs)
        if book.accepted and config.interval_s:
            why = f"another entry of this scan goes first, {config.interval_s:g} s apart"
            return self._no(proposal, INTERVAL, why, **inputs)
        if count >= config.entries_a_minute:
            return self._no(proposal, INTERVAL, f"{count} of {config.entries_a_minute} entries a minute", **inputs)
        if proposal.symbol in book.positions:
            return self._no(proposal, OPEN_POSITION, f"{proposal.symbol} is held and not averaged down", **inputs)
        if len(book.positions) >= config.max_positions:
            held = f"{len(book.positions)} of {config.max_positions} positions"
            return self._no(proposal, OPEN_POSITION, held, **inputs)
        if not proposal.score >= config.min_confidence * 100:
            low = f"{proposal.score / 100:.2f} below {config.min_confidence:.2f}"
            return self._no(proposal, QUALITY, low, **inputs)
        if not book.equity >= config.min_equity_usd:
            left = f"equity {book.equity:.2f} USD, at least {config.min_equity_usd:.2f}"
            return self._no(proposal, BALANCE, left, **inputs)
        fits = affordable(book.free_cash / (1 + config.fee_frac), proposal.price, config.lot)
        quantity = min(fits, proposal.quantity)
        if not quantity * proposal.price >= max(config.min_order_usd, 0) or quantity <= 0:
            short = f"{book.free_cash:.2f} USD buy {fits * proposal.price:.2f}, at least {config.min_order_usd:.2f}"
            return self._no(proposal, BALANCE, short, **inputs)
        if proposal.symbol in config.restricted:
            return self._no(proposal, SYMBOL, f"{proposal.symbol} is restricted", **inputs)
        if proposal.symbol in book.pending or len(book.positions.keys() | book.pending.keys()) >= config.max_positions:
            waiting = ", ".join(sorted(book.pending))
            return self._no(proposal, PENDING_ORDER, f"an order of {waiting} is on its way", **inputs)
        if quantity < proposal.quantity:
            code = f"{BALANCE}: {book.free_cash:.2f} USD with {config.fee_frac:.2%} for fees"
            return self.shrink(proposal, quantity, code, **inputs)
        return self.keep(proposal, **inputs)

    def _no(self, proposal: Proposal, gate: str, why: str, **inputs: float) -> Verdict:
        place = GATES.index(gate) + 1
        return self.refuse(proposal, f"{gate}: {why}", gate=place, **inputs)
