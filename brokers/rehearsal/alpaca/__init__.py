"""Alpaca's protocol in front of the rehearsal venue: REST, trade updates and market data."""
