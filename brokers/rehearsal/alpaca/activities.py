"""What the account has done: fills, the only activity there is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from brokers.rehearsal.alpaca.errors import unprocessable
from brokers.rehearsal.alpaca.json_bodies import Json, plain
from brokers.rehearsal.alpaca.queries import Query, choose, day, moment, names, whole
from brokers.rehearsal.alpaca.us_hours import NEW_YORK_ZONE

LARGEST_PAGE = 100
FILLS = frozenset({"fill", "partial_fill"})
KIND = re.compile(r"[A-Z]{2,8}")


class Activities:
    """Keeps the fills that trade updates tell."""

    def __init__(self) -> None:
        self._fills: list[tuple[datetime, Json]] = []

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

    def listed(self, query: Query) -> list[Json]:
        """GET /v2/account/activities: newest first unless asked otherwise."""
        kinds = names(query, "activity_types")
        category = choose(query, "category", ("", "trade_activity", "non_trade_activity"), "")
        if kinds and category:
            raise unprocessable("category cannot be used with activity_types")
        for kind in kinds:
            if KIND.fullmatch(kind) is None:
                raise unprocessable(f"invalid activity_types: {kind}")
        newest_first = choose(query, "direction", ("asc", "desc"), "desc") == "desc"
        size = whole(query, "page_size")
        size = LARGEST_PAGE if size is None else size
        if not 0 < size <= LARGEST_PAGE:
            raise unprocessable(f"page_size must be between 1 and {LARGEST_PAGE}")
        after, until, on = moment(query, "after"), moment(query, "until"), day(query, "date")
        trades = category != "non_trade_activity" and (not kinds or "FILL" in kinds)
        found = [
            body
            for at, body in self._fills
            if trades
            and (after is None or at > after)
            and (until is None or at < until)
            and (on is None or _date(at) == on)
            and query.get("order_id") in (None, "", body["order_id"])
        ]
        if newest_first:
            found.reverse()
        token = query.get("page_token")
        if not token:
            return found[:size]
        ids = [body["id"] for body in found]
        if token not in ids:
            raise unprocessable("invalid page_token: no activity of this listing has that id")
        first = ids.index(token) + 1
        return found[first : first + size]


def _date(at: datetime) -> date:
    return at.astimezone(NEW_YORK_ZONE).date()
