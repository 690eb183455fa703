"""What the account has done: fills as activities, equity at each close."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from brokers.rehearsal.errors import unprocessable
from brokers.rehearsal.hours import NEW_YORK_ZONE
from brokers.rehearsal.model import Json, plain
from brokers.rehearsal.queries import Query, day, moment, names, whole

LARGEST_PAGE = 100
FILLS = frozenset({"fill", "partial_fill"})


class Statements:
    """Keeps what trade updates and closes tell."""

    def __init__(self) -> None:
        self._fills: list[tuple[datetime, Json]] = []
        self._equity: list[tuple[datetime, Decimal]] = []

    def on_update(self, update: Mapping[str, Any]) -> None:
        """Take note of a trade update, if it is a fill."""
        if update["event"] not in FILLS:
            return
        order, at = update["order"], datetime.fromisoformat(update["timestamp"])
        local = at.astimezone(NEW_YORK_ZONE)
        done = Decimal(order["filled_qty"])
        self._fills.append(
            (
                at,
                {
                    "activity_type": "FILL",
                    "id": f"{local:%Y%m%d%H%M%S}{local.microsecond // 1000:03d}::{update['execution_id']}",
                    "cum_qty": order["filled_qty"],
                    "leaves_qty": plain(Decimal(order["qty"]) - done if order["qty"] else Decimal(0)),
                    "order_id": order["id"],
                    "order_status": order["status"],
                    "price": update["price"],
                    "qty": update["qty"],
                    "side": order["side"],
                    "symbol": order["symbol"],
                    "transaction_time": update["timestamp"],
                    "type": update["event"],
                },
            )
        )

    def on_close(self, at: datetime, equity: Decimal) -> None:
        """Take note of the equity at a session's close."""
        self._equity.append((at, equity))

    def activities(self, query: Query) -> list[Json]:
        """GET /v2/account/activities: fills, the only activity there is, newest first unless asked otherwise."""
        kinds = names(query, "activity_types")
        if (kinds and "FILL" not in kinds) or query.get("category") == "non_trade_activity":
            return []
        size = whole(query, "page_size") or LARGEST_PAGE
        if not 0 < size <= LARGEST_PAGE:
            raise unprocessable(f"page_size must be between 1 and {LARGEST_PAGE}")
        after, until, on = moment(query, "after"), moment(query, "until"), day(query, "date")
        found = [
            body
            for at, body in self._fills
            if (after is None or at > after)
            and (until is None or at < until)
            and (on is None or _date(at) == on)
            and query.get("order_id") in (None, "", body["order_id"])
        ]
        if query.get("direction", "desc") == "desc":
            found.reverse()
        ids = [body["id"] for body in found]
        token = query.get("page_token")
        first = ids.index(token) + 1 if token in ids else 0
        return found[first : first + size]

    def history(self, now: datetime, equity: Decimal, opening: Decimal) -> Json:
        """GET /v2/account/portfolio/history: equity at each close so far and now, USD."""
        points = [*self._equity, (now, equity)]
        gains = [value - opening for _, value in points]
        return {
            "timestamp": [int(at.timestamp()) for at, _ in points],
            "equity": [float(value) for _, value in points],
            "profit_loss": [float(gain) for gain in gains],
            "profit_loss_pct": [float(gain / opening) for gain in gains],
            "base_value": float(opening),
            "timeframe": "1D",
        }


def _date(at: datetime) -> date:
    return at.astimezone(NEW_YORK_ZONE).date()
