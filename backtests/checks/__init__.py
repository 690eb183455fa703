"""Checks of finished runs: look-ahead, audit, comparison."""
