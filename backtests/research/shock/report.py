"""What shocks did to the present book: in a sentence, as a document, and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from backtests.research.page import curve, heading, page, paragraph, table
from backtests.research.shock.play import ShockResult
from backtests.research.shock.present import PresentBook
from config.values.counting import counted, signed

ASSUMPTIONS = (
    "Each position moves by its beta to the market, measured from past bars; inverse funds by their leverage.",
    "Stops and targets fill as in a backtest: the stop first where a session reaches both, at the open where it gaps "
    "beyond, with the slippage and fees of the settings. Nothing new is bought, and rules that read indicators are not "
    "played.",
    "In a fall like these correlations rise, so that betas of calm times are too small.",
)


def sentence(results: Sequence[ShockResult]) -> str:
    """The verdict: the shock that costs most, what leaves in it and what halts."""
    worst = min(results, key=lambda r: r.worst)
    if not worst.left and not worst.exits:
        return "Nothing is held, so that no fall costs anything."
    halts = ", ".join(f"{h.rule} from session {h.session}" for h in _first(worst)) or "no rule"
    gone = len({e.symbol for e in worst.exits} - set(worst.left))
    held = counted(gone + len(worst.left), "position")
    market = signed(worst.path.market, ".1%")
    lowest, end = signed(worst.worst, ".2%"), signed(worst.change, ".2%")
    through = signed(worst.held_through / worst.equity - 1, ".2%")
    return (
        f"The worst is {worst.path.name} (market {market}): {lowest} of equity at the lowest, {end} at its end; "
        f"{gone} of {held} {'leaves' if gone == 1 else 'leave'}, {halts} stops entries; held through without an exit "
        f"it would be {through}."
    )


def _first(result: ShockResult) -> list[Any]:
    """The first time that each rule halts."""
    seen: dict[str, Any] = {}
    for halt in result.halts:
        seen.setdefault(halt.rule, halt)
    return list(seen.values())


def document(present: PresentBook, results: Sequence[ShockResult]) -> dict[str, Any]:
    """The answer for programs; money in USD, moves as fractions of 1."""
    return {
        "time": present.time,
        "equity": present.equity,
        "verdict": sentence(results),
        "positions": [
            {
                "symbol": h.position.symbol,
                "quantity": h.position.quantity,
                "price": h.price,
                "moves": h.slope,
                "because": h.why,
            }
            for h in present.held
        ],
        "shocks": [
            {
                "name": r.path.name,
                "told": r.path.told,
                "sessions": len(r.path.days),
                "market": r.path.market,
                "change": r.change,
                "worst": r.worst,
                "held_through": r.held_through / r.equity - 1,
                "exits": [asdict(e) for e in r.exits],
                "halts": [asdict(h) for h in r.halts],
                "left": r.left,
                "not_played": list(r.unplayed),
                "equity": r.curve,
            }
            for r in results
        ],
    }


def shock_page(present: PresentBook, results: Sequence[ShockResult]) -> str:
    """The page; it needs no network."""
    rows = [
        (
            r.path.name,
            len(r.path.days),
            signed(r.path.market, ".1%"),
            signed(r.worst, ".2%"),
            signed(r.change, ".2%"),
            signed(r.held_through / r.equity - 1, ".2%"),
            len(r.exits),
            ", ".join(h.rule for h in _first(r)) or "–",
        )
        for r in results
    ]
    header = ("shock", "sessions", "market", "equity at the lowest", "at its end", "held through", "exits", "halts")
    parts = [
        paragraph(sentence(results), "verdict"),
        paragraph(f"The book of {present.time:%Y-%m-%d %H:%M}, equity {present.equity:,.2f} USD."),
        table(header, rows),
        heading("What is held"),
        table(
            ("symbol", "quantity", "price", "stop", "target", "moves with the market by", "because"),
            [
                (
                    h.position.symbol,
                    h.position.quantity,
                    f"{h.price:,.2f}",
                    h.position.stop,
                    h.position.target,
                    f"{h.slope:.2f}",
                    h.why,
                )
                for h in present.held
            ],
        ),
    ]
    for r in results:
        parts += [heading(r.path.name), paragraph(r.path.told)]
        if len(r.path.days) > 1:
            parts.append(curve(r.curve, "now", r.path.days[-1].label))
        if r.exits:
            left = [(e.label, e.symbol, e.quantity, f"{e.price:,.2f}", e.why, signed(e.usd, ",.2f")) for e in r.exits]
            parts.append(table(("session", "symbol", "quantity", "price", "why", "USD from now"), left))
        if r.halts:
            parts.append(
                table(("session", "rule", "sessions without entries"), [(h.label, h.rule, h.sessions) for h in r.halts])
            )
    parts += [paragraph(text, "note") for text in ASSUMPTIONS]
    return page("Falls of the past on the present book", parts)
