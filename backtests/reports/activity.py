"""How often each rule acted in a run, what it did and when it first did it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rich.table import Table
from rich.text import Text

from brokers.record import OrderRecord, RunRecord
from risk.equity_sizer import NAME as SIZER
from risk.interface import RiskModule
from risk.model import OPENING_ROLES, Adjustment, Decision
from risk.policy_gate import NAME as GATE

ACTIONS = ("allowed", "resized", "refused", "trimmed", "exited", "tightened", "hedged", "halted")
BEFORE_THE_CHAIN = ("selection", "ensemble", GATE, SIZER)
DESK, VENUE = "desk", "venue"

_BY_ROLE = {"trim": "trimmed", "partial": "trimmed", "close": "exited"}
# First part of the code word of those that judge orders at the quote, under the chain.
_BELOW = {"GATE": GATE, "DESK": DESK, "VENUE": VENUE, "CASH": VENUE}
_NOTHING = "–"

Tightening = tuple[datetime, Adjustment]


@dataclass(slots=True)
class Row:
    """What one rule did. ``first`` holds the time of the first action of each kind; absent kinds never happened."""

    module: str
    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, datetime] = field(default_factory=dict)

    def note(self, action: str, time: datetime) -> None:
        self.counts[action] += 1
        self.first[action] = min(time, self.first.get(action, time))


def activity(record: RunRecord, chain: Iterable[RiskModule], tightened: Iterable[Tightening] = ()) -> list[Row]:
    """One row per rule, in the order in which a proposal meets them; rules that never acted have theirs too.

    Parameters
    ----------
    record : RunRecord
        Of a finished run.
    chain : iterable of RiskModule
        The modules that ran, in their order.
    tightened : iterable of (datetime, Adjustment)
        Stops that were moved, as the plans had them: a moved stop leaves no order of its own in a record.

    Returns
    -------
    list of Row
        The rules before the chain, the chain, then desk and venue. ``allowed``, ``resized`` and ``refused``
        count verdicts on proposals, for the gate, the desk and the venue orders at the quote as well. The desk
        and the venue count entries and hedges, the gate every order. Sales whose code names no module of the
        chain stand under the code's own word.
    """
    names = [module.name for module in chain]
    rows = {name: Row(name) for name in (*BEFORE_THE_CHAIN, *names, DESK, VENUE)}

    def note(module: str, action: str, time: datetime) -> None:
        rows.setdefault(module, Row(module)).note(action, time)

    for decision in record.decisions:
        for module, action in _judged(decision):
            note(module, action, decision.time)
    approved = {(d.time, d.proposal.symbol): d for d in record.decisions if d.outcome != "refused"}
    words = _words(record.decisions, names)
    for order in record.orders:
        if order.parent_id:
            # A leg's reason is a code only where the gate refused to move it.
            if _below(order.reason) == GATE:
                note(GATE, "refused", order.time)
            continue
        wanted = approved.get((order.time, order.symbol)) if order.role in OPENING_ROLES else None
        for module, action in _at_the_quote(order, wanted):
            note(module, action, order.time)
        if order.status == "rejected":
            continue
        if order.role == "hedge":
            note(order.role if wanted is None else wanted.proposal.signal, "hedged", order.time)
        elif order.role in _BY_ROLE and (word := _word(order.reason)):
            note(words.get(word) or _module_of(word, names), _BY_ROLE[order.role], order.time)
    for time, adjustment in tightened:
        note(adjustment.module, "tightened", time)
    for halt in record.halts:
        note(halt.module, "halted", halt.time)
    return list(rows.values())


def activity_table(rows: Sequence[Row], title: str = "") -> Table:
    """The rows for a console, each count above its first date; kinds of action that never happened are left out."""
    shown = _happened(rows)
    table = Table(title=title or None, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("rule", no_wrap=True)
    for action in shown:
        table.add_column(action, justify="right", overflow="fold")
    for row in rows:
        table.add_row(row.module, *(_count_above_date(row, action) for action in shown))
    return table


def activity_markdown(rows: Sequence[Row]) -> str:
    """The rows as a markdown table, each count with its first date behind it."""
    shown = _happened(rows)
    lines = [["rule", *shown], ["---", *("---:" for _ in shown)]]
    lines += [[f"`{row.module}`", *(_cell(row, action, " ({})") for action in shown)] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _judged(decision: Decision) -> Iterable[tuple[str, str]]:
    for verdict in decision.verdicts:
        # A rule that had nothing left to judge and no objection neither allowed nor refused.
        if verdict.refused and (verdict.before > 0 or verdict.code != "OK"):
            yield verdict.module, "refused"
        elif verdict.shrunk:
            yield verdict.module, "resized"
        elif verdict.after > 0:
            yield verdict.module, "allowed"


def _at_the_quote(order: OrderRecord, decision: Decision | None) -> Iterable[tuple[str, str]]:
    """What desk, gate and venue said to one order, in the order in which they are asked.

    ``decision`` is what an entry or a hedge was approved by; None for orders that a caller of its own sent.
    """
    refuser = _below(order.reason) if order.status == "rejected" else ""
    if refuser == DESK:
        yield DESK, "refused"
        return
    if decision is not None:
        yield DESK, "resized" if order.quantity < decision.final_quantity else "allowed"
    if refuser == GATE:
        yield GATE, "refused"
        return
    yield GATE, "allowed"
    if order.role in OPENING_ROLES:
        yield VENUE, "refused" if order.status == "rejected" else "allowed"


def _word(reason: str) -> str:
    """The fixed word that a code begins with; empty for a reason that is no code."""
    word, colon, _ = reason.partition(":")
    return word if colon and word.isupper() and word.replace("_", "").isalnum() else ""


def _below(reason: str) -> str:
    return _BELOW.get(_word(reason).partition("_")[0], "")


def _words(decisions: Iterable[Decision], names: Sequence[str]) -> dict[str, str]:
    """Code words by the module that used them in a verdict, for modules whose codes don't begin with their name."""
    said = {(_word(verdict.code), verdict.module) for decision in decisions for verdict in decision.verdicts}
    by_word: dict[str, list[str]] = {}
    for word, module in said:
        by_word.setdefault(word, []).append(module)
    return {word: users[0] for word, users in by_word.items() if word and len(users) == 1 and users[0] in names}


def _module_of(word: str, names: Sequence[str]) -> str:
    """The module whose name a code word is or begins with, the longest such name; the word itself if there is none."""
    fits = [name for name in names if word == name.upper() or word.startswith(f"{name.upper()}_")]
    return max(fits, key=len, default=word)


def _happened(rows: Sequence[Row]) -> list[str]:
    return [action for action in ACTIONS if any(row.counts[action] for row in rows)]


def _count_above_date(row: Row, action: str) -> Text:
    count, _, day = _cell(row, action, "\n{}").partition("\n")
    return Text.assemble(count, (f"\n{day}", "dim")) if day else Text(count)


def _cell(row: Row, action: str, form: str) -> str:
    count = row.counts[action]
    return f"{count:,d}{form.format(row.first[action].date().isoformat())}" if count else _NOTHING
