"""Sends what was decided: first what reduces risk, then entries."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import partial

from brokers.desk.core import DeskCore
from brokers.desk.entry_halts import EntryHalts
from brokers.desk.symbol_work import SymbolWork
from brokers.desk_rules import ADJUSTMENT_ROLES
from brokers.network.clock import elapsed
from brokers.order_types import RefusalCode
from brokers.venue_errors import VenueError
from risk.model import Adjustment, Plan

FUNDED_WITHIN = timedelta(seconds=60)
"""How long an entry waits for the sale of parked cash; its decision is too old then, and the next scan decides anew."""

SHUTTING_DOWN = "the process is ending"

log = logging.getLogger(__name__)


class PlanExecution:
    """Turns a plan into tasks of the parts that send orders.

    Parameters
    ----------
    core : DeskCore
    halts : EntryHalts
    halter_names : frozenset of str
        Of the modules that may end a session for new positions, which speak for themselves.
    work : SymbolWork
    """

    def __init__(self, core: DeskCore, halts: EntryHalts, halter_names: frozenset[str], work: SymbolWork) -> None:
        self.state, self.positions, self.gateway, self.sync = core.state, core.positions, core.gateway, core.sync
        self.halts = halts
        self._halter_names = halter_names
        self.work = work
        self.entries = work.entries
        self._unfunded: tuple[Plan, datetime] | None = None

    def adjust(self, plan: Plan) -> None:
        """Begin what the rules ask of positions that are held."""
        for adjustment in plan.adjustments:
            self.work.isolated(adjustment.symbol, partial(self._adjust, adjustment, plan))

    def enter(self, plan: Plan) -> None:
        """Begin the entries, or refuse them with every reason that holds now.

        Entries whose cash a sale brings wait until it is over; ``resume`` begins them then.
        """
        self._give_up(f"{RefusalCode.STOPPED}: a later plan came before the sale that was to bring its cash")
        if not plan.entries:
            return
        if self._selling(plan):
            self._unfunded = plan, self.state.now
        else:
            self._begin(plan)

    @property
    def waits_for_cash(self) -> bool:
        """Whether entries wait whose sale is over, so that the account has to be looked at again."""
        return self._unfunded is not None and not self._selling(self._unfunded[0])

    def resume(self) -> None:
        """Begin the entries whose cash is there by now, at present quotes; after too long they are given up."""
        if self._unfunded is None:
            return
        plan, since = self._unfunded
        if self.gateway.shutting_down:
            self._give_up(f"{RefusalCode.SHUTDOWN}: {SHUTTING_DOWN}")
        elif elapsed(self.state.now, since, FUNDED_WITHIN):
            self._give_up(f"{RefusalCode.STOPPED}: the sale that was to bring its cash took too long")
        elif (seen := self.state.view.account_time) is not None and seen > since and not self._selling(plan):
            self._unfunded = None
            self._begin(plan)

    def _begin(self, plan: Plan) -> None:
        why = self.halts.reasons(self.state.now, self._halter_names)
        if closed := self.entries.window().closed:
            why = [*why, closed]
        if why:
            self.refuse(plan, f"{RefusalCode.STOPPED}: {'; '.join(why)}")
            return
        try:
            quotes = self.state.quotes([proposal.symbol for proposal in plan.entries])
        except VenueError as error:
            self.refuse(plan, f"{RefusalCode.NOT_SENT}: {error}")
            raise
        for proposal in plan.entries:
            if self.gateway.shutting_down:
                self.entries.refusals.add(proposal, plan.time, f"{RefusalCode.SHUTDOWN}: {SHUTTING_DOWN}")
            elif self.sync.alarms:
                # It ends entries with the next look, and these before it.
                wrong = "; ".join(alarm.what for alarm in self.sync.alarms)
                self.entries.refusals.add(proposal, plan.time, f"{RefusalCode.DOUBT}: {wrong}")
            elif stopped := self.halts.stopped(self.state.now, self._halter_names):
                # What came of the entry before it could not be booked.
                self.entries.refusals.add(proposal, plan.time, f"{RefusalCode.STOPPED}: {'; '.join(stopped)}")
            else:
                self.entries.begin(proposal, plan.time, quotes[proposal.symbol])

    def _give_up(self, why: str) -> None:
        """Refuse the entries that wait for their cash."""
        if self._unfunded is not None:
            (plan, _), self._unfunded = self._unfunded, None
            self.refuse(plan, why)

    def refuse(self, plan: Plan, why: str) -> None:
        """Leave a trace of each entry of a plan, none of which is sent."""
        for proposal in plan.entries:
            self.entries.refusals.add(proposal, plan.time, why)

    def _selling(self, plan: Plan) -> bool:
        return any(symbol in self.work.closer.tasks for symbol in plan.funding)

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
