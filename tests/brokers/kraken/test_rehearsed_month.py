"""A 50 USD account trades real hourly bars at the rehearsed Kraken with the live pipeline, within Starter limits."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from brokers.desk.data.feed import LiveFeed
from brokers.kraken.connection.rates import TIERS
from market.trading_day import use_day_of
from risk.entry_gates import QUALITY
from strategies.registry import build_pipeline
from tests.brokers.kraken.scene import BTC, ETH, KrakenScene
from tests.brokers.rehearsal.kraken.market import served
from tests.conftest import SHARED_DATA

FILE = SHARED_DATA / "kraken_1h.parquet"
START = datetime(2021, 1, 3, tzinfo=UTC)
PAIRS = (BTC, ETH)


def rehearse(folder: Path, days: int, step_s: float, **changes: Any) -> dict[str, Any]:
    """Run the pipeline against the exchange; returns what was measured."""
    bars = pd.read_parquet(FILE)
    inside = (bars["datetime"] >= START - timedelta(days=31)) & (bars["datetime"] < START + timedelta(days=days + 1))
    use_day_of("UTC")
    with served(data=bars[inside], start=START, account={"cash_usd": 50, "tier": "starter"}) as server:
        stated = ("live.entry.join=ask", "universe.symbols=[BTC/USD, ETH/USD]", "live.entry.max_quote_age_s=100000",
                  *(f"{key}={value}" for key, value in changes.items()))  # fmt: skip
        scene = KrakenScene(server, folder, TIERS["starter"], "micro_cap", stated)
        pipeline = build_pipeline(scene.settings)
        feed = LiveFeed(
            scene.venue, PAIRS, pipeline.needs(), {}, bar_minutes=60, sessions=False, max_quote_age_s=100_000.0
        )  # fmt: skip
        refused, entries, held, longest, iterations = Counter[str](), list[datetime](), 0, 0.0, 0

        def iterate() -> None:
            nonlocal held
            with scene.desk.iteration():
                book = scene.desk.reconcile()
                held = max(held, len(book.positions))
                plan = pipeline.decide(feed.snapshot(), book)
                for decision in plan.decisions:
                    for verdict in decision.verdicts:
                        if verdict.refused:
                            refused[verdict.code.partition(":")[0]] += 1
                before = len(scene.desk.entries.sent)
                scene.desk.execute(plan)
                entries.extend([scene.clock.time] * (len(scene.desk.entries.sent) > before))

        while server.now < START + timedelta(days=days):
            # Local time stands still here; what was looked at in an earlier step is old.
            scene.desk._looked = scene.desk._seen_at = float("-inf")
            scene.pass_time(10.0 if scene.desk.urgent else step_s)
            began = time.perf_counter()
            scene.alive(iterate)
            longest, iterations = max(longest, time.perf_counter() - began), iterations + 1
        scene.settle(3, 10)
        orders = [o for o in scene.orders() if o.filled_qty]
        listed = scene.client_fees()
        result = {
            "iterations": iterations, "requests": sum(scene.asked.values()), "longest_s": longest,
            "peaks": scene.rates.peaks, "refused": refused, "entries": len(entries), "most_positions": held,
            "protected": 1 - scene.bare_s / scene.held_s if scene.held_s else 1.0,
            "worst_gap_s": max(scene.spells, default=0.0), "faults": scene.faults(), "filled": len(orders),
            "cash_venue": scene.cash(), "cash_journal": Decimal(50) + scene.journal.cash_by_fills() - listed,
            "times": entries,
        }  # fmt: skip
        scene.close()
    return result


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.skipif(not FILE.is_file(), reason="needs ../shared/data")
def test_days_of_a_small_account(tmp_path):
    found = rehearse(tmp_path, 3, 300.0)
    assert found["faults"] == [] and found["filled"] > 4
    assert found["most_positions"] == 1
    assert all(
        sum(timedelta(0) <= later - first < timedelta(seconds=60) for later in found["times"]) <= 2
        for first in found["times"]
    )
    assert abs(found["cash_venue"] - found["cash_journal"]) < Decimal("0.01")
    assert found["protected"] > 0.99 and found["worst_gap_s"] <= 60
    assert found["peaks"][0] <= 15 and found["peaks"][1] <= 60
    # Two seconds on an idle machine.
    assert found["longest_s"] <= 5
    assert found["refused"][QUALITY] > 0
