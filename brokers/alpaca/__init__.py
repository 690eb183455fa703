"""Alpaca's REST interface behind time limits, a rate limit, and a circuit breaker; as a client and as a venue."""
