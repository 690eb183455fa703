"""What ``explain`` says of a journal."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from brokers.journal import Journal
from monitoring.explain import LATEST, Explanation, JournalSource, explain
from monitoring.journal_reader import JournalReader
from monitoring.market_view import MarketView


def told(address: str | Path, wanted: str, latest: int = LATEST) -> Explanation:
    """The explanation of a symbol or an order, without any reading of the market."""
    return explain(JournalSource(JournalReader(address), MarketView(Path("nowhere"))), wanted, latest=latest)


def fees_of(journal: Journal) -> Decimal:
    """USD that the venue charged for the fills of a journal, as far as it told."""
    return sum((item.order.fees for item in journal.filled_orders()), Decimal(0))
