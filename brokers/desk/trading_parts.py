"""The parts that send orders, each made with the others that it uses, and how they leave positions at once."""

from __future__ import annotations

import logging
from collections.abc import Callable

from brokers.desk.barred_entries import BarredEntries
from brokers.desk.book_builder import BookBuilder
from brokers.desk.core import DeskCore
from brokers.desk.entry_halts import EntryHalts
from brokers.desk.execution.closing import PositionCloser
from brokers.desk.execution.entries import Entries
from brokers.desk.execution.entry_task import EntryWindow
from brokers.desk.execution.filling import Filling
from brokers.desk.execution.overdue_stops import OverdueStops
from brokers.desk.execution.protection import Protector
from brokers.desk.execution.target_exchange import TargetExchange
from brokers.desk.reconcile.manual_positions import ManualPositions
from brokers.desk.symbol_work import SymbolWork
from brokers.order_types import OrderRole
from config.values.counting import unit_of
from market.bars import BarTable
from risk.model import Position

FLATTEN = "kill switch: flatten"

log = logging.getLogger(__name__)


class TradingParts:
    """Entries, closes, protection, targets and trades by hand of one desk.

    Parameters
    ----------
    core : DeskCore
    halts : EntryHalts
    bars : callable
        The complete bars known now, None before the first.
    window : callable
        What the venue's hours say of entries now.
    """

    def __init__(
        self,
        core: DeskCore,
        halts: EntryHalts,
        bars: Callable[[], BarTable | None],
        window: Callable[[], EntryWindow],
    ) -> None:
        self._state, self._positions, self._window = core.state, core.positions, window
        self._extended = core.settings.live.extended_hours.enabled
        core.gateway.unbooked = lambda error: halts.crashed(error, core.state.now)
        trading = core.state, core.positions, core.gateway
        self.barred = BarredEntries(core.state, core.positions, bars, core.settings.gate.price_collar_frac)
        filling = Filling(core.state, core.positions)
        self.entries = Entries(*trading, halts, core.settings, window, self.barred.far)
        self.closer = PositionCloser(*trading, core.settings, filling)
        self.protector = Protector(*trading, core.settings, self.leave)
        self.targets = TargetExchange(*trading, core.settings, self.protector.levels, filling)
        self.manual = ManualPositions(
            core.state, core.positions, core.sync, core.settings, core.gateway.cancel, self.protector.relearn
        )
        self.books = BookBuilder(
            core.state,
            core.positions,
            core.settings.universe.sectors,
            self._stop_and_target,
            bars,
            self._session_is_on,
        )
        self.overdue = OverdueStops(core.state, core.positions, self.leave, filling, asks=self.targets.needed)
        self.work = SymbolWork(
            core, halts, self.entries, self.closer, self.protector, self.targets, self.manual, self.overdue
        )
        self.flattened = False

    def leave(self, symbol: str, why: str) -> None:
        """Close all of a position now, where its quantity is certain."""
        if self.manual.unsettled(symbol):
            log.warning("%s: not left before its %s are settled, %s", symbol, unit_of(symbol), why)
            return
        log.warning("%s: leaving at once, %s", symbol, why)
        self.closer.begin(symbol, None, OrderRole.CLOSE, why, self._state.now)

    def flatten(self) -> None:
        """The kill switch's second level: no entries, and nothing stays."""
        for symbol in list(self._positions.book.ledger.positions):
            self.closer.begin(symbol, None, OrderRole.CLOSE, FLATTEN, self._state.now)
        # An order that opens may be filled as long as it is not over, one without an answer too.
        if not self._positions.book.ledger.positions and not self.closer.tasks and not self.entries.waiting:
            if not self.flattened:
                log.warning("kill switch: every position of ours is closed")
            self.flattened = True

    def _session_is_on(self) -> bool:
        return self._state.in_session or (self._extended and not self._window().closed)

    def _stop_and_target(self, position: Position) -> tuple[float, float]:
        levels = self.protector.levels(position)
        return levels.stop, levels.target
