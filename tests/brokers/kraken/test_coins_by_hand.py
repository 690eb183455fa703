"""Coins that were moved into the account: what was paid for them nobody here knows."""

from __future__ import annotations

import math
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from brokers.operator.account import look
from brokers.operator.positions import report
from brokers.operator.tables import positions_table
from config import load
from market.market import Market
from monitoring.state import JOURNAL_FILE
from risk.entry_gates import EntryGates
from risk.model import BracketTerms, Proposal
from tests.brokers.kraken.scene import BTC, ETH, SETTINGS, KrakenScene
from tests.brokers.kraken.test_below_the_minimum import leave_a_rest, state
from tests.brokers.rehearsal.kraken.market import served


def test_no_entry_price_and_no_profit_is_told_of_them_and_they_are_no_entry(tmp_path: Path):
    with served(account={"balances": {"XBT": "0.002"}}) as server:
        scene = KrakenScene(server, tmp_path, journal=str(tmp_path / JOURNAL_FILE))
        settings = load("active", overrides=[*SETTINGS, f"live.state_dir={tmp_path}"])
        scene.settle(4)
        assert scene.positions.book.manual[BTC] == Decimal("0.002")
        (found,) = report(look(scene.venue, settings), settings)
        assert math.isnan(found.entry) and math.isnan(found.profit) and found.price > 0
        printed = StringIO()
        Console(file=printed, width=300).print(positions_table([found]))
        assert "not known" in printed.getvalue() and "0.0000" not in printed.getvalue()
        gates = load("micro_cap").risk.modules["entry_gates"] | {"lot": 1e-8, "max_positions": 5, "restricted": ()}
        with scene.desk.iteration():
            scene.desk.look()
            book = scene.desk.reconcile()
        assert BTC in book.positions
        wish = Proposal(
            ETH, "buy", "x", 90.0, 3_000.0, 1.0, 2_970.0, 3_060.0, BracketTerms("buy", 0.01, 0.02), 0.005, ""
        )
        verdict = EntryGates(EntryGates.Config(**gates)).review(wish, book, object.__new__(Market))
        assert not verdict.code.startswith("INTERVAL")
        scene.close()


def test_what_is_left_of_ours_keeps_its_price_on_the_screens(tmp_path: Path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        left = leave_a_rest(scene)
        scene.settle(2)
        view = scene.desk.state.view
        assert scene.positions.book.quantity(BTC) == left and BTC not in view.positions and BTC in view.dust
        (position,) = state(scene).positions
        assert position.price == pytest.approx(float(scene.price()), rel=0.001) and position.profit is not None
        scene.close()
