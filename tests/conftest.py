"""What every test runs under: Lumibot kept quiet and keyless, no network, markers."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from backtests.live.run_log import LOGGERS
from config.process.environment import own_the_run
from market.trading_day import DEFAULT, use_day_of
from tests.network_guard import NetworkGuard

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"

# Lumibot reads its variables at import, so they are set before any test module is loaded; the keys and
# the caches of whoever runs the tests stay out of it.
own_the_run()
for _name in list(os.environ):
    if _name.startswith(("ALPACA_", "APCA_", "KRAKEN_")):
        del os.environ[_name]
_cache = tempfile.TemporaryDirectory(prefix="lumibot-cache-")
os.environ["LUMIBOT_CACHE_FOLDER"] = _cache.name
os.environ["MPLBACKEND"] = "Agg"
# Trials of tests are not those of whoever runs them.
os.environ["RISK_FIRST_TRIALS"] = f"{_cache.name}/trials.jsonl"

# New examples are looked for at every desk; a merge is judged by the same ones each time. How long one takes
# says more about the machine than about the code.
settings.register_profile("desk", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("desk"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

_guard = NetworkGuard()
_guard.install()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the shared market data where it is not there."""
    if SHARED_DATA.is_dir():
        return
    skip = pytest.mark.skip(reason="needs the market data in ../shared/data")
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real market data; tests that use it carry the marker ``shared``."""
    return SHARED_DATA


@pytest.fixture(autouse=True)
def new_york_s_days() -> Iterator[None]:
    """One process trades one account, so its day is set once; a process of tests trades many, each in its own day."""
    yield
    use_day_of(DEFAULT)


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """What a run in this process did to the package's loggers ends with its test: a log of its own, and no root's."""
    of_a_run = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in of_a_run]
    yield
    for logger, (handlers, level, propagate) in zip(of_a_run, before, strict=True):
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.fixture(autouse=True)
def network_guard() -> Iterator[NetworkGuard]:
    """Fail the test that reached for another host, even where the code under test swallowed the error."""
    _guard.attempts.clear()
    yield _guard
    if _guard.attempts:
        pytest.fail("reached for the network: " + "; ".join(_guard.attempts), pytrace=False)
