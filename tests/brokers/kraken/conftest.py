"""A PostgreSQL server where one is installed."""

from tests.brokers.journal.conftest import postgres

__all__ = ["postgres"]
