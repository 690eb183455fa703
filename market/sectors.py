"""Sector labels of symbols."""

from __future__ import annotations

from collections.abc import Mapping

UNCLASSIFIED = "unclassified"

INVERSE = "inverse"
"""Sector labels of symbols without one, and of funds that move against the market."""


def inverse_funds(sectors: Mapping[str, str]) -> frozenset[str]:
    """The symbols that are labelled as inverse funds."""
    return frozenset(symbol for symbol, label in sectors.items() if label == INVERSE)
