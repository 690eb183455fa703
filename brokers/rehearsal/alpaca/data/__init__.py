"""Alpaca's market data: requests and stream, from the trades that have happened by the venue's present."""
