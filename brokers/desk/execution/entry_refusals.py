"""Entries that were approved and could not be sent: a line in the log, one in the record and one in the journal."""

from __future__ import annotations

import logging
from datetime import date, datetime

from brokers.desk.execution.entry_task import EntryTask
from brokers.journal import Journal
from brokers.record import OrderRecord, not_sent
from config.errors import Refusal
from config.values.counting import unit_of
from risk.model import Proposal

log = logging.getLogger(__name__)


class EntryRefusals:
    """Keeps why entries were not sent.

    Parameters
    ----------
    journal : Journal
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.skipped: list[OrderRecord] = []
        self._latest: dict[str, tuple[date, str]] = {}
        """By symbol: the day of the latest refusal and its code; an entry that is sent takes it away."""

    def add(self, proposal: Proposal, time: datetime, why: str) -> None:
        """Leave a trace of an entry that was approved and could not be sent."""
        reason = (time.date(), why.partition(":")[0])
        # The same proposal comes at every iteration until its reading changes: the record keeps each, the log one.
        news = self._latest.get(proposal.symbol) != reason
        level = logging.WARNING if news else logging.DEBUG
        log.log(level, "%s not entered: %s", proposal.symbol, why)
        self._latest[proposal.symbol] = reason
        self.skipped.append(not_sent(time, "", proposal, why))
        try:
            self._journal.not_sent(proposal.symbol, time, why)
        except Refusal as refusal:
            # Of a decision that is told without its end nothing is traded.
            log.log(level, "%s: why it was not entered is not kept, %s", proposal.symbol, refusal)

    def add_task(self, task: EntryTask, why: str) -> None:
        """Leave a trace of an order that could not be sent; of an entry that was bought in part it is the rest."""
        symbol = task.proposal.symbol
        if not task.filled:
            self.add(task.proposal, task.time, why)
            return
        told = "%s: %g of %g %s bought, the rest is given up: %s"
        log.warning(told, symbol, task.filled, task.wanted, unit_of(symbol), why)
        self.skipped.append(not_sent(task.time, "", task.proposal, why))

    def forget(self, symbol: str) -> None:
        """An entry of the symbol has been sent."""
        self._latest.pop(symbol, None)

    def refused_on(self, day: date) -> set[str]:
        """Symbols whose latest entry could not be sent, of those decided on in a day."""
        return {symbol for symbol, (refused, _) in self._latest.items() if refused == day}
