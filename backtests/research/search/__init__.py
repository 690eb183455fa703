"""Searching parameters: what is tried, where it runs, how it is counted, and what came of it."""
