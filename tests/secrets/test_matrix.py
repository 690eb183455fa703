"""Secrets planted in arguments, settings, files, rows of a journal and errors: looked for in all that comes of them.

A trader's own inputs and outputs are in ``test_trader.py``, single commands in ``test_planted.py``.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest

from commands.app import main
from commands.screen import write_out
from config import load
from config.errors import Refusal
from config.process import secret_guard
from config.process.secret_guard import MaskedOutput, without_known
from config.values.known_secrets import DATABASE, KEYS, NOTIFICATIONS
from config.values.secrets import Secrets
from monitoring.state import JOURNAL_FILE, STATE_FILE, HaltState, write_state
from tests.live_venue import ROOT
from tests.monitoring.journals import small_folder, trader_state
from tests.secrets.spellings import echoes, readable

SECRETS = {
    "ALPACA_API_KEY": "PKPLANTEDKEY00000000", "ALPACA_API_SECRET": "planted/secret+of=the~account&0001",
    "KRAKEN_API_KEY": "krakenKEY/planted+0000000000000000000000000000",
    "KRAKEN_API_SECRET": "a2Frcm/secret+planted0000000000000000000000000000==",
    "NOTIFY_URLS": "110201543:AAplantedCH1vGWJxfSeofSAs0K5PALDsaw", "HTTPS_PROXY": "proxy-planted-0001",
}  # fmt: skip
ENVIRONMENT = SECRETS | {
    "NOTIFY_URLS": f"tgram://{SECRETS['NOTIFY_URLS']}/12345", "HTTPS_PROXY": f"http://me:{SECRETS['HTTPS_PROXY']}@h:1",
}  # fmt: skip
DATABASE_PASSWORD = "planted-word/of@a:database"  # planted, to be searched for
TOLD_APART = tuple(name for name in SECRETS if name != "HTTPS_PROXY")
WORDS = " ".join(sorted({form for secret in SECRETS.values() for form in echoes(secret)}))


@pytest.fixture
def here(tmp_path, monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys, *arguments: str) -> tuple[int, str]:
    """Status and everything that was said, in which nothing planted can be read."""
    status = main(list(arguments))
    said = "".join(capsys.readouterr())
    assert readable(said, *SECRETS.values(), DATABASE_PASSWORD) == [], arguments
    return status, said


def test_the_variables_that_are_looked_at_are_those_of_the_secrets():
    assert {*KEYS, DATABASE, NOTIFICATIONS} == set(Secrets.model_fields)


@pytest.mark.parametrize("name", TOLD_APART)
@pytest.mark.parametrize(
    "arguments",
    [["show-config", "--set", "universe.benchmark={}"], ["show-config", "--config", "{}.yaml"], ["banana", "{}"],
     ["backtest", "--data", "{}.csv"], ["backtest", "--out", "{}"], ["data", "show", "{}"], ["explain", "{}"],
     ["backtest", "--symbols", "{}"], ["status", "--state-dir", "x{}y"], ["verify", "--journal", "{}"], ["{}"]],
    ids=lambda arguments: " ".join(arguments)[:24],
)  # fmt: skip
def test_an_argument_with_a_secret_in_it_is_refused_before_anything_happens(here, capsys, name, arguments):
    for form in echoes(SECRETS[name]):
        status, said = told(capsys, *(argument.format(form) for argument in arguments))
        assert status == 2 and said.startswith(f"an argument holds the secret of {name}, "), said
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("name", TOLD_APART)
def test_a_setting_with_a_secret_in_it_is_refused_by_its_key(here, capsys, name):
    for form in sorted(echoes(SECRETS[name])):
        (here / "own.yaml").write_text(f'universe: {{symbols: [AAPL], benchmark: "{form}"}}\n')
        status, said = told(capsys, "show-config", "--config", "own.yaml")
        assert status == 2
        assert said.startswith(f"own.yaml: universe.benchmark holds the secret of {name}") or "\\" in form, said
    (here / "own.yaml").write_text(f'universe: {{"{SECRETS[name]}": 1}}\n')
    assert told(capsys, "show-config", "--config", "own.yaml")[0] == 2
    with pytest.raises(Refusal, match="holds the secret of"):
        load(overrides={"universe.benchmark": SECRETS[name]}, environment=ENVIRONMENT)


@pytest.mark.parametrize("command", [["verify"], ["export", "x"], ["status"], ["explain", "AAPL"]], ids=lambda a: a[0])
def test_the_password_of_a_journal_that_is_named_is_not_repeated(here, capsys, command):
    for form in (quote(DATABASE_PASSWORD, safe=""), DATABASE_PASSWORD):
        for address in (f"postgresql://me:{form}@127.0.0.1:9/x", f"postgresql://127.0.0.1:9/x?user=me&password={form}"):
            if command[0] in ("verify", "export"):
                assert told(capsys, *command, "--journal", address)[0] == 2
            os.environ["DATABASE_URL"] = address
            try:
                assert told(capsys, *command)[0] in (1, 2)
            finally:
                del os.environ["DATABASE_URL"]


def bars(symbol: str, **more: str) -> pd.DataFrame:
    days = pd.bdate_range("2020-01-02", "2020-12-31")
    close = 100 * np.exp(np.cumsum(np.random.default_rng(len(symbol)).normal(0.001, 0.02, len(days))))
    table = {"symbol": symbol, "datetime": days.strftime("%Y-%m-%d"), "open": close, "high": close * 1.01,
             "low": close * 0.99, "close": close, "volume": 1_000_000, **more}  # fmt: skip
    return pd.DataFrame(table).round(2)


@pytest.mark.slow
def test_names_headings_and_cells_of_data_files_are_repeated_by_no_file_of_a_run(here, capsys):
    folder = here / "bars"
    folder.mkdir()
    name = quote(SECRETS["ALPACA_API_SECRET"], safe="")
    for number, symbol in enumerate(("MSFT", "SPY", "KO")):
        bars(symbol, **{SECRETS["KRAKEN_API_KEY"]: WORDS}).to_csv(folder / f"{number}-{name}.csv", index=False)
    status, said = told(capsys, "data", "show", "bars")
    assert status == 0 and "MSFT" in said
    more = ("--data", "bars", "--profile", "swing", "--benchmark", "SPY", "--symbols", "MSFT,KO")
    status, said = told(capsys, "backtest", *more, "--start", "2020-06-01", "--end", "2020-12-31", "--out", "run")
    assert status == 0, said
    written = [path for path in (here / "run").rglob("*") if path.is_file()]
    assert {"summary.json", "tearsheet.html", "report.html", "decisions.jsonl"} <= {path.name for path in written}
    for path in written:
        assert readable(f"{path}\n{path.read_bytes().decode('latin-1')}", *SECRETS.values()) == [], path


@pytest.mark.parametrize(
    "damage",
    [{"symbol": SECRETS["ALPACA_API_SECRET"]}, {"symbol": WORDS}, {"close": SECRETS["ALPACA_API_SECRET"]},
     {"datetime": SECRETS["KRAKEN_API_SECRET"]}, {"volume": f"{SECRETS['NOTIFY_URLS']}"}],
    ids=lambda damage: next(iter(damage)),
)  # fmt: skip
def test_a_cell_that_is_refused_is_not_repeated_if_it_is_a_secret(here, capsys, damage):
    bars("MSFT").astype(object).assign(**damage).to_csv(here / "bars.csv", index=False)
    for arguments in (["data", "show", "bars.csv"], ["backtest", "--data", "bars.csv", "--symbols", "MSFT"]):
        status, said = told(capsys, *arguments)
        assert status == 2 and said.startswith("bars.csv"), said
    bars("MSFT").rename(columns={"close": SECRETS["ALPACA_API_SECRET"]}).to_csv(here / "bars.csv", index=False)
    assert told(capsys, "data", "show", "bars.csv")[0] == 2


def test_a_symbol_that_is_a_key_is_none(here, capsys):
    bars(SECRETS["ALPACA_API_KEY"]).to_csv(here / "bars.csv", index=False)
    status, said = told(capsys, "backtest", "--data", "bars.csv", "--out", "run")
    assert status == 2 and "universe.symbols holds the secret of ALPACA_API_KEY" in said
    assert "********" in told(capsys, "data", "show", "bars.csv")[1]
    assert not (here / "run").exists()


def test_rows_of_a_journal_and_a_state_are_not_repeated(here, capsys):
    """As a program that did not mask left them, in every place that words of others reach."""
    state = small_folder(here / "state")
    with sqlite3.connect(state / JOURNAL_FILE) as db:
        for table, column in (("orders", "reason"), ("order_events", "reason"), ("halts", "reason"),
                              ("decisions", "reason"), ("verdicts", "code")):  # fmt: skip
            db.execute(f"UPDATE {table} SET {column} = ?", (WORDS,))
    trader = trader_state(stopped_by=(WORDS,), halts=(HaltState("x", WORDS),))
    (state / STATE_FILE).unlink(missing_ok=True)
    write_state(state / STATE_FILE, trader)
    assert readable((state / STATE_FILE).read_text(), *SECRETS.values()) == []
    found = 0
    for command in (["status"], ["status", "--json"], ["explain", "AMD", "--all"], ["explain", "AMD", "--json"],
                    ["explain", "leg-1"], ["scoreboard"], ["kill", "status"], ["verify"]):  # fmt: skip
        _, said = told(capsys, *command)
        found += "********" in said
    assert found >= 4


def test_a_bundle_is_not_written_with_a_secret_in_it(here, capsys, monkeypatch):
    from brokers.journal import Journal
    from risk.model import Plan
    from tests.commands.service.test_mcp import TIME

    (here / "state").mkdir()
    with Journal(here / "state" / JOURNAL_FILE, "account", lambda: TIME) as journal:
        journal.begin_run("paper", f"combined {SECRETS['ALPACA_API_SECRET']}", "active", "hash")
        journal.decisions(Plan(TIME))
    status, said = told(capsys, "export", "bundle")
    assert (status, said.split(" ")[0]) == (2, "state/journal.sqlite3:") and "ALPACA_API_SECRET" in said
    assert not (here / "bundle").exists()
    monkeypatch.delenv("ALPACA_API_SECRET")
    assert main(["export", "bundle"]) == 0


@pytest.mark.parametrize("place", ["main", "thread"])
def test_a_traceback_is_written_without_secrets(here, place):
    """In a process of its own: the interpreter writes it, when everything else is over."""
    script = f"""
import sys, threading
from config.errors import exit_status
def fail():
    secret = {WORDS!r}
    raise RuntimeError("nobody thought of this: " + secret)
def run():
    if {place!r} == "main":
        fail()
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    return 0
sys.exit(exit_status(run))
"""
    (here / "script.py").write_text("import sys\nexec(sys.stdin.read())\n")
    done = subprocess.run(
        [sys.executable, "script.py"], input=script, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == (1 if place == "main" else 0), done.stderr
    assert "Traceback" in done.stderr and "RuntimeError: nobody thought of this: " in done.stderr
    assert done.stderr.count("********") > 20 and readable(done.stdout + done.stderr, *SECRETS.values()) == []


def test_a_stream_is_a_stream(monkeypatch, tmp_path, capsys):
    with (tmp_path / "x").open("w") as file:
        stream = MaskedOutput(file)
        assert stream.write("as it is\n") == 9
        stream.writelines(["one\n", "two\n"])
        assert stream.encoding == "UTF-8" and not stream.isatty() and stream.fileno() == file.fileno()
    assert Path(tmp_path / "x").read_text() == "as it is\none\ntwo\n"
    before = sys.stdout, sys.stderr
    assert main(["kill", "banana"]) == 2
    assert (sys.stdout, sys.stderr) == before
    assert without_known("nothing of ours") == "nothing of ours"


@pytest.mark.parametrize(
    ("variable", "value", "secret", "open_"),
    [
        ("NOTIFY_URLS", "mailto://johnsmith:pw-of-the-mail@smtp.gmail.com", ["pw-of-the-mail"],
         ["/home/johnsmith/bars", "smtp.gmail.com"]),
        ("NOTIFY_URLS", "slack://T1JJ3T3L2ABC/A1BRTD4JDXYZ/TIiajkdnlazkcOXrIdevi7FQ/", ["A1BRTD4JDXYZ"], ["slack"]),
        ("NOTIFY_URLS", "pover://uQiRzpo4DXghDmr9QzzfQu27cmVRsG@azGDORePK8gMaC0QOYAMyEEuzJnyUi",
         ["uQiRzpo4DXghDmr9QzzfQu27cmVRsG", "azGDORePK8gMaC0QOYAMyEEuzJnyUi"], ["pover"]),
        ("NOTIFY_URLS", "ntfys://ntfy.sh/my-trading-alerts json://hooks.example.org/", ["my-trading-alerts"],
         ["hooks.example.org", "ntfy.sh"]),
        ("DATABASE_URL", "postgresql://postgres:postgres@localhost/journal", [], ["postgres", "postgresql", "journal"]),
        ("DATABASE_URL", "sqlite:////home/trader/state/journal.sqlite3", [], ["journal.sqlite3", "/home/trader/state"]),
        ("HTTPS_PROXY", "http://drawdown:momentum@proxy.example.org:3128", [], ["momentum", "drawdown"]),
    ],
)  # fmt: skip
def test_words_hosts_and_users_stay_readable(monkeypatch, capsys, variable, value, secret, open_):
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    for text in (*secret, *open_):
        assert main(["banana", text]) == 2
        said = capsys.readouterr().err
        assert (text in secret) == ("holds the secret of" in said), text
        assert (without_known(f"x {text} y") == f"x {text} y") == (text in open_), text


def test_a_file_of_out_has_no_secret_of_the_process(monkeypatch, tmp_path):
    secret = "s3cretOfAlpaca1234567890"
    monkeypatch.setenv("ALPACA_API_SECRET", secret)
    monkeypatch.setattr(secret_guard, "_KNOWN", secret_guard._KnownSecrets())
    write_out(tmp_path / "page.html", lambda: f"<p>of {secret}</p>")
    text = (tmp_path / "page.html").read_text()
    assert secret not in text and text.startswith("<p>of ")
