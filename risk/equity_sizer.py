"""Dual-cap position size: the loss at the stop and the money put in are both bounded by equity."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import Field

from config.defaults import with_defaults
from config.values.counting import share_count
from risk.interface import ModuleConfig, PositiveFraction
from risk.limit_usage import Remedy
from risk.lots import Lot, affordable
from risk.model import Book, Proposal, Verdict, floor_lot

NAME = "equity_sizer"


class SizingConfig(ModuleConfig):
    """Settings of the first verdict of every chain."""

    risk_frac: PositiveFraction = Field(description="loss at the stop, as a fraction of equity, at most")
    max_notional_frac: PositiveFraction = Field(description="position value, as a fraction of equity, at most")
    notional_usd: float | None = Field(gt=0, description="position value, USD, at most; null is no such cap")
    lot: Lot


with_defaults(SizingConfig, "sizing")


@dataclass(frozen=True, slots=True)
class PositionSize:
    """How many shares, and which cap decided.

    ``notional`` and ``risk_dollars`` in USD are those of ``shares``; ``by_risk`` and ``by_notional``
    are what each cap alone would allow, ``most_usd`` what the position may cost by both before whole lots.
    ``capped`` tells that the notional cap was the smaller one, ``cap_reason`` is then ``"notional"`` and
    else empty.
    """

    shares: float
    notional: float
    risk_dollars: float
    capped: bool
    cap_reason: str
    by_risk: float
    by_notional: float
    most_usd: float


def calculate_position_size(
    entry_price: float,
    stop_loss: float,
    account_equity: float | None = None,
    risk_pct: float = 0.02,
    max_notional_pct: float = 0.10,
    *,
    size_multiplier: float = 1.0,
    lot: float = 1.0,
    cognitive_multiplier: float | None = None,
) -> PositionSize:
    """Size a position so that neither its risk nor its value exceeds a share of equity.

    Parameters
    ----------
    entry_price, stop_loss : float
        Prices in USD; the stop lies below the entry for a long, above it for a short.
    account_equity : float
        Account value in USD.
    risk_pct : float, default=0.02
        Loss at the stop as a fraction of equity (0.02 is 2%), in (0, 1].
    max_notional_pct : float, default=0.10
        Position value as a fraction of equity (0.10 is 10%), in (0, 1].
    size_multiplier : float, default=1
        Scales the result down, in [0, 1]; no multiplier can lift a cap.
    lot : float, default=1
        Smallest tradable quantity.
    cognitive_multiplier : float, optional
        Another name for ``size_multiplier``.

    Returns
    -------
    PositionSize
        Zero shares when a single lot is already too much.

    Raises
    ------
    TypeError
        Without an equity, or with both multipliers.
    ValueError
        If a price, the equity or the lot is not a positive number, a fraction is outside its
        range, or stop and entry coincide (the risk of a share is then unknown).

    Examples
    --------
    >>> size = calculate_position_size(170, 163, 105_000)
    >>> size.shares, size.notional, size.cap_reason
    (61, 10370, 'notional')
    """
    if account_equity is None:
        raise TypeError(
            "calculate_position_size needs account_equity, e.g. account_equity=105000; the command risk-first size "
            f"--entry {entry_price:g} --stop {stop_loss:g} reads it from the account"
        )
    if cognitive_multiplier is not None:
        if size_multiplier != 1:
            raise TypeError("cognitive_multiplier is another name for size_multiplier; give one of them")
        size_multiplier = cognitive_multiplier
    for name, value in (
        ("entry_price", entry_price),
        ("stop_loss", stop_loss),
        ("account_equity", account_equity),
        ("lot", lot),
    ):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a positive number, not {value}")
    for name, value in (("risk_pct", risk_pct), ("max_notional_pct", max_notional_pct)):
        if not 0 < value <= 1:
            raise ValueError(f"{name} is a fraction in (0, 1], e.g. 0.02 for 2%, not {value}")
    if not 0 <= size_multiplier <= 1:
        raise ValueError(f"size_multiplier must be in [0, 1], not {size_multiplier}")
    risk_per_share = abs(entry_price - stop_loss)
    if risk_per_share == 0:
        raise ValueError(f"stop_loss equals entry_price ({entry_price}): the risk of a share is unknown")

    by_risk = affordable(account_equity * risk_pct, risk_per_share, lot)
    by_notional = affordable(account_equity * max_notional_pct, entry_price, lot)
    shares = floor_lot(min(by_risk, by_notional) * size_multiplier, lot)
    capped = by_notional < by_risk
    return PositionSize(
        shares=shares,
        notional=shares * entry_price,
        risk_dollars=shares * risk_per_share,
        capped=capped,
        cap_reason="notional" if capped else "",
        by_risk=by_risk,
        by_notional=by_notional,
        # A stop moves along with the quote: at most in proportion to it.
        most_usd=size_multiplier
        * min(account_equity * max_notional_pct, account_equity * risk_pct * entry_price / risk_per_share),
    )


def size(proposal: Proposal, book: Book, config: SizingConfig) -> Verdict:
    """First verdict of a chain: from a wish without quantity to one within both caps.

    ``before`` is what the risk cap alone allows, or the quantity of a proposal that comes with one
    (a hedge), which is never enlarged.
    """
    gain = proposal.price - proposal.stop if proposal.side == "buy" else proposal.stop - proposal.price
    try:
        if gain < 0:
            raise ValueError(f"stop {proposal.stop} is on the wrong side of {proposal.price} for {proposal.side}")
        sized = calculate_position_size(
            proposal.price,
            proposal.stop,
            book.equity,
            config.risk_frac,
            notional_frac(config, book.equity),
            size_multiplier=proposal.size_multiplier,
            lot=config.lot,
        )
    except ValueError as error:
        return Verdict(NAME, f"EQUITY_SIZER: {error}", proposal.quantity, 0)

    before = proposal.quantity if proposal.quantity > 0 else sized.by_risk
    after = min(floor_lot(before, config.lot), sized.shares)
    inputs = {
        "equity": book.equity,
        "risk_frac": config.risk_frac,
        "max_notional_frac": config.max_notional_frac,
        "by_risk": sized.by_risk,
        "by_notional": sized.by_notional,
        "size_multiplier": proposal.size_multiplier,
        "risk_usd": after * proposal.risk_per_share,
        "notional_usd": after * proposal.price,
    }
    if after <= 0:
        code = f"EQUITY_SIZER: 0 shares (by risk {sized.by_risk:g}, by notional {sized.by_notional:g})"
    elif after < before:
        multiplier = f"multiplier {proposal.size_multiplier:g}" if proposal.size_multiplier < 1 else ""
        causes = [cause for cause in (sized.cap_reason, multiplier) if cause] or ["risk"]
        share = after * proposal.price / book.equity
        code = f"EQUITY_SIZER: {share_count(after)}, {share:.1%} of equity, cut by {' and '.join(causes)}"
    else:
        code = "OK"
    return Verdict(NAME, code, before, after, inputs, most_usd=sized.most_usd)


def remedy_for(verdict: Verdict, price: float) -> Remedy:
    """What would have to change for a larger size; ``price`` of the proposal in USD."""
    by_risk, by_notional = verdict.inputs.get("by_risk"), verdict.inputs.get("by_notional")
    if verdict.after > 0 and (by_risk is None or by_notional is None):
        return Remedy("a nearer stop, more equity, or larger limits in sizing")
    if by_risk is None or by_notional is None:
        return Remedy("a stop on the right side of the entry, and an account with equity above zero")
    if by_notional < by_risk:
        return Remedy(
            "more equity or a larger sizing.max_notional_frac, and a larger sizing.notional_usd where one is set: "
            f"the notional cap allows {share_count(by_notional)}"
        )
    return Remedy(
        f"a nearer stop, more equity or a larger sizing.risk_frac: the risk cap allows {share_count(by_risk)}"
    )


def most_of_one(config: SizingConfig, equity: float) -> float:
    """The largest value of one position, USD, whatever its stop."""
    return notional_frac(config, equity) * equity


def notional_frac(config: SizingConfig, equity: float) -> float:
    """The cap on a position's value as a fraction of equity: the stricter one of fraction and amount."""
    if config.notional_usd is None or not equity > 0:
        return config.max_notional_frac
    return min(config.max_notional_frac, config.notional_usd / equity)
