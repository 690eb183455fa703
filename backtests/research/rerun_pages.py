"""Pages and sentences of what is learnt from running one configuration again: risk bill, band, Monte Carlo, shadow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backtests.reports.metrics import SHORTEST_ANNUALISED
from backtests.research import page
from backtests.research.monte_carlo import MonteCarlo
from backtests.research.overfit import UNDEFINED, figure
from backtests.research.reruns import BandCell, spread
from backtests.research.search.trials import Trial, TrialContext
from backtests.research.shadow import ShadowLine
from config.values.counting import counted, signed

VARIED = ("market_slippage_bps", "stop_slippage_bps", "fee_frac", "maker_fee_frac")
"""Fill assumptions that a band is over."""
PAST = "Past results promise nothing."
NO_RATIO = f"Sharpe {UNDEFINED}, as the window is too short: a ratio a year takes {SHORTEST_ANNUALISED} days"
SHOWN = 0.0005
"""Fraction of 1 from which on a figure in tenths of a percent is not 0.0%."""


def risk_bill_sentence(documents: Sequence[Mapping[str, Any]]) -> str:
    """What the rules did, in one sentence."""
    known = [d for d in documents if "refused" not in d]
    if not known:
        return "No rule can be left out."
    saved = [d for d in known if d["drawdown_saved"] >= SHOWN]
    dear = max(known, key=lambda d: d["return_cost"])
    told = f"{len(saved)} of {counted(len(known), 'rule')} saved drawdown"
    if saved:
        best = max(saved, key=lambda d: d["drawdown_saved"])
        told += (
            f", {best['module']} most: {best['drawdown_saved']:.1%}, for {signed(best['return_cost'], '.1%')} of return"
        )
    if dear["return_cost"] >= SHOWN:
        return f"{told}; dearest is {dear['module']}, which cost {dear['return_cost']:.1%} of return."
    return f"{told}; none cost return."


def risk_bill_page(context: TrialContext, whole: Trial, documents: Sequence[Mapping[str, Any]]) -> str:
    """``documents`` are those of the bill's lines."""
    known = [d for d in documents if "refused" not in d]
    names = [d["module"] for d in known]
    rows = [
        (
            d["module"],
            signed(d["return_cost"], ".2%"),
            signed(d["drawdown_saved"], ".2%"),
            figure(d["sharpe_change"], "+.2f"),
            d["trades_without"],
        )
        for d in known
    ]
    rows += [(d["module"], "can't be left out", "", "", "") for d in documents if "refused" in d]
    parts = [
        page.paragraph(risk_bill_sentence(documents), "verdict"),
        page.paragraph(
            f"With all rules: return {whole.total_return:.1%}, drawdown {whole.max_drawdown:.1%}, Sharpe "
            f"{figure(whole.told_sharpe, '.2f')}, {counted(whole.trades, 'trade')}. Each line is the run "
            "without one rule."
        ),
        page.table(("rule", "cost in return", "saved in drawdown", "Sharpe it adds", "trades without"), rows),
        page.heading("Drawdown saved, points of equity"),
        page.bars(names, [100 * d["drawdown_saved"] for d in known], form="+.2f"),
        page.heading("Return paid, points of equity"),
        page.bars(names, [100 * d["return_cost"] for d in known], form="+.2f", costs=True),
        page.paragraph("Each run without a rule is a registered trial: who drops a rule by this has chosen.", "note"),
        *_foot(context),
    ]
    return page.page("Risk bill", parts)


def band_sentence(cells: Sequence[BandCell]) -> str:
    """Between what the result lies, in one sentence."""
    returns = [c.trial.total_return for c in cells]
    ratios = spread([c.trial for c in cells], "told_sharpe")
    earn = sum(value > 0 for value in returns)
    sharpe = f"Sharpe {UNDEFINED}, as the account never moved"
    if ratios is not None:
        sharpe = f"Sharpe between {ratios[0]:.2f} and {ratios[1]:.2f}"
    elif any(c.trial.too_short for c in cells):
        sharpe = NO_RATIO
    return (
        f"Return between {min(returns):.1%} and {max(returns):.1%}, {sharpe}; {earn} of "
        f"{counted(len(cells), 'assumption')} about costs leave a profit."
    )


def band_page(context: TrialContext, cells: Sequence[BandCell]) -> str:
    """Maps of return and Sharpe ratio over the assumptions."""
    slippage, fees = (sorted({getattr(c, name) for c in cells}) for name in ("slippage_bps", "fee_frac"))
    found = {(c.slippage_bps, c.fee_frac): c.trial for c in cells}
    rows, columns = [f"{value:g}" for value in slippage], [f"{value:.2%}" for value in fees]
    ratios = [[found[s, f].told_sharpe for f in fees] for s in slippage]
    returns = [[100 * found[s, f].total_return for f in fees] for s in slippage]
    header = ("slippage, bps", "fee", "return", "Sharpe", "drawdown", "trades")
    lines = [
        (
            f"{c.slippage_bps:g}",
            f"{c.fee_frac:.2%}",
            f"{c.trial.total_return:.1%}",
            figure(c.trial.told_sharpe, ".2f"),
            f"{c.trial.max_drawdown:.1%}",
            c.trial.trades,
        )
        for c in cells
    ]
    parts = [
        page.paragraph(band_sentence(cells), "verdict"),
        page.heading("Return, %"),
        page.heat_map(rows, columns, returns, "fee", "slippage, bps"),
        *(
            [page.heading("Sharpe ratio a year"), page.heat_map(rows, columns, ratios, "fee", "slippage, bps")]
            if any(ratio is not None for line in ratios for ratio in line)
            else []
        ),
        page.heading("All assumptions"),
        page.table(header, lines),
        *_foot(context, VARIED),
    ]
    return page.page("The result over fill assumptions", parts)


def monte_carlo_sentence(done: MonteCarlo) -> str:
    """How many random strategies did as well, in one sentence."""
    trades, refused = (float(np.median([getattr(o, name) for o in done.random])) for name in ("trades", "refused"))
    fewer = trades < done.run.trades and refused > done.run.refused
    why = ", as the rules refuse more of the shifted entries" if fewer else ""
    compared = NO_RATIO
    if done.better is not None:
        middle = float(np.median([o.sharpe for o in done.random]))
        compared = (
            f"{done.better:.1%} of random strategies had a Sharpe ratio at least as high as {done.run.sharpe:.2f} "
            f"(their median {middle:.2f})"
        )
    returned = "" if done.better is not None else " of random strategies"
    return (
        f"{compared}; {done.better_return:.1%}{returned} returned as much as {done.run.total_return:.1%}; the run made "
        f"{counted(done.run.trades, 'trade')}, a random strategy {trades:,g} in the middle{why}"
    )


def order_sentence(done: MonteCarlo) -> str:
    """How deep the drawdown could have been by the trades' order alone."""
    middle, deep = np.quantile(done.shuffled_drawdowns, [0.5, 0.95])
    return (
        f"{counted(done.run.trades, 'trade')}, drawdown of their results {done.drawdown_usd:,.0f} USD; in random order "
        f"{middle:,.0f} USD in the middle, {deep:,.0f} USD in one of twenty"
    )


def monte_carlo_page(context: TrialContext, done: MonteCarlo) -> str:
    """The run among random strategies, and its drawdown among those of other orders."""
    what, label, own = "Sharpe ratios", "Sharpe ratio a year", done.run.sharpe
    values = [o.sharpe for o in done.random]
    if done.better is None:
        what, label, own = "Returns", "return, %", 100 * done.run.total_return
        values = [100 * o.total_return for o in done.random]
    parts = [
        page.paragraph(f"{monte_carlo_sentence(done)}.", "verdict"),
        page.heading(f"{what} of {counted(len(done.random), 'random strategy', 'random strategies')}"),
        page.paragraph("Each has the signals' own entries at another time. The line is the run; blue is better."),
        page.histogram(values, own, label),
        page.heading("Drawdown of the trades in random order"),
        page.paragraph(f"{order_sentence(done)}. The line is the order in which they came; blue is deeper."),
        page.histogram(done.shuffled_drawdowns.tolist(), done.drawdown_usd, "drawdown, USD"),
        *_foot(context),
    ]
    return page.page("Monte Carlo of entries and of the trades' order", parts)


def shadow_sentence(lines: Sequence[ShadowLine]) -> str:
    """Which rules paid for themselves, in one sentence."""
    if not lines:
        return "No rule refused or shrunk anything."
    paid = [line.module for line in lines if line.high < 0]
    cost = [line.module for line in lines if line.low > 0]
    open_ones = len(lines) - len(paid) - len(cost)
    parts = []
    if paid:
        parts.append(f"what {', '.join(paid)} refused or shrunk would have lost money")
    if cost:
        parts.append(f"what {', '.join(cost)} refused or shrunk would have earned money")
    if open_ones:
        parts.append(f"for {counted(open_ones, 'rule')} neither can be said, as the interval holds zero")
    told = "; ".join(parts)
    return f"{told[0].upper()}{told[1:]}."


def shadow_page(context: TrialContext, lines: Sequence[ShadowLine], proposals: int, confidence: float) -> str:
    """What refusals cost and saved, by rule."""
    header = ("rule", "proposals", "cost, USD", "saved, USD", "net cost, USD", f"{confidence:.0%} interval")
    rows = [
        (
            line.module,
            f"{line.proposals:,}",
            f"{line.cost:,.0f}",
            f"{line.saved:,.0f}",
            signed(line.net, ",.0f"),
            f"{signed(line.low, ',.0f')} to {signed(line.high, ',.0f')}",
        )
        for line in lines
    ]
    parts = [page.paragraph(shadow_sentence(lines), "verdict"), page.table(header, rows)]
    if lines:
        spans = [(line.low, line.high) for line in lines]
        parts += [
            page.heading("Net cost, USD"),
            page.bars([x.module for x in lines], [x.net for x in lines], spans, costs=True),
        ]
    parts += [
        page.paragraph(
            f"{counted(proposals, 'proposal')} followed to their own stop or target, each as if it had been entered "
            "alone; below zero the rule paid for itself.",
            "note",
        ),
        *_foot(context),
    ]
    return page.page("What refusals cost and saved", parts)


def _foot(context: TrialContext, varied: Sequence[str] = ()) -> list[str]:
    """Window and fill assumptions, without those that were ``varied``."""
    known = {name: value for name, value in context.settings["fills"].items() if value and name not in varied}
    fills = ", ".join(f"{name} {page.told(value)}" for name, value in known.items())
    window = f"{context.start:%Y-%m-%d} to {context.end:%Y-%m-%d}, {counted(len(context.table.symbols), 'symbol')}"
    return [page.paragraph(f"{window}. Fills as assumed: {fills or 'no costs'}. {PAST}", "note")]
