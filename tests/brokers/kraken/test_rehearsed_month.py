"""A 50 USD account trades real hourly bars at the rehearsed Kraken with the live pipeline, within Starter limits."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from risk.entry_gates import INTERVAL, OPEN_POSITION, QUALITY
from tests.brokers.kraken.month import rehearse
from tests.conftest import SHARED_DATA

FILE = SHARED_DATA / "kraken_1h.parquet"
START = datetime(2021, 1, 3, tzinfo=UTC)


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.skipif(not FILE.is_file(), reason="needs ../shared/data")
def test_days_of_a_small_account(tmp_path):
    found = rehearse(FILE, tmp_path, START, 3, 300.0, stated=("live.entry.join=ask",))
    assert found["faults"] == [] and found["filled"] > 4
    assert found["most positions"] == 1 and found["largest order usd"] <= 20.001
    assert found["most entries a minute"] <= 2
    assert found["fees"] > Decimal("0.2")
    assert abs(found["cash at the venue"] - found["cash by the journal"]) < Decimal("0.01")
    assert found["protected"] > 0.99 and found["worst gap s"] <= 60
    assert found["peaks"][0] <= 15 and found["peaks"][1] <= 60
    # The program's own work; how long the exchange takes beside it is this machine's business.
    assert found["most cpu s"] <= 2
    assert found["refused"].keys() >= {QUALITY, OPEN_POSITION, INTERVAL}
