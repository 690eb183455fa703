"""The emergency cleanup against a venue: what it cancels, sells, purges and leaves alone."""

from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
from decimal import Decimal

import pytest

from brokers.alpaca.client import VenueClient
from brokers.journal import Journal, OrderIntent
from brokers.operator.track_record import verify
from monitoring.state import JOURNAL_FILE
from tests.brokers.journal.told import told
from tests.brokers.rehearsal.market import wait_for
from tests.scripts.venue import CLEANUP, NEW_YORK, SCRIPTS, START, Place, place, run


def invent_symbol(desk: Place, symbol: str = "GONE") -> None:
    """A position and an open order that the journal has and the venue has never heard of."""
    with desk.trader() as core:
        now = core.state.now
        core.sync.note_difference(symbol, Decimal(7), Decimal(12), now, "from another time")
        intent = OrderIntent("combined", symbol, "sell", Decimal(7), "stop", "stop", now, stop_price=Decimal(10))
        core.journal.plan_order(intent)


def messy(desk: Place) -> None:
    """A bracket of ours, an order and a remnant by hand, a symbol that is not there any more."""
    with desk.trader() as core:
        desk.enter(core)
    desk.by_hand("PLTR", "3", type="limit", limit_price="150")
    desk.by_hand("TSLA", "0.002")
    desk.by_hand("PENNY", "2")
    invent_symbol(desk)


def test_everything_is_cleaned_up_and_a_second_run_does_nothing(desk, capsys):
    messy(desk)
    before = len(desk.changes())
    assert run(desk) == 0
    said = capsys.readouterr().out
    assert desk.open_orders() == []
    assert (desk.held("AAPL"), desk.held("TSLA"), desk.held("PENNY")) == (50, 0, 0)
    for line in (
        "cancel buy 3 PLTR limit at 150",
        "cancel sell 50 AAPL limit at 115, and 1 that goes with it",
        "sell dust: 0.002 TSLA, worth 0.89 USD",
        "sold 2 PENNY",
        "purge GONE, unknown to the venue; in the journal: 7 shares, open orders: 1",
        "WITHOUT A STOP: 50 of 50 AAPL",
    ):
        assert line in said, said
    changes = desk.changes()[before:]
    assert [c.method for c in changes] == ["DELETE", "DELETE", "POST", "POST"]
    gaps = [b.local_time - a.local_time for a, b in itertools.pairwise(changes)]
    assert min(gaps) >= 0.1

    with desk.trader() as core:
        core.observer.look()
        assert core.journal.positions_by_fills() == {"AAPL": 50}
        assert core.positions.book.symbols == {"AAPL"}
        assert core.journal.open_orders() == []
        kept = told(core.journal.name, "GONE").orders
        reasons = [order.reason for order in kept] + [event.reason for order in kept for event in order.events]
        assert any("purged by the cleanup" in reason for reason in reasons)
        assert any("from another time" in reason for reason in reasons)

    before, files = len(desk.changes()), desk.files()
    assert run(desk) == 0
    said = capsys.readouterr().out
    assert len(desk.changes()) == before
    assert [line for line in said.splitlines() if not line.startswith("WITHOUT A STOP")] == ["Done."]
    with desk.trader() as core:
        assert core.journal.positions_by_fills() == {"AAPL": 50}
    assert desk.files().keys() == files.keys()


def test_a_dry_run_tells_the_same_and_changes_nothing(desk, capsys):
    messy(desk)
    before, files = len(desk.changes()), desk.files()
    assert run(desk, "--dry-run") == 0
    said = capsys.readouterr().out
    for line in (
        "would cancel buy 3 PLTR limit at 150",
        "would cancel sell 50 AAPL",
        "would sell dust: 0.002 TSLA",
        "would purge GONE",
        "Dry run: nothing was changed.",
    ):
        assert line in said, said
    assert len(desk.changes()) == before
    assert desk.files() == files
    assert len(desk.open_orders()) == 2


def test_a_budget_that_cannot_be_trusted_is_told_and_purges_nothing_twice(desk, capsys):
    messy(desk)
    (desk.state / "weekly_budget.json").write_text("{")
    assert run(desk, "--dry-run") == run(desk) == 0
    dry, said = capsys.readouterr().out.split("Dry run: nothing was changed.")
    for told_of in (dry, said):
        assert "the weekly budget is left as it is: " in told_of and "weekly_budget.json: is damaged" in told_of
    assert "purge GONE" in said
    assert run(desk) == 0
    assert "purge" not in capsys.readouterr().out
    assert (desk.state / "weekly_budget.json").read_text() == "{"


def test_a_dry_run_needs_no_journal_and_makes_none(desk):
    desk.by_hand("PLTR", "3", type="limit", limit_price="150")
    assert run(desk, "--dry-run") == 0
    assert desk.files() == {}


def test_the_check_of_a_dry_run_finds_a_change(desk, monkeypatch):
    desk.by_hand("PLTR", "3", type="limit", limit_price="150")
    before, files = len(desk.changes()), desk.files()
    assert run(desk) == 0
    assert len(desk.changes()) > before
    assert desk.files() != files


def test_beside_a_trader_only_a_dry_run_is_possible(desk, capsys):
    with desk.trader() as core:
        desk.enter(core)
        assert run(desk) == 2
        said = capsys.readouterr().err
        assert "writes this journal; stop it first" in said and said.count("\n") == 1
        assert run(desk, "--dry-run") == 0
        assert "would cancel sell 50 AAPL" in capsys.readouterr().out
    assert len(desk.open_orders()) == 1


def test_it_works_while_the_kill_switch_is_pulled(desk):
    (desk.state / "STOP").touch()
    desk.by_hand("PLTR", "3", type="limit", limit_price="150")
    assert run(desk) == 0
    assert desk.open_orders() == []


def test_a_dollar_is_no_dust(desk):
    desk.by_hand("PENNY", "3")
    assert run(desk) == 0
    assert desk.held("PENNY") == 3


def test_dust_waits_for_the_market_to_open(tmp_path, monkeypatch, capsys):
    with place(tmp_path, monkeypatch, clock="manual") as desk:
        order = {"symbol": "PENNY", "qty": "2", "side": "buy", "type": "market", "time_in_force": "day"}
        desk.server.call(lambda exchange: exchange.submit(order))
        for hour in (11, 17):
            desk.server.advance_to(START.replace(hour=hour, tzinfo=NEW_YORK))
        assert desk.held("PENNY") == 2
        assert run(desk) == 0
        assert "the market is closed; run this again" in capsys.readouterr().out
        assert desk.changes() == []


def test_what_the_venue_does_not_trade_is_left(desk, monkeypatch, capsys):
    desk.by_hand("TSLA", "0.001")
    whole = VenueClient.asset
    monkeypatch.setattr(VenueClient, "asset", lambda self, symbol: {**whole(self, symbol), "fractionable": False})
    assert run(desk) == 0
    monkeypatch.setattr(VenueClient, "asset", lambda self, symbol: {**whole(self, symbol), "tradable": False})
    assert run(desk) == 0
    said = capsys.readouterr().out
    assert "whole shares of it only" in said and "the venue does not trade it" in said
    assert desk.changes() == []


def test_a_remnant_of_ours_leaves_our_books(desk):
    with desk.trader() as core:
        desk.enter(core, "PENNY", 2)
    assert run(desk) == 0
    with desk.trader() as core:
        core.observer.look()
        assert desk.held("PENNY") == 0
        assert core.positions.book.symbols == set()
        assert len(core.positions.book.portions) == 1


def test_kraken_without_its_keys_is_refused(desk, capsys):
    assert run(desk, broker="kraken") == 2
    said = capsys.readouterr().err
    assert "Kraken" in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "--broker"),
        (["--broker", "alpaca", "--dryrun"], "--dry-run"),
        (["--broker", "alpaca", "--live"], "--live was not confirmed"),
        (["--broker", "alpaca", "--set", "live.nope=1"], "live.nope"),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(desk, arguments, named, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("LIVE\n"))
    assert CLEANUP.main([*arguments, *desk.arguments]) == 2
    said = capsys.readouterr().err
    assert named in said and said.count("\n") == 1
    assert desk.server.log == []


def test_wrong_keys_are_refused_without_being_shown(desk, monkeypatch, capsys):
    monkeypatch.setenv("ALPACA_API_SECRET", "swordfish")
    assert run(desk) == 2
    said = capsys.readouterr()
    assert "ALPACA_API_SECRET" in said.err and "swordfish" not in said.err + said.out


def test_the_journal_of_another_account_is_refused(desk, capsys):
    Journal(desk.state / "journal.sqlite3", "another").close()
    desk.by_hand("PLTR", "3", type="limit", limit_price="150")
    assert run(desk) == 2
    assert "another" in capsys.readouterr().err
    assert len(desk.open_orders()) == 1


def test_as_a_command(desk):
    desk.by_hand("PLTR", "3", type="limit", limit_price="150")
    command = [sys.executable, str(SCRIPTS / "emergency_cleanup.py"), "--broker", "alpaca", *desk.arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "cancel buy 3 PLTR" in done.stdout
    assert desk.server.secret not in done.stdout + done.stderr
    assert desk.open_orders() == []


def test_a_stop_that_filled_while_nobody_ran_is_booked_with_its_trade(desk):
    with desk.trader() as core:
        desk.enter(core)
    desk.server.call(lambda exchange: exchange.on_quote(exchange.now, {"AAPL": Decimal("94")}))
    wait_for(lambda: desk.held("AAPL") == 0)
    assert run(desk) == 0
    record = verify(desk.state / JOURNAL_FILE)
    assert [json.loads(line)["exit_reason"] for line in record.trades] == ["stop"]


def test_a_stop_that_was_moved_and_filled_while_nobody_ran_is_booked_as_a_stop(desk):
    """The venue shows it as what took its target's place, since that is what a pair's stop does as it triggers."""
    with desk.trader() as core:
        desk.enter(core)
    desk.server.call(lambda exchange: exchange.on_quote(exchange.now, {"AAPL": Decimal("104")}))
    stop = next(order for order in legs(desk) if order["type"] == "stop")
    desk.server.call(lambda exchange: exchange.replace(stop["id"], {"stop_price": "102"}))
    wait_for(lambda: any(order["stop_price"] == "102" and order["status"] == "held" for order in legs(desk)))
    desk.server.call(lambda exchange: exchange.on_quote(exchange.now, {"AAPL": Decimal("101")}))
    wait_for(lambda: desk.held("AAPL") == 0)
    assert run(desk) == 0
    assert [json.loads(line)["exit_reason"] for line in verify(desk.state / JOURNAL_FILE).trades] == ["stop"]


def legs(desk: Place) -> list[dict[str, str]]:
    return [order for row in desk.open_orders() for order in (row, *(row["legs"] or ()))]
