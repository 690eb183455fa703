"""Kraken spot as a venue: requests in its words through ccxt, answers read once."""
