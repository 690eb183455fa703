"""What a person has to know of a trader at once, in the words of every screen: the page, ``status`` and ``explain``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from config.values.counting import plain_digits, unit_of
from config.values.markets import NEW_YORK_ZONE
from monitoring.state import HaltState
from monitoring.status import Status

KILLED = {
    "stop": "no entries; risk-first kill off lets them through again",
    "flatten": "no entries, and everything of ours is sold; risk-first kill off ends it",
}
CONDITIONS = {
    "stream_down": ("Stream down", "trade updates do not arrive ({why}); orders are followed by asking"),
    "venue_down": ("Venue down", "{why}; no entries, stops that rest at the venue go on"),
    "venue_unseen": ("Venue not seen", "{why}; nothing is looked after, stops that rest at the venue go on"),
}
"""Head and text by kind; shares without a stop are told from the first second and need none."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One of them: ``kind`` for programs, ``head`` and ``text`` for people, ``symbol`` where it concerns one alone."""

    kind: str
    head: str
    text: str
    symbol: str = ""

    def __str__(self) -> str:
        return f"{self.head}: {self.text}"


def signs(found: Status) -> tuple[Sign, ...]:
    """Whatever is wrong or stops entries now, the most urgent first; empty where nothing is."""
    return tuple(_signs(found))


def concerning(found: Status, symbol: str) -> tuple[Sign, ...]:
    """Those that bear on one symbol."""
    return tuple(sign for sign in signs(found) if sign.symbol in ("", symbol))


def _signs(found: Status) -> Iterable[Sign]:
    state = found.state
    if found.sign_of_life == "stale":
        text = f"from the trader {found.silence}: it hangs or is gone, and what it last said is old"
        yield Sign("stale", "No sign of life", text)
    for symbol, seconds in sorted(state.unprotected.items()):
        held = next((p for p in state.positions if p.symbol == symbol), None)
        there = 0.0 if held is None else abs(held.quantity)
        figures = "" if held is None else f", {plain_digits(held.bare)} of {plain_digits(there)}"
        shares = figures and f"{figures} {unit_of(symbol, there)}"
        yield Sign("unprotected", "Unprotected", f"{symbol} for {seconds:.0f} s{shares}", symbol)
    for more in state.differences:
        most, since = abs(more.quantity), more.since.astimezone(NEW_YORK_ZONE)
        shares = f"{plain_digits(most)} {unit_of(more.symbol, most)} {'more' if more.quantity > 0 else 'fewer'}"
        text = f"{more.symbol}: {shares} at the broker than in the books since {since:%H:%M:%S}, not yet counted"
        yield Sign("difference", "Difference", text, more.symbol)
    for symbol, waits in sorted(state.closing.items()):
        yield Sign("closing", "Being closed", f"{symbol}: {waits}", symbol)
    for x in sorted(state.conditions, key=lambda x: x.kind, reverse=True):
        if x.kind in CONDITIONS:
            head, text = CONDITIONS[x.kind]
            lasted = (state.written - x.since).total_seconds()
            yield Sign(x.kind, head, f"for {lasted:,.0f} s: {text.format(why=x.why)}")
    if state.kill != "off":
        yield Sign("kill", "Kill switch", f"{state.kill}: {KILLED.get(state.kill, 'no entries')}")
    for halt in found.halts:
        yield Sign("halt", "Halt", f"{halt.name}, {until(halt)}: no entries")
    told = {x.why for x in state.conditions}
    for why in found.stopped_by:
        if not why.startswith("kill switch") and why not in told:
            yield Sign("stopped", "Entries are stopped", why)


def until(halt: HaltState) -> str:
    """How long a halt lasts, in words."""
    if halt.until is None:
        return "for this session"
    return f"until {halt.until.astimezone(NEW_YORK_ZONE):%a %Y-%m-%d %H:%M}"
