"""How ``explain`` is printed, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from config.values.counting import counted, plain_digits
from config.values.markets import NEW_YORK_ZONE
from monitoring.not_sent import NOT_SENT
from strategies.selection_words import code_in_words

if TYPE_CHECKING:
    from rich.console import Console

    from monitoring.explain import Explanation, Story
    from monitoring.rows import OrderRow, ReadingRow

STYLES = {"sent": "green", "resized": "yellow", "refused": "red", NOT_SENT: "red"}


def show(printer: Console, found: Explanation, *, everything: bool) -> None:
    """Print an explanation: the binding rule and its remedy, or every rule with what it read."""
    for sign in found.signs:
        _line(printer, f"Now: {sign}", "bold red")
    for story in found.stories:
        _story(printer, story, everything)
    for order in found.orders:
        _order(printer, order, everything or found.kind == "order")
    for reading in found.silent:
        told = "decided" if reading.status == "decided" else "nothing proposed:"
        _line(printer, f"{reading.symbol} {told} {reading.text}")
    if found.now is not None:
        _now(printer, found.now, decided=bool(found.stories))
    decisions, orders = found.counts
    more = decisions - len(found.stories), orders - len(found.orders)
    if found.kind == "symbol" and any(left > 0 for left in more):
        told = f"{counted(more[0], 'decision')} and {counted(more[1], 'order')}"
        _line(printer, f"Earlier: {told}; --last N or --all shows them.", "dim")


def document(found: Explanation) -> dict[str, Any]:
    """The same for programs."""
    return {
        "wanted": found.wanted,
        "kind": found.kind,
        "decisions": {"shown": len(found.stories), "of": found.counts[0] or len(found.stories)},
        "orders": {"shown": len(found.orders), "of": found.counts[1] or len(found.orders)},
        "stories": [_plain(story) for story in found.stories],
        "orders_found": [asdict(order) for order in found.orders],
        "signs": [asdict(sign) for sign in found.signs],
        "now": None if found.now is None else asdict(found.now),
        "not_proposed": [asdict(reading) for reading in found.silent],
    }


def _plain(story: Story) -> dict[str, Any]:
    decision = asdict(story.decision)
    decision.pop("verdicts")
    return {
        "decision": decision,
        "bound_by": story.bound_by,
        "change": story.change or None,
        "unlocks": story.unlocks,
        "cut_at_quote": story.cut or None,
        "cut_change": story.cut_change or None,
        "verdicts": [
            {
                **{name: getattr(step.verdict, name) for name in ("module", "code", "before", "after", "until")},
                "inputs": dict(step.verdict.inputs),
                "binding": step.binding,
                "change": None if step.remedy is None else step.remedy.text,
            }
            for step in story.steps
        ],
    }


def _story(printer: Console, story: Story, everything: bool) -> None:
    d = story.decision
    size = plain_digits(d.final) if d.final == d.proposed else f"{plain_digits(d.final)} of {plain_digits(d.proposed)}"
    head = f"{d.symbol} {_when(d.time)} {d.outcome}: {d.side.replace('_', ' ')} {size} by {d.signal}"
    levels = (("price", d.price), ("score", d.score), ("stop", d.stop), ("target", d.target))
    numbers = ", ".join(f"{name} {value:,.2f}" for name, value in levels if value is not None)
    _line(printer, f"{head}, {numbers}", f"bold {STYLES.get(d.outcome, '')}")
    if d.reason:
        _line(printer, f"  because {d.reason}")
    binding = d.binding
    if binding is not None and story.change:
        _line(printer, f"  decided by {story.bound_by}: {code_in_words(binding.code)}")
        _line(printer, f"  it would take: {story.change}")
        if story.unlocks is not None:
            passed = " (that has passed)" if story.unlocks <= datetime.now(UTC) and everything else ""
            _line(printer, f"  free again by time: {_when(story.unlocks)}{passed}")
    elif d.outcome == NOT_SENT:
        _line(
            printer,
            "  accepted by the rules, and there is no order of it: it waits for the sale that brings its cash, or what "
            "kept it is in the log of that time alone",
        )
    elif d.outcome != "refused":
        _line(printer, "  no rule took anything off")
    if story.cut:
        _line(printer, f"  after the rules, {story.cut}")
        _line(printer, f"  it would take: {story.cut_change}")
    shown = [step for step in story.steps if everything or step.remedy is not None]
    for step in shown:
        v = step.verdict
        change = f"{plain_digits(v.before)} → {plain_digits(v.after)}" if v.before != v.after else plain_digits(v.after)
        _line(printer, f"    {'»' if step.binding else ' '} {v.module} {change}: {code_in_words(v.code)}")
        if everything and v.inputs:
            _line(printer, "        read " + ", ".join(f"{k} {_read(value)}" for k, value in v.inputs.items()), "dim")
    if quiet := len(story.steps) - len(shown):
        _line(printer, f"      {quiet} more rules took nothing off", "dim")


def _order(printer: Console, o: OrderRow, everything: bool) -> None:
    prices = (
        ("limit", o.limit),
        ("stop", o.stop),
        ("bracket stop", o.bracket_stop),
        ("bracket target", o.bracket_target),
    )
    levels = "".join(f", {name} {value:,.2f}" for name, value in prices if value)
    filled = f", {plain_digits(o.filled)} filled at {o.average:,.4f}" if o.average else ""
    filled += f", fees {o.fees:,.2f} USD" if o.fees else ""
    filled += " (price partly estimated)" if o.estimated else ""
    what = f"{o.side} {plain_digits(o.quantity)} {o.symbol} {o.type} as {o.role}"
    _line(printer, f"order {_when(o.time)} {o.state}: {what}{levels}{filled}", "bold")
    _line(printer, f"  {o.id}" + (f": {o.reason}" if o.reason else ""), "dim")
    if everything:
        for event in o.steps:
            late = "" if event.status == event.state else f" (the order was {event.state})"
            _line(
                printer, f"    {_when(event.time)} {event.status}{late}" + (f": {event.reason}" if event.reason else "")
            )
        for fill in o.fills:
            total = " in all, on average" if fill.total else ""
            _line(printer, f"    {_when(fill.time)} {plain_digits(fill.quantity)} at {fill.price:,.4f}{total}", "green")


def _now(printer: Console, now: ReadingRow, *, decided: bool) -> None:
    if now.status != "decided" or not decided:
        close = "" if now.close is None else f", close {now.close:,.2f}"
        # What is held is told so by its text.
        told = {"decided": "decided, ", "held": ""}.get(now.status, "nothing proposed, ")
        _line(printer, f"{now.symbol} {_when(now.time)}{close}: {told}{now.text}")
    if now.allowed is not None:
        bound = f", bound by {now.bound_by}" if now.bound_by else ""
        code = f": {code_in_words(now.code)}" if now.code and now.code != "OK" else ""
        _line(printer, f"  the largest size allowed at that moment: {plain_digits(now.allowed)}{bound}{code}")


def _line(printer: Console, text: str, style: str = "") -> None:
    printer.print(text, style=style.strip(), highlight=False, markup=False, soft_wrap=not printer.is_terminal)


def _when(moment: datetime) -> str:
    return moment.astimezone(NEW_YORK_ZONE).strftime("%Y-%m-%d %H:%M:%S")


def _read(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
