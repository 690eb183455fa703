"""From fill reports to what was filled: the same result whatever their order, however often they come.

A venue tells of a fill in two ways: one by one (``Execution``) and as the order's total so far (``Cumulative``).
Both are kept as they came, and what counts is a pure function of the set of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

ZERO = Decimal(0)


def exact(number: Decimal | float | str) -> Decimal:
    """A number as it is written; 0.1 is one tenth. NaN and infinity raise ValueError."""
    value = number if isinstance(number, Decimal) else Decimal(str(number))
    if not value.is_finite():
        raise ValueError(f"{number} is no amount")
    return value


def written(number: Decimal) -> str:
    """Plain digits without trailing zeros, so that equal numbers read the same."""
    return format(number.normalize(), "f")


def unsigned(number: float | Decimal) -> float | Decimal:
    """A zero without its sign, which PostgreSQL does not keep; any other number as it is."""
    return number if number else type(number)(0)


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill by itself.

    Parameters
    ----------
    quantity, price : Decimal, float or str
        Shares and USD of this fill alone; kept exactly as written.
    time : datetime
        Timezone-aware.
    fill_id : str
        The venue's id of the fill; may be empty where ``cumulative`` is given.
    cumulative : Decimal, float or str, optional
        The order's total after this fill. Give it whenever the venue does: it alone tells the same fill under
        two ids, and a gap before it.
    """

    quantity: Decimal | float | str
    price: Decimal | float | str
    time: datetime
    fill_id: str = ""
    cumulative: Decimal | float | str | None = None

    def __post_init__(self) -> None:
        if exact(self.quantity) <= 0 or exact(self.price) <= 0:
            raise ValueError("a fill needs a quantity and a price above 0")
        if self.cumulative is None and not self.fill_id:
            raise ValueError("a fill needs the venue's id or the order's total after it")
        if self.cumulative is not None and exact(self.cumulative) < exact(self.quantity):
            raise ValueError("the order's total cannot be below the fill that is in it")

    @property
    def key(self) -> str:
        """What tells this fill from others of its order."""
        if self.fill_id or self.cumulative is None:
            return f"id:{self.fill_id}"
        return f"at:{written(exact(self.cumulative))}"


@dataclass(frozen=True, slots=True)
class Cumulative:
    """The order's total so far, as a lookup or a status report gives it; prices in USD, averaged.

    ``fees`` are what the venue charged for all of it, USD; None where it does not tell them with an order.
    """

    quantity: Decimal | float | str
    average_price: Decimal | float | str
    time: datetime
    fees: Decimal | float | str | None = None

    def __post_init__(self) -> None:
        if exact(self.quantity) <= 0 or exact(self.average_price) <= 0:
            raise ValueError("a total needs a quantity and an average price above 0")
        if self.fees is not None and exact(self.fees) < 0:
            raise ValueError("fees are not below 0")

    @property
    def key(self) -> str:
        total = f"sum:{written(exact(self.quantity))}@{written(exact(self.average_price))}"
        return total if self.fees is None else f"{total}-{written(exact(unsigned(exact(self.fees))))}"


FillReport = Execution | Cumulative


@dataclass(frozen=True, slots=True)
class Booked:
    """What was filled: shares, USD before fees, and the fees in USD as far as the venue told them.

    ``estimated``: the quantity is sure, part of the price is not yet.
    """

    quantity: Decimal = ZERO
    notional: Decimal = ZERO
    estimated: bool = False
    fees: Decimal = ZERO


def booked(reports: Iterable[FillReport]) -> Booked:
    """Reconcile the reports of one order.

    The quantity is the larger of the sum of the single fills and the highest total; both can only be too
    small. The money is that of the single fills where they are complete, else that of the highest total with
    an average price plus the fills after it. A gap between them is priced like the fill that follows it. Fees are
    those of the highest total that was told with any; of two for one total the higher.
    """
    tagged: dict[Decimal, Execution] = {}
    single: dict[str, Execution] = {}
    totals: list[tuple[Decimal, Decimal]] = []
    charged: list[tuple[Decimal, Decimal]] = []
    placed: set[str] = set()
    for report in sorted(reports, key=lambda r: r.key):
        if isinstance(report, Cumulative):
            totals.append((exact(report.quantity), exact(report.average_price)))
            if report.fees is not None:
                charged.append((exact(report.quantity), exact(report.fees)))
        elif report.cumulative is None:
            single[report.fill_id] = report
        else:
            # Totals only grow, so two fills of the same total are one fill under two ids.
            tagged.setdefault(exact(report.cumulative), report)
            placed.add(report.fill_id)
    executions = [*tagged.values(), *(fill for name, fill in single.items() if name not in placed)]
    filled = sum((exact(e.quantity) for e in executions), ZERO)
    # Averages are rounded: of two for the same total, the one with more digits is nearer.
    known, average = max(totals, key=lambda t: (t[0], -_exponent(t[1]), t[1]), default=(ZERO, ZERO))
    top = max([known, *tagged])
    fees = max(charged, default=(ZERO, ZERO))[1]
    if filled >= top:
        return Booked(filled, sum((exact(e.quantity) * exact(e.price) for e in executions), ZERO), fees=fees)
    notional, reached, estimated = known * average, known, False
    for total in sorted(total for total in tagged if total > known):
        fill = tagged[total]
        estimated |= total - exact(fill.quantity) != reached
        notional += (total - reached) * exact(fill.price)
        reached = total
    return Booked(top, notional, estimated, fees)


def _exponent(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int)  # Only NaN and infinity have letters, and exact() refuses both.
    return exponent
