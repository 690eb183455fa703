"""What ``explain`` says of a journal."""

from __future__ import annotations

from pathlib import Path

from monitoring.explain import LATEST, Explanation, JournalSource, explain
from monitoring.journal_reader import JournalReader
from monitoring.market_view import MarketView


def told(address: str | Path, wanted: str, latest: int = LATEST) -> Explanation:
    """The explanation of a symbol or an order, without any reading of the market."""
    return explain(JournalSource(JournalReader(address), MarketView(Path("nowhere"))), wanted, latest=latest)
