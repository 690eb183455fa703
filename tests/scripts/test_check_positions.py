"""Positions as the operator sees them: levels, distances, owners, protection, and what would trigger."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal

import pytest

from brokers.desk.execution.protection import Protector
from brokers.desk.reconcile.manual_positions import ManualPositions
from brokers.operator.account import look
from brokers.operator.positions import PositionReport, report
from brokers.venues import open_venue
from tests.brokers.rehearsal.market import wait_for
from tests.scripts.venue import SCRIPTS, Place, script

SCRIPT = script("check_positions")
MOVED = replace(
    PositionReport("X", "ours", Decimal(10), 100, 105, 95, 115, True, True, 5, Decimal(10), ""), stop=96
)  # fmt: skip


def reports(desk: Place) -> dict[str, PositionReport]:
    found = report(look(open_venue(desk.settings, paper=True), desk.settings), desk.settings)
    return {row.symbol: row for row in found}


def entered(desk: Place) -> None:
    with desk.trader() as core:
        desk.enter(core)


def price(desk: Place, symbol: str, usd: str) -> None:
    desk.server.call(lambda exchange: exchange.on_quote(exchange.now, {symbol: Decimal(usd)}))


def test_a_position_of_ours(desk):
    entered(desk)
    price(desk, "AAPL", "102")
    row = reports(desk)["AAPL"]
    assert (row.owner, row.held, row.entry, row.price) == ("ours", 50, 100, 102)
    assert (row.stop, row.target, row.stop_works, row.target_works) == (95, 115, True, True)
    assert (row.protected, row.triggers) == (50, "")
    assert row.unrealised_r == pytest.approx(0.4)
    assert (row.to_stop, row.to_target) == (7, 13)
    assert row.in_r(row.to_stop) == pytest.approx(1.4)
    assert row.in_frac(row.to_target) == pytest.approx(13 / 102)


def test_the_levels_of_a_short_are_mirrored():
    short = replace(MOVED, held=Decimal(-10), price=95.0, stop=105.0, target=85.0)
    assert (short.to_stop, short.to_target, short.unrealised_r) == (10, 10, 1)


def test_a_level_that_is_no_order_any_more_comes_from_the_journal(desk, capsys):
    entered(desk)
    desk.cancel_all()
    row = reports(desk)["AAPL"]
    assert (row.stop, row.target, row.stop_works, row.target_works, row.protected) == (95, 115, False, False, 0)
    price(desk, "AAPL", "94")
    assert reports(desk)["AAPL"].triggers == "stop"
    assert SCRIPT.main(desk.arguments) == 0
    said = capsys.readouterr().out
    assert "(95.00)" in said and "0 of 50" in said


def test_a_sale_that_waits_is_named(desk, capsys):
    entered(desk)
    assert reports(desk)["AAPL"].sales == ()
    desk.cancel_all()
    sale = {
        "symbol": "AAPL",
        "qty": "50",
        "side": "sell",
        "type": "limit",
        "limit_price": "120",
        "time_in_force": "day",
    }
    desk.server.call(lambda exchange: exchange.submit(sale))
    assert reports(desk)["AAPL"].sales == ("sell 50 at 120",)
    assert SCRIPT.main(desk.arguments) == 0
    assert "AAPL: sell 50 at 120 waits at the broker" in capsys.readouterr().out


def test_a_fraction_of_a_share_is_shown_as_bare(desk, capsys):
    entered(desk)
    desk.cancel_all()
    with desk.trader() as core:
        core.observer.look()
        desk.by_hand("AAPL", "0.5", "sell")
        core.observer.look()
        state, positions, gateway = core.state, core.positions, core.gateway
        settings = core.settings
        ManualPositions(state, positions, core.sync, settings, gateway.cancel, lambda symbol: None).compare()
        Protector(state, positions, gateway, settings, lambda symbol, why: None).tend("AAPL")
        wait_for(lambda: len(desk.open_orders()) == 1)
        core.observer.look()
    assert (reports(desk)["AAPL"].held, reports(desk)["AAPL"].protected) == (Decimal("49.5"), 49)
    assert SCRIPT.main(desk.arguments) == 0
    assert "49 of 49.5" in capsys.readouterr().out


def test_a_target_that_a_hand_moved_is_remembered(desk):
    entered(desk)
    target = next(o for row in desk.open_orders() for o in (row, *(row["legs"] or ())) if o["type"] == "limit")
    desk.server.call(lambda exchange: exchange.replace(target["id"], {"limit_price": "110"}))
    with desk.trader() as core:
        core.observer.look()
    desk.cancel_all()
    row = reports(desk)["AAPL"]
    assert (row.target, row.target_works) == (110, False)


def test_a_target_that_was_reached_is_told(desk):
    entered(desk)
    desk.cancel_all()
    price(desk, "AAPL", "115.5")
    assert reports(desk)["AAPL"].triggers == "target"


def test_a_position_by_hand_has_no_levels_and_no_r(desk):
    entered(desk)
    desk.by_hand("PLTR", "10")
    row = reports(desk)["PLTR"]
    assert (row.owner, row.entry, row.protected, row.triggers) == ("by hand", 170.77, 0, "")
    assert math.isnan(row.stop) and math.isnan(row.unrealised_r)


def test_shares_of_both_are_told_apart(desk):
    entered(desk)
    with desk.trader() as core:
        desk.by_hand("AAPL", "7")
        core.observer.look()
    assert reports(desk)["AAPL"].owner == "ours 50, by hand 7"
    assert reports(desk)["AAPL"].protected == 50


def test_the_profit_of_both_counts_each_at_what_it_cost(desk, capsys):
    entered(desk)
    with desk.trader() as core:
        price(desk, "AAPL", "103")
        desk.by_hand("AAPL", "30")
        core.observer.look()
        settled = ManualPositions(
            core.state, core.positions, core.sync, core.settings, core.gateway.cancel, lambda symbol: None
        )
        settled.compare()
    price(desk, "AAPL", "104")
    row = reports(desk)["AAPL"]
    paid = row.paid_by_hand
    assert (row.by_hand, row.entry) == (30, 100) and paid == pytest.approx(103, abs=0.2)
    assert row.profit == pytest.approx(50 * 4 + 30 * (104 - paid))
    assert row.unrealised_r == pytest.approx(0.8)
    assert SCRIPT.main(desk.arguments) == 0
    assert f"100.00, {paid:.2f}" in " ".join(capsys.readouterr().out.split())


def test_what_hands_paid_is_told_by_the_venue_while_the_journal_does_not_know(desk):
    entered(desk)
    price(desk, "AAPL", "103")
    desk.by_hand("AAPL", "30")
    row = reports(desk)["AAPL"]
    assert row.by_hand == 30 and row.paid_by_hand == pytest.approx(103, abs=0.2)
    assert row.profit == pytest.approx(50 * 3 + 30 * (103 - row.paid_by_hand))


def test_a_fill_that_is_not_booked_yet_is_ours(desk):
    with desk.trader() as core:
        core.observer.look()
        name = core.journal.plan_order(
            core.gateway.intent("AAPL", "buy", Decimal(5), "market", "entry", core.state.now)
        )
    desk.by_hand("AAPL", "5", client_order_id=name)
    assert reports(desk)["AAPL"].owner == "ours"


def test_what_hands_hold_where_our_stop_has_filled_unseen_is_by_hand(desk, capsys):
    entered(desk)
    desk.by_hand("AAPL", "5")
    price(desk, "AAPL", "94")
    wait_for(lambda: desk.held("AAPL") == 5)
    row = reports(desk)["AAPL"]
    assert (row.owner, row.held, row.by_hand, row.fees) == ("by hand", 5, 0, 0)
    assert math.isnan(row.unrealised_r) and row.profit == pytest.approx(5 * (94 - row.entry))
    assert SCRIPT.main([*desk.arguments, "--json"]) == 0
    assert '"owner": "by hand"' in capsys.readouterr().out


def test_nothing_is_changed(desk, capsys):
    entered(desk)

    def files() -> dict[str, bytes]:
        # The lock says since when the trader below has held it.
        return {name: content for name, content in desk.files().items() if not name.endswith("-lock")}

    before, kept = len(desk.changes()), files()
    with desk.trader():
        assert SCRIPT.main(desk.arguments) == 0
    assert SCRIPT.main(desk.arguments) == 0
    assert len(desk.changes()) == before
    assert files() == kept
    assert "50 of 50" in capsys.readouterr().out


def test_no_positions(desk, capsys):
    with desk.trader():
        pass
    assert SCRIPT.main(desk.arguments) == 0
    assert capsys.readouterr().out == "No positions.\n"


def test_without_keys_it_is_refused(desk, monkeypatch, capsys):
    monkeypatch.delenv("ALPACA_API_KEY")
    assert SCRIPT.main(desk.arguments) == 2
    assert "ALPACA_API_KEY" in capsys.readouterr().err


def test_as_a_command(desk):
    entered(desk)
    command = [sys.executable, str(SCRIPTS / "check_positions.py"), *desk.arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for cell in ("AAPL", "ours", "50 of 50", "95.00", "5.00%, 1.00 R", "115.00", "15.00%, 3.00 R", "none"):
        assert cell in done.stdout
    assert desk.server.secret not in done.stdout + done.stderr
