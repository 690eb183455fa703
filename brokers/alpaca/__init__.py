"""Alpaca's REST interface behind time limits, a rate limit, a circuit breaker and a door that asks first."""
