"""Secrets planted in every input, in every spelling: no command says them, and no file of a run or a state holds them.

Covered elsewhere: the log, the screen and notices of a running trader (``tests/brokers/reporting``,
``tests/brokers/desk/test_telling.py``), the page (``tests/dashboard``), answers to assistants
(``tests/commands/service/test_mcp.py``), and a venue that echoes the keys (``tests/hostile``).
"""

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.app import main
from config.values.masker import Masker
from config.values.secrets import Secrets
from tests.secrets.spellings import echoes, readable

KEY, SECRET = "PKPLANTEDKEY00000000", "planted/secret+of=the~account&0001"
KRAKEN = "krakenKEY/planted+0000000000000000000000000000", base64.b64encode(b"planted kraken secret " * 3).decode()
PASSWORD, TOKEN = "pass/word@planted:01", "110201543:AAplantedCH1vGWJxfSeofSAs0K5PALDsaw"
DATABASE = "postgresql://trader:pass%2Fword%40planted%3A01@127.0.0.1:9/journal"
NOTIFY = f"tgram://{TOKEN}/12345 json://user:{'planted-password-of-a-hook'}@127.0.0.1:9/hook"
PLANTED = (KEY, SECRET, *KRAKEN, PASSWORD, TOKEN, "planted-password-of-a-hook")
ENVIRONMENT = {
    "ALPACA_API_KEY": KEY, "ALPACA_API_SECRET": SECRET, "KRAKEN_API_KEY": KRAKEN[0], "KRAKEN_API_SECRET": KRAKEN[1],
    "NOTIFY_URLS": NOTIFY,
}  # fmt: skip


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the keys that it was told, in every spelling."""

    def do_GET(self) -> None:
        said = " ".join([*(form for secret in (KEY, SECRET) for form in echoes(secret)), str(self.headers), self.path])
        body = json.dumps({"code": 40310000, "message": said, "error": [said]}).encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  # http.server's name

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def echo() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def nothing_is_said(here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> tuple[int, str]:
    status = main(arguments)
    said = "".join(capsys.readouterr())
    written = {path: path.read_bytes().decode("latin-1") for path in here.rglob("*") if path.is_file()}
    given = {here / "keys.env", here / "own.yaml"}
    for text in [said, *map(str, written), *(text for path, text in written.items() if path not in given)]:
        assert readable(text, *PLANTED) == [], arguments
    return status, said


WITHOUT_VENUE = (
    ["show-config"], ["show-config", "--json"], ["notify"], ["kill", "stop"], ["kill", "status", "--json"], ["status"],
    ["explain", "AAPL"], ["verify"], ["export", "bundle"], ["whatif"], ["scoreboard"], ["monitor", "1"],
    ["size", "AAPL", "--price", "100"], ["data", "show", f"{SECRET}.csv"], ["banana", SECRET],
    ["backtest", "--symbols", SECRET], ["show-config", "--set", f"broker.alpaca.secret={SECRET}"],
    ["show-config", "--set", f"account.budget_usd=postgresql:trader:{PASSWORD}"],
    ["show-config", "--config", f"{SECRET}.yaml"], ["backtest", "--data", f"postgresql:trader:{PASSWORD}@host/x"],
)  # fmt: skip


@pytest.mark.parametrize("arguments", WITHOUT_VENUE, ids=lambda a: " ".join(a)[:24])
def test_no_command_says_a_secret(here, capsys, monkeypatch, arguments):
    # What somebody types is their own to see again, unless it is a setting that holds a secret or an address.
    typed = SECRET in " ".join(arguments)
    if typed:
        monkeypatch.delenv("ALPACA_API_SECRET")
        global_planted = tuple(secret for secret in PLANTED if secret != SECRET)
        main(arguments)
        said = "".join(capsys.readouterr())
        assert readable(said, *global_planted) == []
        if "secret=" in " ".join(arguments):
            assert readable(said, SECRET) == []
        return
    nothing_is_said(here, capsys, arguments)


@pytest.mark.parametrize(
    "url",
    [DATABASE, f"postgresql:trader:{PASSWORD}", f"postgres:/trader:{PASSWORD}@127.0.0.1/x",
     f"trader:{PASSWORD}@127.0.0.1",
     f"mysql://trader:{PASSWORD}@127.0.0.1/x", f"postgresql://trader:{PASSWORD}@127.0.0.1:9/x?sslmode=disable"],
)  # fmt: skip
@pytest.mark.parametrize("command", [["verify"], ["status"], ["doctor"], ["explain", "AAPL"]], ids=lambda a: a[0])
def test_no_address_of_a_database_is_said_or_becomes_a_file(here, capsys, monkeypatch, echo, url, command):
    monkeypatch.setenv("DATABASE_URL", url)
    more = ["--alpaca-url", echo] if command == ["doctor"] else []
    status, _ = nothing_is_said(here, capsys, [*command, *more])
    assert status in (0, 1, 2)


@pytest.mark.parametrize(
    "command",
    [["doctor"], ["doctor", "--json", "--verbose"], ["positions"], ["reconcile"], ["cleanup"], ["feasibility"],
     ["trade", "--paper", "--scan"], ["once"]],
    ids=" ".join,
)  # fmt: skip
def test_a_venue_that_echoes_the_keys_is_repeated_by_nobody(here, capsys, echo, command):
    status, said = nothing_is_said(here, capsys, [*command, "--alpaca-url", echo])
    assert status in (1, 2) and said.strip()


def test_keys_in_a_file_are_read_and_said_by_nobody(here, capsys, monkeypatch, echo):
    for name in ENVIRONMENT:
        monkeypatch.delenv(name)
    file = here / "keys.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in ENVIRONMENT.items()))
    file.chmod(0o600)
    status, said = nothing_is_said(here, capsys, ["doctor", "--dotenv", str(file), "--alpaca-url", echo])
    assert status == 1 and "keys" in said


@pytest.mark.slow
def test_a_backtest_leaves_no_secret_in_its_files(here, capsys):
    arguments = ["backtest", "--start", "2020-01-02", "--end", "2020-02-28", "--out", "run", "--profile", "swing"]
    status, _ = nothing_is_said(here, capsys, arguments)
    assert status == 0 and len(list((here / "run").iterdir())) >= 8


def test_the_masker_knows_every_spelling(monkeypatch):
    secrets = Secrets.from_environment({**ENVIRONMENT, "DATABASE_URL": DATABASE})
    masker = Masker.of(secrets)
    for secret in PLANTED:
        for form in echoes(secret):
            for text in (form, f"x{form}y", f'"{form}"', f"http://{form}@host", f"{form}\n"):
                assert readable(masker.line(text), secret) == [], (secret, text)
