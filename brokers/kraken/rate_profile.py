"""What a balance may do at Kraken, as one value: intervals by kind of request, entries, size and exits."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from brokers.kraken.connection.rates import Category
from config import Settings, load
from config.balance_profiles import profile_of, range_of, selected

ENTRIES = frozenset({"AddOrder", "AddOrderBatch"})
EXITS = frozenset({"AmendOrder", "EditOrder", "CancelOrder", "CancelOrderBatch", "CancelAll", "CancelAllOrdersAfter"})
MONITORING = frozenset({"BalanceEx", "Balance", "OpenOrders", "TradeBalance", "OpenPositions"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RateProfile:
    """One profile of an account by its balance.

    Balances and sizes in USD, intervals in seconds; ``high_usd`` None is no upper end, ``position_usd`` None is
    ``position_frac`` of equity. ``averages_down`` is False for each of them.
    """

    name: str
    low_usd: float
    high_usd: float | None
    entry_s: float
    exit_s: float
    monitoring_s: float
    query_s: float
    entries_a_minute: int
    max_positions: int
    position_usd: float | None
    position_frac: float
    target_frac: float
    stop_frac: float
    min_confidence: float
    stale_order_s: float
    averages_down: bool = False

    def interval(self, category: Category) -> float:
        """Seconds between two requests of a kind."""
        match category:
            case Category.ENTRY:
                return self.entry_s
            case Category.EXIT:
                return self.exit_s
            case Category.MONITORING:
                return self.monitoring_s
            case Category.QUERY:
                return self.query_s


def get_kraken_rate_profile(balance_usd: float, settings: Settings | None = None) -> RateProfile:
    """The profile of a balance; Refusal below the smallest. ``settings`` tell the bounds, else the shipped ones do."""
    bounds = (settings or load()).broker.kraken.profiles
    name = profile_of(balance_usd, bounds)
    log.info("%s", selected(name, balance_usd))
    return rate_profile(name, bounds)


def rate_profile(name: str, bounds: dict[str, float]) -> RateProfile:
    """A profile by its name, as its settings have it."""
    settings = load(name)
    gates = settings.risk.modules["entry_gates"]
    exits = settings.exits.models[settings.exits.model]
    low, high = range_of(name, bounds)
    kraken = settings.broker.kraken
    return RateProfile(
        name=name.upper(),
        low_usd=low,
        high_usd=high,
        entry_s=gates["interval_s"],
        exit_s=settings.live.close.patience_s,
        monitoring_s=kraken.monitoring_s,
        query_s=kraken.query_s,
        entries_a_minute=gates["entries_a_minute"],
        max_positions=gates["max_positions"],
        position_usd=settings.sizing.notional_usd,
        position_frac=settings.sizing.max_notional_frac,
        target_frac=exits["target_frac"],
        stop_frac=exits["stop_frac"],
        min_confidence=gates["min_confidence"],
        stale_order_s=settings.live.entry.patience_s,
    )


def category_of(endpoint: str, *, opens: bool = False) -> Category:
    """What a request of Kraken's is for; a new order is an entry only if it opens a position."""
    if endpoint in ENTRIES:
        return Category.ENTRY if opens else Category.EXIT
    if endpoint in EXITS:
        return Category.EXIT
    return Category.MONITORING if endpoint in MONITORING else Category.QUERY
