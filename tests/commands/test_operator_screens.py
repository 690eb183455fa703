"""status, whatif, explain and dashboard as they are typed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from commands.app import main
from commands.views.dashboard import kept_token
from config.errors import Refusal
from monitoring.state import STATE_FILE, DifferenceState, HaltState, write_state
from tests.monitoring.journals import ACCOUNT, BEGIN, small_folder, trader_state

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    return small_folder(tmp_path_factory.mktemp("trader") / "state")


def said(capsys, *argv: object, status: int = 0) -> str:
    assert main([str(word) for word in argv]) == status
    found = capsys.readouterr()
    return found.out if status == 0 else found.err


def test_status_says_what_is_held_lost_left_and_halted(state, capsys):
    write_state(state / STATE_FILE, trader_state())
    text = said(capsys, "status", "--state-dir", state)
    assert "Limits as the last iteration found them, " in text
    for words in ("running, paper, active", "equity 105,000.00", "If all stops fire: 325.00 USD, 0.31% of equity",
                  "Without a stop: 1,848.00 USD in AMD",
                  "today: 10,500.00 USD in 1 position, bound by equity_sizer, one position",
                  "This week: 12,000.00 USD", "50 of 61", "next session"):  # fmt: skip
        assert words in text, words
    write_state(state / STATE_FILE, trader_state(kill="stop", halts=(HaltState("peak_halt", "", BEGIN, BEGIN),)))
    text = said(capsys, "status", "--state-dir", state)
    assert "Halt: peak_halt, until Mon 2024-03-04 10:30" in text and "Kill switch: stop" in text
    assert "today: nothing (peak_halt; kill switch: stop)" in text
    found = json.loads(said(capsys, "status", "--state-dir", state, "--json"))
    assert (found["lost_at_stops"], found["today"]["usd"], found["kill"]) == (325.0, 0.0, "stop")
    write_state(state / STATE_FILE, trader_state())


def test_a_day_s_result_that_rounds_to_zero_has_no_sign(capsys, tmp_path):
    small_folder(tmp_path / "state")
    write_state(tmp_path / "state" / STATE_FILE, trader_state(session_open_equity=105_000.08))
    assert ", today -0.08 (0.00%)" in said(capsys, "status", "--state-dir", tmp_path / "state")


def test_where_nothing_has_a_stop_no_loss_at_stops_is_told(capsys, tmp_path):
    (ours,) = trader_state().positions
    small_folder(tmp_path / "state")
    write_state(tmp_path / "state" / STATE_FILE, trader_state(positions=(replace(ours, protected=0.0),)))
    text = said(capsys, "status", "--state-dir", tmp_path / "state")
    assert "No position has a stop." in text and "If all stops fire" not in text and "Without a stop: " in text


def test_shares_by_hand_beside_ours_have_a_line_of_their_own(capsys, tmp_path):
    (ours,) = trader_state().positions
    theirs = replace(ours, quantity=30.0, protected=0.0, stop=None, target=None, initial_stop=None, owner="manual")
    small_folder(tmp_path / "state")
    write_state(tmp_path / "state" / STATE_FILE, trader_state(positions=(replace(ours, protected=61.0), theirs)))
    text = said(capsys, "status", "--state-dir", tmp_path / "state")
    assert "AMD by hand" in text and "0 of 30" in text and "Without a stop: 5,040.00 USD in AMD" in text
    assert "AMD by hand" in said(capsys, "whatif", "--market", "-10%", "--state-dir", tmp_path / "state")


def test_what_a_trader_that_is_gone_said_of_stops_has_its_time(capsys, tmp_path):
    small_folder(tmp_path / "state")
    path, gone = tmp_path / "state" / STATE_FILE, datetime.now(UTC) - timedelta(hours=1)
    write_state(path, trader_state(written=gone, last_look=gone - timedelta(seconds=90), busy=True))
    text = said(capsys, "status", "--state-dir", path.parent)
    assert "protected at 10:28:30" in text
    assert "the last look at the broker showed them, 10:28:30; an entry or a close was under way" in text
    write_state(path, trader_state())
    assert "protected at" not in said(capsys, "status", "--state-dir", path.parent)
    for resting, words in ((0, "no order stays"), (1, "1 order stays at the broker"), (3, "3 orders stay at")):
        write_state(path, trader_state(ended="the trader was ended", resting=resting))
        assert words in said(capsys, "status", "--state-dir", path.parent)


def test_a_trader_that_is_gone_says_when_it_held_nothing_and_who_knows_now(capsys, tmp_path):
    small_folder(tmp_path / "state")
    path, gone = tmp_path / "state" / STATE_FILE, datetime.now(UTC) - timedelta(hours=1)
    empty = trader_state(written=gone, last_look=gone - timedelta(seconds=90), busy=True, positions=(), unprotected={})
    write_state(path, empty)
    text = said(capsys, "status", "--state-dir", path.parent)
    assert "Nothing is held" not in text
    assert "Nothing was held at the last look at the broker, 10:28:30; an entry or a close was under way" in text
    assert "the broker may hold something else by now, risk-first positions asks it" in text
    write_state(path, replace(empty, last_look=None))
    assert "Whether something is held is not known" in said(capsys, "status", "--state-dir", path.parent)
    write_state(path, replace(empty, ended="the trader was ended"))
    assert "by now" not in said(capsys, "status", "--state-dir", path.parent)
    write_state(path, trader_state(positions=(), unprotected={}))
    assert "Nothing is held." in said(capsys, "status", "--state-dir", path.parent)


def test_shares_that_are_not_counted_yet_are_named_and_not_nothing(capsys, tmp_path):
    small_folder(tmp_path / "state")
    path, since = tmp_path / "state" / STATE_FILE, datetime(2013, 1, 2, 15, 31, 20, tzinfo=UTC)
    more = (DifferenceState("AMD", 5.0, since),)
    told = "Difference: AMD: 5 shares more at the broker than in the books since 10:31:20, not yet counted"
    write_state(path, trader_state(differences=more))
    assert told in said(capsys, "status", "--state-dir", path.parent)
    assert told.removeprefix("Difference: ") in said(capsys, "explain", "AMD", "--state-dir", path.parent)
    document = json.loads(said(capsys, "status", "--json", "--state-dir", path.parent))
    assert document["differences"] == [{"symbol": "AMD", "quantity": 5.0, "since": "2013-01-02T15:31:20+00:00"}]
    write_state(path, trader_state(differences=more, positions=(), unprotected={}))
    text = said(capsys, "status", "--state-dir", path.parent)
    assert "The books hold nothing; what the broker shows is not counted yet" in text and "Nothing is held" not in text
    gone = datetime.now(UTC) - timedelta(hours=1)
    write_state(path, trader_state(written=gone, last_look=gone, differences=more, positions=(), unprotected={}))
    text = said(capsys, "status", "--state-dir", path.parent)
    assert told in text and "Nothing was held" not in text
    assert "The books held nothing, and not all was counted, at the last look at the broker" in text


def test_a_sale_that_waits_is_named(capsys, tmp_path):
    small_folder(tmp_path / "state")
    state = tmp_path / "state"
    write_state(state / STATE_FILE, trader_state(closing={"AMD": "sell 61 at market waits at the broker"}))
    assert "Being closed: AMD: sell 61 at market waits at the broker" in said(capsys, "status", "--state-dir", state)


def test_the_way_back_that_status_names_is_one(capsys, tmp_path):
    small_folder(tmp_path / "state")
    write_state(tmp_path / "state" / STATE_FILE, trader_state(kill="stop"))
    text = said(capsys, "status", "--state-dir", tmp_path / "state")
    found = re.search(r"risk-first (kill \w+)", text)
    assert found
    assert said(capsys, *found[1].split(), "--state-dir", tmp_path / "state")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["status", "--state-dir", "nowhere"], "no trader has written here"),
        (["status", "--watch", "--json"], "give one of them"),
        (["whatif"], "needs a shock"),
        (["whatif", "--market", "-10"], "write a percentage above -100%"),
        (["whatif", "--market", "much"], "is no move"),
        (["whatif", "--shock", "none"], "there are black_monday_1987"),
        (["whatif", "--shock", "pandemic_2020", "--market", "-1%"], "give one of them"),
        (["whatif", "--sector", "semis"], "write NAME=-20%"),
        (["whatif", "--sector", "foo=-20%"], "--sector foo: is not known; held in is semis"),
        (["whatif", "--sector", "Semi=-20%"], "--sector Semi: is not known; did you mean semis?"),
        (["whatif", "--symbol", "qwertz=-20%"], "--symbol QWERTZ: is not known; held is AMD"),
        (["whatif", "--symbol", "NVDAA=-20%"], "--symbol NVDAA: is not known; did you mean NVDA?"),
        (["explain", "AAPL", "--at", "then"], "is no time"),
        (["explain", "2024-03-04", "--at", "2024-03-05"], "give one of them"),
        (["explain", "AAPL", "--data", "x"], "is read with --run only"),
        (["dashboard", "--host", "0.0.0.0"], "for this machine alone"),
        (["dashboard", "--state-dir", "nowhere"], "there is no journal"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(state, capsys, argv, words):
    place = [] if "--state-dir" in argv else ["--state-dir", state]
    text = said(capsys, *argv, *place, status=2)
    assert words in text and "Traceback" not in text and text.count("\n") == 1


def test_whatif_tells_exits_and_halts(state, capsys):
    text = said(capsys, "whatif", "--market", "-10%", "--state-dir", state)
    assert "Exits that fire: AMD (stop, 50 of 61)" in text and "Halts that begin: none" in text
    assert "Halts that begin: drawdown_halt" in said(capsys, "whatif", "--market", "-50%", "--state-dir", state)
    found = json.loads(said(capsys, "whatif", "--symbol", "AMD=-50%", "--state-dir", state, "--json"))
    assert found["positions"][0]["moved"] == -0.5 and found["fired"] == ["AMD"]
    assert "pandemic_2020: market -11.98%" in said(capsys, "whatif", "--shock", "list")


def test_whatif_says_which_moves_meet_nothing_that_is_held(state, capsys):
    moves = ["whatif", "--symbol", "NVDA=-20%", "--sector", "crypto_adjacent=-30%", "--state-dir", state]
    text = said(capsys, *moves)
    assert text.startswith(
        "NVDA is not held, so its move changes nothing\n"
        "nothing is held in the sector crypto_adjacent, so its move changes nothing\n"
    )
    assert len(json.loads(said(capsys, *moves, "--json"))["moves_nothing"]) == 2
    # A named shock moves sectors of its own.
    named = ["whatif", "--shock", "crypto_rout", "--symbol", "AMD=-20%", "--state-dir", state]
    assert "changes nothing" not in said(capsys, *named)


def test_explain_is_short_unless_all_is_asked_for(state, capsys):
    short = said(capsys, "explain", "MARA", "--state-dir", state)
    assert "decided by sector_cap: SECTOR_CAP: crypto_adjacent 3/3" in short
    assert "it would take: a position of crypto_adjacent has to be closed" in short and "read " not in short
    assert "read sector crypto_adjacent" in said(capsys, "explain", "MARA", "--state-dir", state, "--all")
    nothing = said(capsys, "explain", "PLTR", "--state-dir", state)
    assert "nothing proposed, mean_reversion: RSI(14) 47.2, needs below 30" in nothing
    assert "the largest size allowed at that moment: 410, bound by equity_sizer: notional" in nothing
    then = said(capsys, "explain", "2024-03-04T11:00", "--state-dir", state)
    assert then.count("refused:") == 3 and "PLTR nothing proposed" in then
    found = json.loads(said(capsys, "explain", "MU", "--state-dir", state, "--json"))
    assert found["stories"][0]["unlocks"].startswith("2024-03-05T09:30")
    for text in (short, nothing, then):
        assert ACCOUNT not in text


def test_a_token_file_is_kept_and_private(tmp_path):
    path = tmp_path / "page.token"
    token = kept_token(path)
    assert kept_token(path) == token and path.stat().st_mode & 0o077 == 0
    path.chmod(0o644)
    with pytest.raises(Refusal, match="chmod 600"):
        kept_token(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(Refusal, match="delete it for a new one"):
        kept_token(path)


def test_the_page_is_a_process_of_its_own_without_a_key_that_ends_when_told(state, tmp_path):
    planted = {"ALPACA_API_KEY": "PKPLANTEDKEY00000000", "ALPACA_API_SECRET": "planted-secret-of-the-account-000000000"}
    argv = [
        sys.executable,
        "-m",
        "commands",
        "dashboard",
        "--state-dir",
        str(state),
        "--port",
        "0",
        "--runs",
        str(tmp_path),
    ]
    process = subprocess.Popen(
        argv, cwd=ROOT, env={**os.environ, **planted, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        token = address.partition("token=")[2]
        asked = urllib.request.Request(address.partition("?")[0], headers={"Authorization": f"Bearer {token}"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=20) as answer:
            assert "AMD" in answer.read().decode()
        environment = Path(f"/proc/{process.pid}/environ")
        if environment.exists():
            assert b"lanted" not in environment.read_bytes().replace(b"PLANTED", b"planted")
            memory = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
            assert memory and int(memory[1]) < 60_000
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


@pytest.mark.parametrize("command", ["positions", "reconcile", "size --entry 10 --stop 9", "cleanup --broker alpaca"])
def test_what_asks_the_broker_says_what_works_beside_a_rehearse_run(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run" / "state").mkdir(parents=True)
    (tmp_path / "run" / "run.json").write_text('{"mode": "rehearse"}')
    told = said(capsys, *command.split(), "--state-dir", "run/state", status=2)
    assert told.startswith("run/state: is the state of a rehearse run")
    assert "status, explain, whatif, scoreboard, dashboard and kill work beside it, with --state-dir run/state" in told
    assert "start python -m brokers.rehearsal, and trade --paper" in told
    kraken = command.replace("alpaca", "kraken") if "--broker" in command else f"{command} --venue kraken"
    told = said(capsys, *kraken.split(), "--state-dir", "run/state", status=2)
    assert told.rstrip().endswith("kill work beside it, with --state-dir run/state")
    if not command.startswith("cleanup"):
        told = said(capsys, *command.split(), status=2)
        assert told.startswith("Alpaca keys are missing: set ALPACA_API_KEY and ALPACA_API_SECRET in the environment; ")
        assert "work beside it, with --state-dir RUN/state" in told
