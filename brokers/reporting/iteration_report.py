"""Tells of each iteration what is new in it: halts, refusals, the risk per trade, and one line of what it did."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from brokers.reporting.events import EventKind, about
from config.values.counting import signed
from risk.model import Book, Decision, Plan
from strategies.selection_words import code_in_words

RISK_MODULE = "recent_form"

log = logging.getLogger(__name__)


class IterationReport:
    """Hears of every plan, in the thread that iterates; it asks nobody and keeps nothing on a disk.

    Parameters
    ----------
    heartbeat_s : float
        Local seconds after which an iteration that did nothing is told of all the same.
    readings : callable, optional
        Gauge readings by symbol as of the last bar; empty where no rule reads gauges.
    monotonic : callable, optional
        Local seconds.

    Attributes
    ----------
    refusals : Counter
        By the rule that refused, of the present day in New York.
    """

    def __init__(
        self,
        heartbeat_s: float,
        readings: Callable[[], Mapping[str, float]] = dict,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._heartbeat_s, self._readings, self._monotonic = heartbeat_s, readings, monotonic
        self._refused: dict[str, str] = {}
        self._halted: frozenset[str] = frozenset()
        self._shown: dict[str, float] = {}
        self._risk_frac = math.nan
        self._told = -math.inf
        self._quiet = 0
        self._fills = 0
        self._day: date | None = None
        self.refusals: Counter[str] = Counter()

    def decided(
        self,
        plan: Plan,
        book: Book,
        fills: int,
        *,
        submit: bool = True,
        stopped: bool = False,
        earlier: Callable[[str], str] = lambda _: "",
        again: Collection[str] = (),
    ) -> None:
        """An iteration has decided.

        Parameters
        ----------
        plan : Plan
        book : Book
        fills : int
            Reports of fills that were booked since the start.
        submit : bool
            Whether orders are sent.
        stopped : bool
            Whether something keeps every entry back, as the kill switch does: none is announced then.
        earlier : callable, optional
            When and at what a halt of that name began before this start, in words; empty where it began since.
        again : collection of str
            Symbols whose entry could not be sent when it was decided on last; why has been told.
        """
        if (day := book.time.date()) != self._day:
            self._day = day
            self.refusals.clear()
            self._refused.clear()
        self._tell_halts(book, earlier)
        self._tell_readings()
        for decision in plan.decisions:
            self._tell_decision(decision)
        filled, self._fills = fills - self._fills, fills
        self._tell_iteration(replace(plan, entries=()) if stopped else plan, book, filled, again, submit=submit)

    def _tell_halts(self, book: Book, earlier: Callable[[str], str]) -> None:
        for name in sorted(book.halted - self._halted):
            until = book.halted_until.get(name)
            end = "the next session" if until is None else f"{until:%a %Y-%m-%d}"
            now = f"equity {_usd(book.equity)}, {_day_result(book)} since the opening"
            # Today's figure is no reason for a halt that was there before this start.
            began = earlier(name)
            log.error(
                "halt %s: no new positions before %s; %s; stops and exits go on",
                name,
                end,
                f"{began}; now {now}" if began else now,
                extra=about(EventKind.HALT, halt=name, until=end, equity=book.equity),
            )
        for name in sorted(self._halted - book.halted):
            log.warning("halt %s is over", name, extra=about(EventKind.HALT, over=True, halt=name))
        self._halted = book.halted

    def _tell_readings(self) -> None:
        readings = {symbol: round(value, 1) for symbol, value in self._readings().items() if math.isfinite(value)}
        if readings != self._shown:
            self._shown = readings
            listed = ", ".join(f"{symbol} {value:.1f}" for symbol, value in sorted(readings.items()))
            log.info("gauges: RSI %s", listed or "not known", extra=about(EventKind.READING, rsi=readings))

    def _tell_decision(self, decision: Decision) -> None:
        symbol = decision.proposal.symbol
        for verdict in decision.verdicts:
            risk = verdict.inputs.get("risk_frac") if verdict.module == RISK_MODULE else None
            if risk is not None and risk != self._risk_frac:
                before, self._risk_frac = self._risk_frac, float(risk)
                if not math.isnan(before):
                    log.info(
                        "risk per trade %.2f%% instead of %.2f%%: %g of the last %g trades won",
                        100 * self._risk_frac,
                        100 * before,
                        verdict.inputs["wins"],
                        verdict.inputs["trades"],
                        extra=about(EventKind.RISK, before=before, now=self._risk_frac),
                    )
        if decision.outcome != "refused":
            self._refused.pop(symbol, None)
            return
        rule = decision.bound_by.partition(":")[0]
        self.refusals[rule] += 1
        code = next((v.code for v in reversed(decision.verdicts) if v.refused or v.after < v.before), "")
        # The figures of a refusal move with every bar; it is news when another rule refuses, or for another reason.
        kind = f"{rule} {code.partition(':')[0]}"
        if self._refused.get(symbol) != kind:
            self._refused[symbol] = kind
            log.info(
                "%s refused by %s, %s",
                symbol,
                rule,
                code_in_words(code),
                extra=about(EventKind.REFUSAL, symbol, rule=rule, code=code),
            )

    def _tell_iteration(self, plan: Plan, book: Book, filled: int, again: Collection[str], *, submit: bool) -> None:
        kinds: dict[str, list[str]] = {}
        for adjustment in plan.adjustments:
            kinds.setdefault(adjustment.kind, []).append(adjustment.symbol)
        refused = Counter(d.bound_by.partition(":")[0] for d in plan.decisions if d.outcome == "refused")
        did = [f"{kind} {', '.join(symbols)}" for kind, symbols in sorted(kinds.items())]
        entering = [f"{p.quantity:g} {p.symbol}" for p in plan.entries if p.symbol not in again]
        if entering:
            did.insert(0, f"entering {', '.join(entering)}")
        if tried := [p.symbol for p in plan.entries if p.symbol in again]:
            did.append(f"trying again what could not be sent: {', '.join(tried)}")
        if filled:
            did.append(f"{filled} fill{'s' if filled > 1 else ''} since the last")
        if refused:
            did.append(f"{sum(refused.values())} refused ({', '.join(f'{n} {c}' for n, c in refused.most_common())})")
        state = f"equity {_usd(book.equity)}, {_day_result(book)} today, {_counted(len(book.positions), 'position')}"
        now = self._monotonic()
        if entering or plan.adjustments or filled:
            self._told, self._quiet = now, 0
            text = "; ".join(did) if submit else f"nothing is sent: {'; '.join(did)}"
            log.info("%s; %s", text, state, extra=about(EventKind.ITERATION, **_figures(plan, book, filled)))
            return
        self._quiet += 1
        if now - self._told >= self._heartbeat_s:
            first, self._told = math.isinf(self._told), now
            why = "; ".join(did) or "nothing to do"
            quiet = f"{_counted(self._quiet, 'iteration')} without a change, the last"
            log.info(
                "%s: %s; %s",
                "the first iteration" if first else quiet,
                why,
                state,
                extra=about(EventKind.HEARTBEAT, **_figures(plan, book, filled)),
            )
            self._quiet = 0


def _figures(plan: Plan, book: Book, filled: int) -> dict[str, Any]:
    return {
        "equity": book.equity,
        "cash": book.cash,
        "positions": len(book.positions),
        "entries": len(plan.entries),
        "adjustments": len(plan.adjustments),
        "decisions": len(plan.decisions),
        "fills": filled,
    }


def _usd(value: float) -> str:
    return f"{value:,.0f} USD"


def _day_result(book: Book) -> str:
    opened = book.session_open_equity
    return signed(book.equity / opened - 1, ".2%") if opened > 0 else "not measured"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
