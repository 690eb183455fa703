"""The live command as a user runs it, against a server on loopback that speaks Alpaca's protocol."""

from __future__ import annotations

import json
import resource
import signal
import time
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from brokers.journal import Journal
from brokers.rehearsal.alpaca.server import RehearsalServer
from brokers.rehearsal.serving.network_faults import Mishap
from tests.live_venue import command, venue, wait_until


def refused(server: RehearsalServer, folder: Path, *extra: str, status: int = 2, **options: object) -> str:
    process = command(server, folder, *extra, **options)
    told, _ = process.communicate(timeout=180)
    assert process.returncode == status, told
    assert "Traceback" not in told
    assert not [entry for entry in server.log if entry.method != "GET"]
    return told.strip().splitlines()[-1]


@pytest.mark.slow
def test_it_trades_ends_on_a_signal_and_everything_went_through_the_journal(tmp_path):
    with venue() as server:
        process = command(server, tmp_path)
        wait_until(lambda: server.call(lambda exchange: exchange.positions()))
        positions = {r["symbol"]: Decimal(r["qty"]) for r in server.call(lambda exchange: exchange.positions())}
        iterations = len([e for e in server.log if e.path == "/v2/account"])
        wait_until(lambda: len([e for e in server.log if e.path == "/v2/account"]) >= iterations + 9)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=20)
        assert time.monotonic() - began < 5
        assert process.returncode == 0, told
        assert "ERROR" not in told, "an end in order is no error"
        log = server.log
        account = server.call(lambda exchange: exchange.account())["account_number"]
        stops = [o for o in server.call(lambda e: e.orders(nested=True)) for o in (o, *(o["legs"] or ()))]
    assert set(positions) == {"AAPL"}
    assert sum(Decimal(o["qty"]) for o in stops if o["type"] == "stop") == positions["AAPL"]
    sent = {e.payload["client_order_id"]: e.payload for e in log if e.method == "POST"}
    with Journal(tmp_path / "state" / "journal.sqlite3", account) as journal:
        # Every order on the wire is in the journal, with its quantity, and was there before it was sent.
        for name, payload in sent.items():
            order = journal.order(name)
            assert order.quantity == Decimal(payload["qty"])
            assert order.symbol == payload["symbol"]
        assert journal.positions_by_fills() == positions
    starts = [e.number for e in log if e.path == "/v2/clock"][1:]
    requests = [later - earlier for earlier, later in pairwise(starts)]
    assert sorted(requests)[len(requests) // 2] <= 8
    assert {"orders.csv", "decisions.jsonl", "equity.csv", "trades.csv", "summary.json"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }


@pytest.mark.slow
def test_wrong_keys_and_what_is_damaged_is_refused_in_a_sentence(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    with venue() as server:
        assert "does not take ALPACA_API_KEY and ALPACA_API_SECRET" in refused(server, tmp_path, secret="expired")
        (state / "weekly_budget.json").write_text('{"version": 1')
        assert refused(server, tmp_path).startswith("state/weekly_budget.json: is damaged, not complete JSON")
        (state / "weekly_budget.json").unlink()
        (state / "journal.sqlite3").write_bytes(b"no journal at all, " * 400)
        assert "state/journal.sqlite3: is damaged" in refused(server, tmp_path)
        (state / "journal.sqlite3").unlink()

        def full_disk() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

        assert "state/journal.sqlite3" in refused(server, tmp_path, preexec_fn=full_disk)


@pytest.mark.slow
def test_the_kill_switch_holds_entries_back_and_its_second_level_ends_the_run(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "STOP").touch()
    with venue() as server:
        process = command(server, tmp_path)
        wait_until(lambda: sum(e.path == "/v2/account" for e in server.log) > 4)
        assert not [entry for entry in server.log if entry.method != "GET"]
        (state / "STOP").unlink()
        wait_until(lambda: server.call(lambda exchange: exchange.positions()))
        (state / "FLATTEN").touch()
        told, _ = process.communicate(timeout=180)
        assert process.returncode == 3, told
        assert server.call(lambda exchange: exchange.positions()) == []
        assert server.call(lambda exchange: exchange.orders()) == []
    assert "entries are stopped; kill switch: stop" in told


def test_started_at_flatten_with_nothing_held_it_ends_as_stopped(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "FLATTEN").touch()
    with venue() as server:
        process = command(server, tmp_path)
        told, _ = process.communicate(timeout=60)
        assert not [entry for entry in server.log if entry.method != "GET"]
    assert process.returncode == 3, told
    assert "stopped by the kill switch" in told
    assert "profile active: NO EDGE FOUND; " in told


@pytest.mark.skipif(
    signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, reason="run by nohup: SIGHUP is ignored, by a trader too"
)
def test_a_terminal_that_is_closed_ends_it_in_order(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "STOP").touch()
    with venue() as server:
        process = command(server, tmp_path)
        wait_until(lambda: sum(e.path == "/v2/account" for e in server.log) > 3)
        process.send_signal(signal.SIGHUP)
        told, _ = process.communicate(timeout=20)
    assert process.returncode == 0, told
    assert "SIGHUP: leaving; entries are cancelled, exits stay at the venue" in told
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["notes"][0] == "Ended by SIGHUP."


@pytest.mark.slow
def test_a_venue_that_does_not_answer_is_refused_at_the_start(tmp_path):
    with venue() as server:
        server.faults.chance(Mishap.HANG_BEFORE, 1.0, path="/v2/clock", seconds=30)
        began = time.monotonic()
        told = refused(server, tmp_path, "--set", "live.start_wait_s=20", status=1)
        assert time.monotonic() - began < 45
    assert "the venue does not answer" in told


@pytest.mark.slow
def test_a_hanging_venue_blocks_no_iteration_for_long(tmp_path):
    with venue() as server:
        process = command(server, tmp_path)
        wait_until(lambda: sum(e.path == "/v2/account" for e in server.log) > 4)
        server.faults.chance(Mishap.HANG_BEFORE, 1.0, seconds=60)
        time.sleep(30)
        server.faults.clear()
        seen = len(server.log)
        wait_until(lambda: sum(e.path == "/v2/account" for e in server.log[seen:]) > 3)
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=20)
    assert process.returncode == 0, told
    assert "circuit breaker open" in told
    assert "circuit breaker closed" in told
    assert "an iteration took" not in told
