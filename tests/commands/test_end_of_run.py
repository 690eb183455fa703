"""status, positions, whatif and shock of a backtest's end, as they are typed."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from backtests import embedded
from backtests.reports.metrics import metrics
from backtests.reports.summary_screen import show_summary
from backtests.reports.tearsheet.sheet import custom_metrics
from commands.app import main
from monitoring.state import STATE_FILE, write_state
from strategies.registry import STRATEGIES
from tests.backtests.sample import sample_info, sample_record, sample_table
from tests.monitoring.journals import small_folder, trader_state

ROOT = Path(__file__).parents[2]
WINDOW = ["--profile", "swing", "--start", "2020-01-02", "--end", "2020-12-22", "--no-report", "--quiet"]
FEE_FRAC, FEE_PER_SHARE = 0.0005, 0.01
CHARGED = ["--set", f"fills.fee_frac={FEE_FRAC}", "--set", f"fills.fee_per_share_usd={FEE_PER_SHARE}"]
HALTED = [*WINDOW[:4], "--end", "2020-03-12", *WINDOW[6:]]


def said(capsys, *argv: object, status: int = 0) -> str:
    capsys.readouterr()
    assert main([str(word) for word in argv]) == status
    found = capsys.readouterr()
    return found.out if status == 0 else found.err


def asked(capsys, *argv: object):
    return json.loads(said(capsys, *argv, "--json"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs on the embedded data by either engine, on a file, and one that ends within a halt."""
    place = tmp_path_factory.mktemp("ends")
    bars = place / "bars.csv"
    embedded.daily().to_csv(bars, index=False)
    made = {
        "embedded": WINDOW,
        "replay": [*WINDOW, "--engine", "replay"],
        "file": [*WINDOW, "--engine", "replay", "--data", str(bars), "--benchmark", "NVDA"],
        "halted": [*HALTED, "--engine", "replay"],
        "charged": [*WINDOW, "--engine", "replay", *CHARGED],
    }
    for name, words in made.items():
        assert main(["backtest", *words, "--out", str(place / name)]) == 0
    return place


@pytest.mark.parametrize("name", ["embedded", "replay", "file", "halted", "charged"])
def test_equity_cash_and_positions_are_those_of_the_files(runs, capsys, name):
    folder = runs / name
    found = asked(capsys, "status", "--run", folder)
    with (folder / "equity.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    open_at_the_end = json.loads((folder / "summary.json").read_text())["open_positions"]
    assert found["equity"] == pytest.approx(float(last["equity"]), abs=1e-4)
    assert found["cash"] == pytest.approx(float(last["cash"]), abs=1e-4)
    assert len(found["positions"]) == int(last["positions"]) == len(open_at_the_end)
    for mine, theirs in zip(found["positions"], open_at_the_end, strict=True):
        for key in ("symbol", "quantity", "entry_price", "price", "stop"):
            assert mine[key] == pytest.approx(theirs[key]), key
        assert mine["protected"] == mine["quantity"] == mine["stops"][0]["quantity"]
    rows = asked(capsys, "positions", "--run", folder)
    assert [r["symbol"] for r in rows] == [p["symbol"] for p in open_at_the_end]
    for row, theirs in zip(rows, open_at_the_end, strict=True):
        assert (row["held"], row["owner"], row["would_trigger"]) == (theirs["quantity"], "ours", None)
        assert row["stop_works"] and row["target_works"] and row["protected"] == row["held"]
        assert row["profit"] == pytest.approx(theirs["unrealised"])
        assert row["to_stop_usd"] == pytest.approx(row["price"] - theirs["stop"])


def test_fees_are_told_and_every_dollar_of_a_run_that_pays_them_is_accounted_for(runs):
    folder = runs / "charged"
    summary = json.loads((folder / "summary.json").read_text())
    orders, trades = (list(csv.DictReader((folder / name).open(newline=""))) for name in ("orders.csv", "trades.csv"))
    filled = [(float(o["filled_quantity"]), float(o["filled_price"])) for o in orders if o["filled_price"]]
    fees = sum(quantity * (price * FEE_FRAC + FEE_PER_SHARE) for quantity, price in filled)
    assert summary["metrics"]["fees"] == pytest.approx(fees, abs=0.01) and fees > 10
    assert summary["open_positions"]
    gained = summary["final_equity"] - summary["initial_equity"]
    still_open = sum(held["unrealised"] for held in summary["open_positions"])
    assert gained == pytest.approx(sum(float(t["pnl"]) for t in trades) + still_open, abs=0.01)


def test_the_screen_and_the_tearsheet_tell_fees_beside_slippage():
    record = sample_record(sample_table())
    record.fees = 17.2
    info, figures = sample_info(sample_table()), metrics(record)
    console = Console(width=100, record=True, file=io.StringIO())
    show_summary(console, record, info, figures)
    assert re.search(r"Slippage cost +412\.50 USD\n.*Fees +17\.20 USD", console.export_text())
    assert custom_metrics(figures, info)["Fees, USD"] == "17.20"


def test_some_of_the_runs_end_with_positions(runs):
    held = {
        name: len(json.loads((runs / name / "summary.json").read_text())["open_positions"])
        for name in ("embedded", "file")
    }
    assert min(held.values()) > 0


def test_the_answer_has_the_keys_of_a_traders(runs, capsys, tmp_path):
    folder = small_folder(tmp_path / "state")
    write_state(folder / STATE_FILE, trader_state())
    ours, trader = (
        asked(capsys, "status", *words) for words in (("--run", runs / "embedded"), ("--state-dir", folder))
    )
    assert list(ours) == list(trader)
    assert {tuple(p) for p in ours["positions"]} == {tuple(p) for p in trader["positions"]}
    assert (ours["mode"], ours["sign_of_life"], ours["age_s"], ours["kill"]) == ("backtest", "ended", None, "off")
    assert ours["venue_time"] == ours["positions_as_of"] == "2020-12-22T21:00:00+00:00"
    assert ours["signs"] == [] and ours["orders_at_the_broker"] is None


def test_the_screen_speaks_of_a_backtest_and_of_no_trader(runs, capsys):
    text = said(capsys, "status", "--run", runs / "embedded")
    assert text.startswith("backtest to 2020-12-22, swing; as of the close of its last bar, 2020-12-22 16:00:00")
    assert "May be bought by the next decision, 2020-12-23 09:30: " in text and "If all stops fire: " in text
    for word in ("SIGN OF LIFE", "ended", "ago", "broker", "Kill switch", "trader", "today: ", "venue time", "running"):
        assert word not in text, word
    halted = said(capsys, "status", "--run", runs / "halted")
    assert "Halt: streak_halt, until Tue 2020-03-17 00:00: no entries" in halted
    assert "2020-03-13 09:30: nothing (streak_halt)" in halted
    assert said(capsys, "positions", "--run", runs / "embedded").startswith("backtest to 2020-12-22\n")


def test_whatif_moves_what_the_run_held_by_the_betas_of_its_bars(runs, capsys):
    found = asked(capsys, "whatif", "--market", "-10%", "--run", runs / "file")
    status = asked(capsys, "status", "--run", runs / "file")
    assert found["equity"] == status["equity"] > found["equity_at_once"]
    assert [p["symbol"] for p in found["positions"]] == [p["symbol"] for p in status["positions"]]
    assert all(p["why"].startswith(("beta", "the benchmark", "inverse fund")) for p in found["positions"])
    falls = [word for p in status["positions"] for word in ("--symbol", f"{p['symbol']}=-90%")]
    deep = asked(capsys, "whatif", *falls, "--run", runs / "file")
    assert deep["equity"] - deep["equity_step_by_step"] == pytest.approx(status["lost_at_stops"]) and deep["halts"]
    assert said(capsys, "whatif", "--market", "-10%", "--run", runs / "file").startswith("backtest to 2020-12-22\n")


def test_shock_begins_with_the_equity_of_the_last_close(runs, capsys):
    found = asked(capsys, "shock", "--run", runs / "file", "--path", "pandemic_2020")
    assert found["equity"] == asked(capsys, "status", "--run", runs / "file")["equity"]


def test_data_that_were_moved_are_named_and_others_are_refused(runs, capsys, tmp_path):
    folder, moved = tmp_path / "run", tmp_path / "moved.csv"
    shutil.copytree(runs / "file", folder)
    inputs = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**inputs, "data": str(tmp_path / "gone.csv")}))
    assert "gone.csv: there is no such file" in said(capsys, "status", "--run", folder, status=2)
    shutil.copy(runs / "bars.csv", moved)
    assert asked(capsys, "status", "--run", folder, "--data", moved) == asked(capsys, "status", "--run", runs / "file")
    moved.write_text("\n".join(moved.read_text().splitlines()[:-1]) + "\n")
    assert "its bars are not those" in said(capsys, "status", "--run", folder, "--data", moved, status=2)


def test_a_run_that_ends_otherwise_once_more_is_refused(runs, capsys, tmp_path):
    shutil.copytree(runs / "embedded", tmp_path / "run")
    path = tmp_path / "run" / "equity.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    text = said(capsys, "status", "--run", tmp_path / "run", status=2)
    assert "once more it ends with" in text and "run it anew with risk-first backtest" in text
    path.unlink()
    assert "is not the complete folder of a run" in said(capsys, "positions", "--run", tmp_path / "run", status=2)


@pytest.mark.parametrize("command", ["status", "positions", "whatif"])
def test_folders_of_no_whole_backtest_are_refused_in_a_sentence(runs, capsys, tmp_path, command):
    words = [command, *(["--market", "-10%"] if command == "whatif" else []), "--run"]

    def refused(folder: Path) -> str:
        text = said(capsys, *words, folder, status=2)
        assert text.count("\n") == 1 and "Traceback" not in text
        return text

    assert "does not hold what a run was made of" in refused(tmp_path / "none")
    folder = tmp_path / "run"
    shutil.copytree(runs / "embedded", folder)
    inputs = json.loads((folder / "run.json").read_text())
    older = {key: value for key, value in inputs.items() if key != "chosen"}
    (folder / "run.json").write_text(json.dumps(older))
    assert "as an earlier version's does" in refused(folder)
    for mode in ("paper", "live", "rehearse"):
        (folder / "run.json").write_text(json.dumps({**inputs, "mode": mode}))
        assert f"is a {mode} run and no backtest; risk-first status --state-dir DIR" in refused(folder)
    (folder / "state").mkdir()
    assert f"--state-dir {folder / 'state'} tells what its trader holds" in refused(folder)
    (folder / "run.json").write_text(json.dumps(inputs))
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps({**summary, "interrupted": "SIGINT"}))
    assert "was interrupted" in refused(folder)


def test_hooks_that_the_replay_engine_does_not_run_are_refused(runs, capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(STRATEGIES._built_in, "example", "strategies.combined:CombinedStrategy")
    shutil.copytree(runs / "embedded", tmp_path / "run")
    path = tmp_path / "run" / "settings.yaml"
    path.write_text(path.read_text().replace("strategy: combined", "strategy: example"))
    assert "whose hooks the replay engine does not run" in said(capsys, "status", "--run", tmp_path / "run", status=2)


REFUSED = (
    ("status --run RUN --state-dir x", "--run and --state-dir both say whose book it is; give one of them"),
    ("positions --run RUN --state-dir x", "give one of them"),
    ("whatif --market -1% --run RUN --state-dir x", "give one of them"),
    ("status --run RUN --watch", "--watch is not read with --run"),
    ("status --run RUN --profile swing", "--profile is not read with --run"),
    ("positions --run RUN --live", "--live is not read with --run"),
    ("positions --run RUN --alpaca-url http://127.0.0.1:1", "--alpaca-url is not read with --run"),
    ("whatif --market -1% --run RUN --set a.b=1", "--set is not read with --run"),
    ("shock --run RUN --set a.b=1", "--set is not read with --run"),
    ("status --data x", "--data: is read with --run only"),
    ("positions --run none", "does not hold what a run was made of"),
    ("status --run none", "does not hold what a run was made of"),
)


@pytest.mark.parametrize(("line", "words"), REFUSED)
def test_wrong_options_are_refused_without_anything_heavy(runs, line, words):
    argv = [str(runs / "embedded") if word == "RUN" else word for word in line.split()]
    code = (
        f"import sys; from commands.app import main; status = main({argv!r}); "
        "sys.exit(9 if {'lumibot', 'pandas'} & set(sys.modules) else status)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert words in ran.stderr
