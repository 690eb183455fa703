"""What trading costs this account, by Kraken's own word: never a fee that somebody once wrote down."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.kraken.answers.pairs import HUNDRED, Pairs
from brokers.network.figures import amount

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fees:
    """Fees of one pair, fractions of 1."""

    maker: Decimal
    taker: Decimal


def fees_of(answer: Mapping[str, Any], pairs: Pairs) -> dict[str, Fees]:
    """TradeVolume: fees by symbol; a pair without a maker's fee pays the taker's for both."""
    takers, makers = answer.get("fees"), answer.get("fees_maker") or {}
    found: dict[str, Fees] = {}
    for name, row in takers.items() if isinstance(takers, Mapping) else ():
        if (pair := pairs.named(str(name))) is None:
            continue
        try:
            taker = amount(row, "fee") / HUNDRED
            maker = amount(makers[name], "fee") / HUNDRED if name in makers else taker
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            log.warning("the fee of %s at Kraken cannot be read: %r", pair.symbol, error)
            continue
        found[pair.symbol] = Fees(maker, taker)
    return found
