"""Backtests without Lumibot's loop: the same pipeline, desk, account and fills, driven bar by bar."""
