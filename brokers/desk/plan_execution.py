"""Sends what was decided: first what reduces risk, then entries."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from brokers.desk.core import DeskCore
from brokers.desk.entry_halts import EntryHalts
from brokers.desk.symbol_work import SymbolWork
from brokers.desk_rules import ADJUSTMENT_ROLES
from brokers.order_types import RefusalCode
from risk.interface import RiskModule
from risk.model import Adjustment, Plan

log = logging.getLogger(__name__)


class PlanExecution:
    """Turns a plan into tasks of the parts that send orders.

    Parameters
    ----------
    core : DeskCore
    halts : EntryHalts
    halters : sequence of RiskModule
        Modules that may end a session for new positions.
    work : SymbolWork
    """

    def __init__(self, core: DeskCore, halts: EntryHalts, halters: Sequence[RiskModule], work: SymbolWork) -> None:
        self.state, self.positions, self.gateway, self.sync = core.state, core.positions, core.gateway, core.sync
        self.halts = halts
        self.halter_names = frozenset(module.name for module in halters)
        self.work = work
        self.entries = work.entries

    def adjust(self, plan: Plan) -> None:
        """Begin what the rules ask of positions that are held."""
        for adjustment in plan.adjustments:
            self.work.isolated(adjustment.symbol, partial(self._adjust, adjustment, plan))

    def enter(self, plan: Plan) -> None:
        """Begin the entries, or refuse them with every reason that holds now."""
        if not plan.entries:
            return
        why = self.halts.reasons(self.state.now, self.halter_names)
        if closed := self.entries.window().closed:
            why = [*why, closed]
        if why:
            for proposal in plan.entries:
                self.entries.refuse(proposal, plan.time, f"{RefusalCode.STOPPED}: {'; '.join(why)}")
            return
        quotes = self.state.quotes([proposal.symbol for proposal in plan.entries])
        for proposal in plan.entries:
            # An answer that contradicts what was sent ends entries with the next look, and these before it.
            if not self.gateway.shutting_down and not self.sync.alarms:
                self.entries.begin(proposal, plan.time, quotes[proposal.symbol])

    def _adjust(self, adjustment: Adjustment, plan: Plan) -> None:
        if adjustment.symbol not in self.positions.book.ledger.positions:
            if adjustment.kind != "tighten":
                log.warning("%s: %s left to its owner: %s", adjustment.symbol, adjustment.kind, adjustment.code)
            return
        if adjustment.kind == "tighten":
            self.work.protector.tighten(adjustment, plan.time)
            return
        quantity = None if adjustment.kind == "exit" else adjustment.quantity
        role = ADJUSTMENT_ROLES[adjustment.kind]
        self.work.closer.begin(adjustment.symbol, quantity, role, adjustment.code, plan.time)
