"""What the operator's commands found, for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brokers.operator.differences import Comparison
    from brokers.operator.positions import PositionReport


def positions_document(reports: Sequence[PositionReport]) -> list[dict[str, Any]]:
    """Each position; what is not known is null, distances are in USD and in R."""
    return [
        {
            "symbol": r.symbol,
            "owner": r.owner,
            "held": float(r.held),
            "by_hand_beside_ours": float(r.by_hand),
            "paid_by_hand": r.paid_by_hand,
            "protected": float(r.protected),
            "entry": r.entry,
            "price": r.price,
            "profit": r.profit,
            "fees": r.fees,
            "r_so_far": r.unrealised_r,
            "stop": r.stop,
            "stop_works": r.stop_works,
            "to_stop_usd": r.to_stop,
            "to_stop_r": r.in_r(r.to_stop),
            "target": r.target,
            "target_works": r.target_works,
            "to_target_usd": r.to_target,
            "to_target_r": r.in_r(r.to_target),
            "would_trigger": r.triggers or None,
            "sales_that_wait": list(r.sales),
        }
        for r in reports
    ]


def differences_document(found: Comparison) -> dict[str, Any]:
    """Journal against broker, and what was bought by hand."""
    return {
        "clean": found.clean,
        "positions": found.positions,
        "orders": found.orders,
        "not_asked": found.not_asked,
        "differences": [
            {"kind": d.kind.value, "of": d.subject, "here": d.here, "at_the_broker": d.there, "text": d.text}
            for d in found.differences
        ],
        "by_hand": [
            {
                "symbol": hand.symbol,
                "held": float(hand.held),
                "price": hand.price,
                "worth": hand.worth,
                "share": hand.share,
                "ours": float(hand.ours),
                "symbol_share": hand.whole_share,
                "right": hand.right if math.isfinite(hand.right) else None,
                "too_large": hand.too_large,
            }
            for hand in found.by_hand
        ],
    }
