"""Puts together what both the desk and the operator's scripts trade with, on one venue and one journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from brokers.desk.data.quotes import Quote
from brokers.desk.execution.order_gateway import Limits, OrderGateway
from brokers.desk.reconcile.inflight_orders import InflightOrders
from brokers.desk.reconcile.journal_sync import JournalSync
from brokers.desk.reconcile.observer import VenueObserver
from brokers.desk.reconcile.order_ownership import OrderOwnership
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.journal import Journal
from brokers.network.admission import Admission
from brokers.ports import Venue
from config import Settings


@dataclass(frozen=True, slots=True)
class DeskCore:
    """The parts, each made with the two or three others that it uses; whoever builds on them passes on what is used."""

    settings: Settings
    journal: Journal
    state: VenueState
    sync: JournalSync
    positions: OwnPositions
    gateway: OrderGateway
    observer: VenueObserver


def assemble(
    venue: Venue,
    journal: Journal,
    settings: Settings,
    quotes: Callable[[Iterable[str]], Mapping[str, Quote]],
    admission: Admission,
) -> DeskCore:
    """Make the parts; nothing is asked of the venue yet.

    Parameters
    ----------
    venue : Venue
    journal : Journal
    settings : Settings
    quotes : callable
        Present quotes of some symbols, one request.
    admission : Admission
        The one that the venue's transport asks.
    """
    disbelieved: set[str] = set()
    gate = settings.policy_gate
    state = VenueState(venue, quotes, disbelieved)
    sync = JournalSync(journal, settings.strategy, venue.clock.now, disbelieved)
    ownership = OrderOwnership(sync, journal, settings.live.adopt, state.seen)
    positions = OwnPositions(state, journal, sync, ownership, settings.live.adopt, gate.cash_funds)
    slippage_frac = settings.fills.market_slippage_bps / 1e4
    limits = Limits(gate, settings.sizing.lot, settings.sizing.max_notional_frac, slippage_frac)
    gateway = OrderGateway(state, journal, sync, positions, limits, admission, settings.strategy)
    observer = VenueObserver(state, sync, InflightOrders(state, journal, sync), positions)
    return DeskCore(settings, journal, state, sync, positions, gateway, observer)
