"""Scenes about the size of one order: typed in the program, and typed at the broker."""

from __future__ import annotations

import json

from commands.demonstration.bars import day_at_the_exchange
from commands.demonstration.exchange import EQUITY_USD, exchange, settle, trader
from commands.demonstration.scene import Scene, Seen, Stage

SHARES_BY_HAND = {"PLTR": 291, "TSLA": 76}


def one_order(stage: Stage, seen: Seen) -> None:
    """The size of the entry that was meant."""
    said = stage.run("size", "--entry", "170", "--stop", "163", "--equity", "105000", "--json", *stage.settings())
    found = json.loads(said.text)
    seen.say(
        f"{found['by_risk']:g} shares by the 2% that may be lost, {found['by_notional']:g} by the 10% of the account"
    )
    seen.say(f"the smaller counts: {found['shares']:g} shares, {found['notional']:,.0f} USD")
    seen.check("at most 10% of 105,000 USD", found["notional"] <= 10_500)
    seen.check("61 shares; 62 would cost 10,540 USD", found["shares"] == 61)


def by_hand(stage: Stage, seen: Seen) -> None:
    """Two orders typed at the broker, found at the next look."""
    with exchange(day_at_the_exchange({}, falling=("AAPL",))) as at:
        for symbol, shares in SHARES_BY_HAND.items():
            at.by_hand(symbol, shares)
        with trader(at, stage) as of:
            settle(at, of)
            refused = of.refusals().get("AAPL", "")
        said = stage.run(
            "reconcile", "--alpaca-url", at.url, "--state-dir", str(stage.folder / "state"), *stage.settings()
        )
        for symbol in SHARES_BY_HAND:
            seen.say(said.line_with(symbol, "would be right").rstrip("│ ").rpartition("│")[2].strip())
        seen.say(said.line_with("together"))
        seen.say(f"the trader's own entry is refused meanwhile: {refused}")
        seen.check("291 PLTR are told with the right size, 62", said.line_with("291", "62 would be right"))
        seen.check("76 TSLA with 24", said.line_with("76", "24 would be right"))
        seen.check("what hands bought uses the day's limits up", refused and not at.held("AAPL"))
        seen.check("shares bought by hand are left alone", at.held("PLTR") == SHARES_BY_HAND["PLTR"])


SCENES = (
    Scene(
        "size",
        "One order, 47% of the account",
        "The size was typed: 291 PLTR for 49,694 USD, as nothing computed it.",
        "risk-first size --entry 170 --stop 163 --equity 105000",
        one_order,
    ),
    Scene(
        "hands",
        "The same order typed at the broker",
        f"291 PLTR and 76 TSLA by hand were 78% of {EQUITY_USD:,} USD, and no program knew of them.",
        "risk-first reconcile",
        by_hand,
    ),
)
