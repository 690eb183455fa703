"""``python -m brokers.rehearsal``: what it says, what it refuses, how it ends."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest
from alpaca.trading.client import TradingClient

from brokers.rehearsal.__main__ import EMBEDDED, _parser, _server, _told, main
from config.errors import Refusal
from tests.brokers.rehearsal.market import served


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--speed", "fast"], "--speed"),
        (["--speed", "inf"], "--speed"),
        (["--sessions", "0"], "--sessions"),
        (["--sessions", "1.5"], "--sessions"),
        (["--start", "soon"], "--start"),
        (["--start", "2099-01-01"], "2099-01-01"),
        (["--cash", "-5"], "--cash"),
        (["--partial-fills", "2"], "--partial-fills"),
        (["--port", "70000"], "--port"),
        (["--host", "nowhere"], "--host"),
        (["--key", ""], "--key"),
        (["--data", "missing.parquet"], "missing.parquet"),
        (["--symbols", "NONE"], "NONE"),
        (["--sped", "1"], "--sped"),
        (["--as-of", "soon"], "--as-of"),
        (["--fault", "banana=1"], "--fault"),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert named in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_a_taken_port_is_refused() -> None:
    with served() as server:
        port = int(server.url.rsplit(":", 1)[1])
        with pytest.raises(Refusal, match="--port"):
            served(port=port).start()


def test_the_command_serves_until_it_is_told_to_end() -> None:
    assert EMBEDDED.is_file()
    command = [
        sys.executable,
        "-m",
        "brokers.rehearsal",
        "--speed",
        "60",
        "--key",
        "REHEARSAL-KEY",
        "--secret",
        "hidden",
    ]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    line = child.stdout.readline()
    assert "http://127.0.0.1:" in line
    assert "hidden" not in line
    client = trading_at(line.split("rehearsal at ")[1].split(",")[0])
    assert client.get_account().cash == "100000"
    child.terminate()
    out, err = child.communicate(timeout=20)
    assert (child.returncode, out, err) == (0, "", "")


def test_new_keys_are_told_once_and_open_the_account_as_of_today() -> None:
    given = _parser().parse_args(["--speed", "60", "--as-of", "today", "--symbols", "AAPL"])
    with _server(given) as server:
        line, command = _told(server, given).splitlines()
        assert command.endswith(f"risk-first trade --paper --alpaca-url {server.url} --set pace.speed=60")
        key, secret = line.split("the key ")[1].split(" and the secret ")
        client: Any = TradingClient(key, secret.strip(), url_override=server.url)
        assert client.get_account().cash == "100000"
        clock = client.get_clock()
        assert clock.timestamp.date() >= datetime.now(clock.timestamp.tzinfo).date()


def trading_at(url: str) -> Any:
    return TradingClient("REHEARSAL-KEY", "hidden", url_override=url)
