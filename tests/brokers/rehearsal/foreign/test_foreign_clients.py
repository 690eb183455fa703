"""Clients that were not written for this exchange trade on it, each in an environment of its own.

They are installed beforehand, see :mod:`tests.brokers.rehearsal.foreign.environments`; alpaca-py is here already.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from brokers.rehearsal.alpaca.server import RehearsalServer
from tests.brokers.rehearsal.foreign.environments import node_client, python_client
from tests.brokers.rehearsal.market import START, bars

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent


@pytest.fixture
def server() -> Iterator[RehearsalServer]:
    """A clock that runs 30 times as fast, so that prices move every few seconds."""
    with RehearsalServer(bars(), start=START, speed=30, skip_nights=False) as running:
        yield running


def play(server: RehearsalServer, command: Sequence[str | Path], where: Path | None = None) -> dict[str, Any]:
    done = subprocess.run(
        [*command, server.url, server.key, server.secret],
        cwd=where,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert (seen["account"], seen["open"]) == ("ACTIVE", True)
    assert (seen["bought"], seen["position"], seen["replaced"]) == ("filled", "10", True)
    assert {"new", "fill", "replaced", "canceled"} <= set(seen["updates"])
    assert all(request.status is not None and request.status < 500 for request in server.log)
    # Nobody had to come back: each client keeps the connection it made.
    assert server.unauthorized == 0
    return seen


def test_alpaca_py(server: RehearsalServer) -> None:
    seen = play(server, [sys.executable, HERE / "alpaca_py_client.py"])
    assert (seen["oco"], seen["intent"], seen["listed"]) == (["oco", 1], "buy_to_open", 1)
    assert (seen["bars"], seen["trades"], seen["quotes"]) == ([1, 7], 312, 312)
    assert (seen["history"], seen["calendar"], seen["stream"]) == ("1H", 2, ["AAPL"])


def test_alpaca_trade_api_for_python(server: RehearsalServer) -> None:
    """Which writes ``ws://…/stream/`` with a slash."""
    seen = play(server, [python_client(), HERE / "alpaca_trade_api_client.py"])
    assert seen["oco"] == ["oco", 1]
    assert (seen["bars"], seen["trades"]) == ([1, 7], 312)
    assert (seen["history"], seen["calendar"], seen["stream"]) == ("1H", 3, ["AAPL"])
    assert seen["assets"] == ["AAPL", "MSFT"]
    assert seen["missing"] == "position does not exist"


def test_alpaca_trade_api_for_node(server: RehearsalServer) -> None:
    where = node_client()
    (where / "client.js").write_text((HERE / "alpaca_trade_api_client.js").read_text())
    assert play(server, ["node", "client.js"], where)["bars"] == 1
