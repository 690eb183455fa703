"""Alpaca's orders: what a request may look like, what the account allows, and how orders are listed."""
