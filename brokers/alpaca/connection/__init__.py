"""Requests to Alpaca on the wire: time limits, rate limit, no redirect, none sent twice."""
