"""Kraken as a venue."""
