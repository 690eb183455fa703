"""A trader whose every input holds secrets: none can be read in what it says, writes, sends, shows and leaves."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mcp.shared.memory import create_connected_server_and_client_session

from commands.app import main
from commands.service.mcp_server import TraderTools, server_of
from config.values.masker import Masker
from tests.dashboard.serving import served
from tests.live_venue import ROOT, SYMBOLS, venue, wait_until
from tests.secrets.echoing_venue import echoing
from tests.secrets.spellings import echoes, readable

KRAKEN = ("krakenKEY/planted+0000000000000000000000000000", "a2Frcm/secret+planted0000000000000000000000000000==")
HOOK, TOKEN, PROXY = "planted-password-of-a-hook", "110201543:AAplantedCH1vGWJxfSeofSAs0K5PALDsaw", "proxy-planted-1"
PAGES = (
    "/", "/symbols", "/symbol/AAPL", "/decisions", "/decision/1", "/orders", "/reports", "/scoreboard", "/equity.json",
    "/candles/AAPL", "/metrics",
)  # fmt: skip
COMMANDS = (
    ["status"], ["status", "--json"], ["explain", "AAPL", "--all"], ["explain", "AAPL", "--json"], ["scoreboard"],
    ["whatif", "--market", "-0.1"], ["shock", "--out", "shock.html"], ["kill", "status"], ["notify"],
    ["show-config", "--json"], ["verify"], ["export", "bundle"],
)  # fmt: skip


@contextmanager
def notices() -> Iterator[tuple[str, list[str]]]:
    """Takes notifications; its address holds a password, which is sent to it and to nobody else."""
    taken: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"json://owner:{HOOK}@127.0.0.1:{server.server_port}/", taken
    server.shutdown()


def answers_to_an_assistant(state: Path, masker: Masker) -> str:
    asked = [("status", {}), ("positions", {}), ("explain", {"wanted": "AAPL"}), ("decisions", {}), ("trades", {}),
             ("scoreboard", {}), ("whatif", {"market": -0.1})]  # fmt: skip

    async def talk() -> str:
        server = server_of(TraderTools(state, state / "journal.sqlite3", masker))
        async with create_connected_server_and_client_session(server._mcp_server) as session:
            answers = [await session.call_tool(name, arguments) for name, arguments in asked]
        assert not any(answer.isError for answer in answers), answers
        return "".join(part.text for answer in answers for part in answer.content)

    return asyncio.run(asyncio.wait_for(talk(), 60))


def planted_in(texts: dict[str, str], secrets: dict[str, str]) -> list[str]:
    """Which secret can be read where, and how it is spelled there."""
    return [
        f"{origin} in {place}: {form}"
        for place, text in texts.items()
        for origin, secret in secrets.items()
        for form in readable(f"{place}\n{text}", secret)
    ]


@pytest.mark.slow
def test_no_output_of_a_trader_holds_a_secret(tmp_path, capsys, monkeypatch):
    state = tmp_path / "state"
    with notices() as (hook, taken), venue() as server:
        secrets = {
            "ALPACA_API_KEY": server.key, "ALPACA_API_SECRET": server.secret, "KRAKEN_API_KEY": KRAKEN[0],
            "KRAKEN_API_SECRET": KRAKEN[1], "NOTIFY_URLS": HOOK, "NOTIFY_URLS, a token": TOKEN, "HTTPS_PROXY": PROXY,
        }  # fmt: skip
        words = [form for secret in secrets.values() for form in sorted(echoes(secret))]
        # The account's keys lie in a file, the others in the environment.
        file = {name: secrets[name] for name in ("ALPACA_API_KEY", "ALPACA_API_SECRET")}
        (tmp_path / "keys.env").write_text("".join(f"{name}='{value}'\n" for name, value in file.items()))
        (tmp_path / "keys.env").chmod(0o600)
        environment = {name: secrets[name] for name in ("KRAKEN_API_KEY", "KRAKEN_API_SECRET")}
        environment |= {"NOTIFY_URLS": f"{hook} tgram://{TOKEN}/12345"}
        environment |= {"HTTPS_PROXY": f"http://user:{PROXY}@127.0.0.1:9"}
        with echoing(int(server.url.rpartition(":")[2]), words) as (url, met):
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "live_trader.py"), "--strategy", "combined", "--paper", "--verbose",
                 "--alpaca-url", url, "--sleeptime", "6S", "--set", "market=24/7", "--set", "pace.bars=5",
                 "--set", "live.yahoo=false", "--set", "gate.max_order_notional_frac=0.5",
                 "--symbols", ",".join(SYMBOLS), "--benchmark", "KO", "--out", "run", "--dotenv", "keys.env"],
                cwd=tmp_path, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environment},
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            try:
                wait_until(lambda: server.call(lambda exchange: exchange.positions()) or process.poll() is not None)
                wait_until(lambda: met["refused streams"] > 2 or process.poll() is not None)
            finally:
                process.send_signal(signal.SIGTERM)
                out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
    assert met["refused orders"] > 1 and met["errors"] > 2 and met["refused streams"] > 2, met
    texts = {"stdout": out, "stderr": err, "notifications": "\n".join(taken)}
    monkeypatch.chdir(tmp_path)
    for name, value in {**environment, **file}.items():
        monkeypatch.setenv(name, value)
    for arguments in COMMANDS:
        capsys.readouterr()
        status = main(list(arguments))
        texts[" ".join(arguments)] = "".join(capsys.readouterr())
        assert status == 0, texts[" ".join(arguments)]
    with served(state, tmp_path) as page:
        for path in (*PAGES, "/report/run/report.html"):
            answer = page.get(path)
            texts[path] = f"{answer.status} {json.dumps(answer.headers)} {answer.text}"
    # Both without a key of their own: whatever the trader left unmasked would be read here.
    texts["assistant"] = answers_to_an_assistant(state, Masker())
    for place in tmp_path.rglob("*"):
        if place.is_file() and place.name != "keys.env":
            texts[str(place.relative_to(tmp_path))] = place.read_bytes().decode("latin-1")
    assert planted_in(texts, secrets) == []
    # What was looked through is what there is: every kind of output is there, and holds something.
    there = {"stdout", "notifications", "state/log/trader.jsonl", "state/journal.sqlite3", "state/trader.json",
             "run/summary.json", "run/orders.csv", "run/decisions.jsonl", "bundle/rows.jsonl", "assistant",
             "/metrics", "shock.html"}  # fmt: skip
    assert all(texts.get(name, "").strip() for name in there), there - texts.keys()
    assert "********" in texts["state/log/trader.jsonl"] and "********" in texts["bundle/rows.jsonl"]
    assert len(texts) * len(secrets) > 250
