"""An assistant over stdio: it may ask, it cannot trade, and what it is told holds no secret."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.memory import create_connected_server_and_client_session

from brokers.journal import Journal
from commands.service.mcp_server import TraderTools, server_of
from config import load
from config.values.masker import Masker
from monitoring.state import STATE_FILE, PositionState, TraderState, write_state
from risk.model import BracketTerms, Decision, Plan, Proposal, Verdict

ROOT = Path(__file__).parents[3]
TOOLS = ["decisions", "explain", "positions", "scoreboard", "status", "trades", "whatif"]
TIME = datetime(2024, 3, 5, 15, 30, tzinfo=UTC)
PLANTED = "planted-key-0123456789"
SENDERS = (
    "lumibot", "alpaca", "ccxt", "brokers.alpaca", "brokers.lumibot", "brokers.venues", "brokers.network.admission",
    "brokers.desk.execution", "brokers.desk.core", "brokers.desk.desk", "brokers.operator.cleanup",
)  # fmt: skip
"""What can bring an order to a venue, and what makes it."""


@pytest.fixture
def folder(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    proposal = Proposal(
        symbol="AAPL", side="buy", signal="trend", score=80.0, price=100.0, atr=2.0, stop=96.0, target=110.0,
        terms=BracketTerms("buy"), quantity=10.0, reason=f"because of {PLANTED}",
    )  # fmt: skip
    refusal = Decision(TIME, proposal, 10, (Verdict("sector_cap", "SECTOR_CAP: mega_tech 0.67 > 0.40", 10, 0, {}),))
    with Journal(state / "journal.sqlite3", "account", lambda: TIME) as journal:
        journal.begin_run("paper", "combined", "active", "hash")
        journal.decisions(Plan(TIME, decisions=(refusal,)))
    position = PositionState(
        symbol="MSFT", quantity=10.0, entry_price=100.0, price=101.0, stop=95.0, target=115.0, initial_stop=95.0,
        protected=10.0, entry_time=TIME, sector="mega_tech", role="entry", signal="trend", owner="ours", fees=0.0,
    )  # fmt: skip
    now = datetime.now(UTC)
    trader = TraderState(
        written=now, time=TIME, started=now, beat_s=2.0, pace_s=60.0, speed=1.0, mode="paper", profile="active",
        strategy="combined", pid=1, equity=100_000.0, cash=99_000.0, session_open_equity=99_500.0,
        positions=(position,), settings=load().as_dict(), book_time=TIME, last_look=now, last_iteration=now,
        free_cash=99_000.0, equity_peak=100_000.0,
    )  # fmt: skip
    write_state(state / STATE_FILE, trader)
    return state


def ask(folder, *questions, environment=None):
    """Call tools over stdio with the library's own client; returns the names of all tools and the answers."""

    async def talk():
        parameters = StdioServerParameters(
            command=sys.executable,
            args=["-m", "commands", "mcp", "--state-dir", str(folder)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **(environment or {})},
        )
        async with stdio_client(parameters) as streams, ClientSession(*streams) as session:
            await session.initialize()
            tools = (await session.list_tools()).tools
            return tools, [await session.call_tool(name, arguments) for name, arguments in questions]

    return asyncio.run(asyncio.wait_for(talk(), 60))


def test_an_assistant_asks_everything_and_can_send_nothing(folder):
    questions = [
        ("status", {}), ("positions", {}), ("explain", {"wanted": "aapl"}), ("decisions", {"outcome": "refused"}),
        ("trades", {}), ("scoreboard", {}), ("whatif", {"market": -0.1}), ("whatif", {}),
        ("decisions", {"outcome": "not sent"}),
    ]  # fmt: skip
    tools, answers = ask(folder, *questions, environment={"ALPACA_API_SECRET": PLANTED})
    assert sorted(tool.name for tool in tools) == TOOLS
    assert all(tool.annotations.readOnlyHint and not tool.annotations.destructiveHint for tool in tools)
    texts = [answer.content[0].text for answer in answers]
    assert [answer.isError for answer in answers] == [False] * 7 + [True, False], texts
    status, positions, explained, decisions, trades, board, after = map(json.loads, texts[:7])
    assert status["equity"] == 100_000.0
    assert positions["positions"][0]["symbol"] == "MSFT"
    assert explained["decisions"][0]["bound_by"] == decisions["decisions"][0]["bound_by"] == "sector_cap"
    assert explained["decisions"][0]["what_would_have_to_change"]
    assert trades == {"trades": []}
    assert board["total"]
    assert after["fired"] == ["MSFT"]
    assert "give market or shock" in texts[7]
    assert json.loads(texts[8]) == {"decisions": []}
    assert PLANTED not in "".join(texts)
    assert "********" in texts[3]


def test_the_process_has_no_sender(folder):
    """Every tool is used in a fresh process, then its modules are looked at."""
    script = f"""
import sys
from pathlib import Path
from config.values.masker import Masker
from commands.service.mcp import mcp
from commands.service.mcp_server import TraderTools, server_of
folder = Path({str(folder)!r})
tools = TraderTools(folder, folder / "journal.sqlite3", Masker([]))
server_of(tools)
tools.status(), tools.positions(), tools.explain("AAPL"), tools.decisions(), tools.trades(), tools.scoreboard()
tools.whatif(market=-0.1)
senders = {SENDERS!r}
print([name for name in sys.modules if any(name == s or name.startswith(s + ".") for s in senders)])
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def ask_here(folder, name, arguments):
    """One question in this process."""

    async def talk():
        server = server_of(TraderTools(folder, folder / "journal.sqlite3", Masker([])))
        async with create_connected_server_and_client_session(server._mcp_server) as session:
            return await session.call_tool(name, arguments)

    return asyncio.run(asyncio.wait_for(talk(), 30))


@pytest.mark.parametrize("arguments", [{"wanted": "x" * 200}, {"wanted": "AAPL", "limit": 10_000}])
def test_what_is_out_of_bounds_is_refused(folder, arguments):
    assert ask_here(folder, "explain", arguments).isError


def test_without_a_trader_the_sentence_says_where_to_look(tmp_path):
    answer = ask_here(tmp_path, "status", {})
    assert answer.isError
    assert "name its state folder with --state-dir" in answer.content[0].text
