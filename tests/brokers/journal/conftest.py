"""A journal on each database, and a server where one is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from brokers.journal import Journal
from tests.brokers.journal.postgres_server import PostgresServer, binaries

ACCOUNT = "PA3ACCOUNT"
BEGIN = datetime(2024, 3, 4, 15, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    folder = binaries()
    if folder is None:
        pytest.skip("needs a PostgreSQL server's programs (initdb, pg_ctl)")
    server = PostgresServer(folder)
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "state" / "journal.sqlite3")
    return request.getfixturevalue("postgres").fresh()


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """Every look is a second later."""
    seconds = iter(range(10**9))
    return lambda: BEGIN + timedelta(seconds=next(seconds))


@pytest.fixture
def journal(address: str, clock: Callable[[], datetime]) -> Iterator[Journal]:
    with Journal(address, ACCOUNT, clock) as opened:
        yield opened
