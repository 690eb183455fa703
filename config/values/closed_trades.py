"""How far back a book remembers."""

from __future__ import annotations

CLOSED_TRADES_KEPT = 200
"""Closed trades that a book holds, the latest, in a backtest and live; no rule and no setting may look at more."""
