"""Whole runs from the command line: what they leave behind, what they print, and what they refuse."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import live_trader
from backtests import cli_run, embedded

ROOT = Path(__file__).parents[2]
COLUMNS = {
    "orders.csv": "time,client_order_id,parent_id,symbol,side,quantity,type,limit_price,stop_price,role,status,"
    "filled_quantity,filled_price,filled_time,reason",
    "trades.csv": "symbol,side,quantity,entry_time,entry_price,exit_time,exit_price,stop,target,atr,stop_multiple,"
    "pnl,r_multiple,exit_reason,signal,score",
    "equity.csv": "time,equity,cash,long_exposure,inverse_exposure,positions",
}
DECISION_KEYS = {
    "time", "symbol", "side", "signal", "score", "price", "stop", "target", "atr", "proposed_quantity",
    "final_quantity", "outcome", "verdicts",
}  # fmt: skip
SUMMARY_KEYS = {
    "mode", "strategy", "profile", "data_source", "data_hash", "config_hash", "start", "end", "symbols",
    "fill_assumptions", "initial_equity", "final_equity", "metrics", "seconds", "versions",
}  # fmt: skip
METRIC_KEYS = {
    "trades", "win_rate", "avg_win", "avg_loss", "avg_r", "profit_factor", "max_drawdown", "sharpe", "sortino", "cagr",
    "exposure", "turnover", "slippage_cost", "rejected", "resized", "protected_share",
}  # fmt: skip


ACTIVE = ("--backtest", "--quiet", "--start", "2018-01-02")


class Folder:
    """The files of one run, read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.summary = json.loads((path / "summary.json").read_text())
        self.metrics = self.summary["metrics"]
        self.orders, self.trades, self.equity = (
            pd.read_csv(path / name) for name in ("orders.csv", "trades.csv", "equity.csv")
        )
        self.decisions = [json.loads(line) for line in (path / "decisions.jsonl").read_text().splitlines()]

    def files(self) -> dict[str, bytes]:
        found = (file for file in sorted(self.path.rglob("*")) if file.is_file())
        return {str(file.relative_to(self.path)): file.read_bytes() for file in found}


@pytest.fixture(scope="module")
def active(tmp_path_factory) -> Folder:
    """Up to the end of the embedded days, where a position is still open."""
    path = tmp_path_factory.mktemp("active") / "run"
    assert live_trader.main([*ACTIVE, "--out", str(path)]) == 0
    return Folder(path)


# ---- the files --------------------------------------------------------------------------------------------


def test_every_file_is_there_in_its_form(active):
    names = {"summary.json", "orders.csv", "trades.csv", "decisions.jsonl", "equity.csv", "tearsheet.html"}
    assert names <= active.files().keys()
    for name, header in COLUMNS.items():
        assert (active.path / name).read_text().splitlines()[0] == header
    assert all(decision.keys() == DECISION_KEYS for decision in active.decisions)
    verdicts = [verdict for decision in active.decisions for verdict in decision["verdicts"]]
    assert len(verdicts) > len(active.decisions)
    assert all(verdict.keys() == {"module", "code", "before", "after", "inputs"} for verdict in verdicts)
    assert {decision["outcome"] for decision in active.decisions} <= {"sent", "resized", "refused"}
    tearsheet = (active.path / "tearsheet.html").read_text()
    assert "SYN_EW6" in tearsheet and "protected" in tearsheet.lower()


def test_times_carry_their_offset_and_numbers_are_plain_decimals(active):
    for frame, columns in (
        (active.orders, ["time", "filled_time"]),
        (active.trades, ["entry_time", "exit_time"]),
        (active.equity, ["time"]),
    ):
        for text in frame[columns].stack().unique():
            assert datetime.fromisoformat(text).utcoffset() is not None
    for name in ("orders.csv", "trades.csv", "equity.csv", "decisions.jsonl", "summary.json"):
        text = (active.path / name).read_text()
        assert not re.search(r"(?<![\w.])\d+(\.\d+)?[eE][+-]?\d", re.sub(r'"[^"]*"', "", text))
        assert not re.search(r"\b(nan|inf|NaN|Infinity)\b", text)


def test_the_summary_says_everything(active):
    s = active.summary
    assert s.keys() >= SUMMARY_KEYS and active.metrics.keys() == METRIC_KEYS
    assert (s["mode"], s["strategy"], s["profile"], s["data_source"]) == ("backtest", "combined", "active", "embedded")
    assert (s["start"], s["end"]) == ("2018-01-02T09:30:00-05:00", "2023-09-21T09:30:00-04:00")
    assert s["symbols"] == ["AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA"] and s["initial_equity"] == 100_000
    assert s["seconds"].keys() == {"data", "engine", "report"} and min(s["seconds"].values()) > 0
    assert s["fill_assumptions"]["market_slippage_bps"] == 5
    assert s["versions"]["lumibot"] == "4.6.30" and len(s["data_hash"]) == len(s["config_hash"]) == 64
    assert any("synthetic" in note for note in s["notes"])


def test_the_metrics_follow_from_the_files(active):
    """Recomputed with pandas from what a reader of the files has."""
    trades, equity, m = active.trades, active.equity, active.metrics
    wins, losses = trades.pnl[trades.pnl > 0], trades.pnl[trades.pnl < 0]
    curve = pd.concat([pd.Series([active.summary["initial_equity"]]), equity.equity], ignore_index=True)
    returns = curve.pct_change().dropna()
    times = pd.to_datetime(equity.time, utc=True)
    years = (times.iloc[-1] - pd.Timestamp(active.summary["start"])).total_seconds() / (365.25 * 86400)
    filled = active.orders[active.orders.status == "filled"]
    expected = {
        "trades": len(trades),
        "win_rate": len(wins) / len(trades),
        "avg_win": wins.mean(),
        "avg_loss": losses.mean(),
        "avg_r": trades.r_multiple.mean(),
        "profit_factor": wins.sum() / -losses.sum(),
        "max_drawdown": (1 - curve / curve.cummax()).max(),
        "sharpe": returns.mean() / returns.std() * math.sqrt(252),
        "sortino": returns.mean() / math.sqrt((returns.clip(upper=0) ** 2).mean()) * math.sqrt(252),
        "cagr": (curve.iloc[-1] / curve.iloc[0]) ** (1 / years) - 1,
        "exposure": ((equity.long_exposure + equity.inverse_exposure) / equity.equity).mean(),
        "turnover": (filled.filled_quantity * filled.filled_price).sum() / equity.equity.mean() / years,
        "rejected": sum(decision["outcome"] == "refused" for decision in active.decisions),
        "resized": sum(decision["outcome"] == "resized" for decision in active.decisions),
        "protected_share": 1,
    }
    assert {name: m[name] for name in expected} == pytest.approx(expected, rel=1e-6)
    # Five basis points of every market order and stop: within rounding to a hundredth of a cent per share.
    slipped = filled[filled.type.isin(["market", "stop"])]
    assert m["slippage_cost"] == pytest.approx((slipped.filled_quantity * slipped.filled_price).sum() * 5e-4, rel=2e-3)


def test_a_trades_own_figures_agree(active):
    t = active.trades
    assert t.pnl.to_numpy() == pytest.approx(((t.exit_price - t.entry_price) * t.quantity).to_numpy(), abs=1e-4)
    risk = t.entry_price - t.stop
    assert t.r_multiple.to_numpy() == pytest.approx(((t.exit_price - t.entry_price) / risk).to_numpy(), abs=1e-6)
    assert (t.exit_time >= t.entry_time).all() and set(t.exit_reason) <= {"stop", "target", "close", "trim"}


def test_every_dollar_is_accounted_for(active):
    """Profit of the trades and of what is still open is what the account has gained, to the cent."""
    filled = active.orders[active.orders.status == "filled"]
    opened = filled[filled.role.isin(["entry", "hedge"])]
    sold = filled[~filled.role.isin(["entry", "hedge"])].groupby("symbol").filled_quantity.sum()
    left = opened.groupby("symbol").filled_quantity.sum().sub(sold, fill_value=0)
    left = left[left > 0]
    assert len(left) == 1
    (symbol,) = left.index
    entry = opened[opened.symbol == symbol].iloc[-1]
    assert entry.filled_quantity == left[symbol]
    bars = embedded.daily()
    close = bars[bars.symbol == symbol].close.iloc[-1]
    unrealised = (close - entry.filled_price) * left[symbol]
    gained = active.summary["final_equity"] - active.summary["initial_equity"]
    assert gained == pytest.approx(active.trades.pnl.sum() + unrealised, abs=0.005)
    assert gained > 1000 and abs(unrealised) > 1
    flows = np.where(filled.side == "buy", -1, 1) * filled.filled_quantity * filled.filled_price
    assert active.equity.cash.iloc[-1] == pytest.approx(100_000 + flows.sum(), abs=0.005)


def test_orders_hang_together(active):
    orders = active.orders.set_index("client_order_id")
    assert orders.index.is_unique
    legs = orders[orders.parent_id.notna()]
    parents = orders.loc[legs.parent_id]
    assert set(parents.role) == {"entry", "hedge"} and set(legs.role) == {"stop", "target"}
    assert (legs.groupby("parent_id").size() == 2).all()
    assert (legs.stop_price.notna() == (legs.role == "stop")).all()
    assert (legs.limit_price.notna() == (legs.role == "target")).all()
    sent = [d for d in active.decisions if d["outcome"] != "refused"]
    entries = orders[orders.role.isin(["entry", "hedge"])]
    assert len(sent) == len(entries[entries.status != "rejected"])
    # What was approved and could not be sent says so where one looks for it.
    last = {(d["time"], d["symbol"]): d["verdicts"][-1] for d in active.decisions if d["outcome"] == "refused"}
    refused = entries[entries.status == "rejected"]
    assert len(refused) > 0
    for order in refused.itertuples():
        verdict = last[order.time, order.symbol]
        assert (verdict["code"], verdict["after"]) == (order.reason, 0)


def test_the_same_run_writes_the_same_bytes(active, tmp_path):
    assert live_trader.main([*ACTIVE, "--out", str(tmp_path / "again")]) == 0
    again = Folder(tmp_path / "again")
    one, two = active.files(), again.files()
    assert one.keys() == two.keys() and len(one) >= 8
    summaries = [json.loads(files.pop("summary.json")) for files in (one, two)]
    for summary in summaries:
        summary["seconds"] = None
    assert one == two and summaries[0] == summaries[1]


def test_a_run_goes_where_it_belongs_and_overwrites_only_when_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    argv = ["--backtest", "--quiet", "--profile", "swing", "--start", "2020-03-02", "--end", "2020-03-31"]
    assert live_trader.main(argv) == 0
    folder = tmp_path / "runs" / "backtest-swing-2020-03-02"
    assert (folder / "summary.json").is_file() and [path.name for path in tmp_path.iterdir()] == ["runs"]
    before = (folder / "summary.json").read_bytes()
    assert live_trader.main(argv) == 2
    assert "is not empty: choose another --out or add --overwrite" in capsys.readouterr().err
    assert (folder / "summary.json").read_bytes() == before
    (folder / "notes.txt").write_text("mine")
    assert live_trader.main([*argv[:-1], "2020-03-30", "--overwrite"]) == 0
    assert json.loads((folder / "summary.json").read_text())["end"].startswith("2020-03-30")
    assert (folder / "notes.txt").read_text() == "mine"


# ---- one iteration ----------------------------------------------------------------------------------------

SIX = ("AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA")


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """Results of single iterations; in an empty folder, on a screen wide enough for one line per symbol."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    seen = []

    def spy(console, result, *arguments, **options):
        seen.append(result)
        original(console, result, *arguments, **options)

    original = cli_run.show_scan
    monkeypatch.setattr(cli_run, "show_scan", spy)
    return seen


def verdicts_told(text: str) -> dict[str, str]:
    """The line of each symbol in the table."""
    lines = text.splitlines()
    begin = next(k for k, line in enumerate(lines) if line.startswith("symbol "))
    return {line.split()[0]: line for line in lines[begin + 1 :] if re.match(r"[A-Z_0-9]+ +[a-z_]+ +[\d.,]+ ", line)}


@pytest.mark.parametrize(
    ("argv", "watched"),
    [("--end 2018-02-06", {"SYN_EW6", "SYN_INV"}), ("--profile intraday --end 2023-06-08", set())],
)
def test_once_and_scan_tell_every_symbol_and_scan_sends_nothing(capsys, shown, tmp_path, argv, watched):
    told = {}
    for mode in ("--once", "--scan"):
        assert live_trader.main(["--backtest", "--quiet", mode, *argv.split()]) == 0
        told[mode] = capsys.readouterr().out
    once, scan = shown
    lines = verdicts_told(told["--scan"])
    sent = {symbol: line.replace(" would send ", " sent ") for symbol, line in lines.items()}
    assert [line.split() for line in verdicts_told(told["--once"]).values()] == [line.split() for line in sent.values()]
    assert lines.keys() == {*SIX, *watched}
    accepted = [line for line in lines.values() if " would send " in line]
    assert len(accepted) == len(scan.strategy.plan.entries) == len(once.strategy.plan.entries) >= 1
    said = ("would send", "no signal", "below the threshold", "watched, not traded", "refused")
    assert all(any(word in line for word in said) for line in lines.values())
    assert "nothing submitted" in told["--scan"] and "\norder " not in told["--scan"]
    assert "nothing submitted" not in told["--once"] and told["--once"].count("\norder ") == len(accepted)
    assert scan.record.orders == [] and scan.record.decisions == once.record.decisions
    assert {o.role for o in once.record.orders} == {"entry", "stop", "target"}
    assert scan.strategy.broker.ledger.positions == {} and len(once.strategy.broker.ledger.positions) >= 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", ["2023-06-08", "2022-11-25"])
def test_one_intraday_iteration_sees_every_bar_closed_before_it(capsys, shown, end):
    """At the opening of the last bar of the day, half days included: not a minute and a bar earlier."""
    assert live_trader.main(f"--backtest --scan --profile intraday --end {end}".split()) == 0
    (scan,) = shown
    table = scan.table
    assert scan.strategy.plan.time == table.opens_at[-1]
    assert scan.strategy.broker.ledger.positions == {}
    k = table.symbols.index("AAPL")
    line = verdicts_told(capsys.readouterr().out)["AAPL"]
    assert f"{table.close[len(table) - 2, k]:,.2f}" in line


def test_outside_the_scan_windows_that_is_the_reason(capsys, shown):
    """A half day ends before the second window opens."""
    argv = "--backtest --scan --profile swing --set signals.enabled=[momentum,vwap] --end 2022-11-25"
    assert live_trader.main(argv.split()) == 0
    lines = verdicts_told(capsys.readouterr().out)
    assert "outside the scan windows" in lines["META"] and shown[0].strategy.plan.decisions == ()


def test_every_verdict_of_a_crowded_scan_is_explained(capsys, shown):
    argv = "--backtest --scan --profile swing --end 2020-03-13 --set selection.execute=1"
    assert live_trader.main(argv.split()) == 0
    told = capsys.readouterr().out
    decisions = shown[0].strategy.plan.decisions
    assert len(decisions) >= 2
    for decision in decisions:
        (line,) = [line for line in told.splitlines() if line.startswith(f"{decision.proposal.symbol} buy by ")]
        assert all(v.module in line and v.code in line for v in decision.verdicts)


def test_the_seed_changes_made_up_bars_only(capsys, shown):
    def scan(*argv: str) -> dict[str, str]:
        assert live_trader.main(["--backtest", "--scan", *argv]) == 0
        assert shown[-1].record.orders == []
        return verdicts_told(capsys.readouterr().out)

    intraday = ("--profile", "intraday", "--start", "2023-06-05", "--end", "2023-06-08")
    assert scan(*intraday) == scan(*intraday, "--seed", "0") != scan(*intraday, "--seed", "1")
    assert scan("--seed", "0") == scan("--seed", "1")


# ---- refusals, end to end -----------------------------------------------------------------------------------


def refused(capsys, *argv: str) -> str:
    """The sentence; only it is printed and nothing is left behind."""
    assert live_trader.main(["--backtest", *argv]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and captured.out == ""
    return captured.err.strip()


def bars() -> pd.DataFrame:
    frame = embedded.daily()
    return frame[(frame.datetime >= "2020-01-01") & (frame.datetime < "2020-07-01")].reset_index(drop=True)


def cell(row: int, column: str, value: object):
    def plant(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[row, column] = value
        return frame

    return plant


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (cell(40, "close", np.nan), "close of AAPL 2020-03-02 00:00 at row 41 is not a number"),
        (cell(40, "open", -3.0), "open of AAPL 2020-03-02 00:00 at row 41 is not above zero"),
        (lambda f: f.iloc[[1, 0, *range(2, len(f))]], "AAPL 2020-01-02 00:00 at row 2 comes after a later bar"),
        (lambda f: pd.concat([f, f.iloc[[7]]]), "AAPL 2020-01-13 00:00 at row 1001 is there twice"),
        (lambda f: f.drop(columns="volume"), "no column volume"),
        (lambda f: f.assign(symbol=f.symbol.astype(str) + "X"), "has none of"),
        (lambda f: f.assign(close=f.close * 2), "is below its close"),
        (lambda f: f.iloc[:0], "no rows"),
    ],
)
@pytest.mark.parametrize("once", [False, True])
def test_bad_bars_are_refused_before_anything_is_written(capsys, tmp_path, monkeypatch, plant, told, once):
    monkeypatch.chdir(tmp_path)
    plant(bars()).to_csv("bars.csv", index=False)
    sentence = refused(capsys, "--data", "bars.csv", *(["--once"] if once else []))
    assert sentence.startswith("bars.csv: ") and told in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["bars.csv"]


@pytest.mark.parametrize("data", ["embedded", "bars.parquet"])
@pytest.mark.parametrize("mode", ["", "--once", "--lookahead 2"])
@pytest.mark.parametrize("window", ["--start 2031-01-01", "--start 2020-02-01 --end 2020-02-02", "--end 2001-05-05"])
def test_a_window_without_bars_is_refused_in_every_mode(capsys, tmp_path, monkeypatch, data, mode, window):
    monkeypatch.chdir(tmp_path)
    bars().to_parquet("bars.parquet")
    assert re.search("no bars? |has none of", refused(capsys, "--data", data, *mode.split(), *window.split()))
    assert [path.name for path in tmp_path.iterdir()] == ["bars.parquet"]


def test_an_end_before_the_start_is_refused_with_data_too(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bars().to_parquet("bars.parquet")
    window = ("--start", "2020-03-02", "--end", "2020-03-01")
    assert "--end 2020-03-01 is before --start 2020-03-02" in refused(capsys, "--data", "bars.parquet", *window)


@pytest.mark.parametrize("mode", ["", "--once", "--lookahead 2"])
def test_symbols_of_which_none_is_there_are_refused(capsys, mode):
    """The benchmark and the hedge's gauges are in the data, but there is nothing to trade."""
    sentence = refused(capsys, "--symbols", "NOPE,ZILCH", *mode.split())
    assert sentence == "embedded: has no bars of NOPE, ZILCH, so there is nothing to trade; choose other --symbols"


def test_one_symbol_that_is_there_is_enough(capsys, shown):
    assert live_trader.main(["--backtest", "--scan", "--symbols", "NOPE,AAPL"]) == 0
    told = capsys.readouterr().out
    assert "not in the data: NOPE" in told and "AAPL" in verdicts_told(told)


def test_what_only_rules_look_at_is_not_told_as_if_it_were_traded(capsys, tmp_path, shown):
    bars().to_parquet("bars.parquet")
    argv = ["--backtest", "--quiet", "--data", "bars.parquet", "--symbols", "AAPL,NOPE", "--benchmark", "NVDA"]
    assert live_trader.main([*argv, "--out", "out"]) == 0
    told = capsys.readouterr().out
    assert "2 symbols; not known to the source: NOPE\n" in re.sub(" +\n", "\n", told)
    helpers = "no bars of GOOGL, MSFT, QQQ, SH, SPXS and 3 more, which rules only watch or hedge with"
    assert f"Note: {helpers}" in " ".join(told.split())
    summary = Folder(tmp_path / "out").summary
    assert summary["missing_symbols"] == ["NOPE"] and helpers in summary["notes"]
    assert live_trader.main([*argv, "--scan"]) == 0
    told = capsys.readouterr().out
    assert "not in the data: NOPE\n" in told and helpers in " ".join(told.split())


def test_a_benchmark_that_was_named_and_is_not_there_is_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bars().to_parquet("bars.parquet")
    Path("mine.yaml").write_text("universe: {benchmark: ZILCH}\n")
    common = ("--data", "bars.parquet", "--symbols", "AAPL,NVDA")
    for source, argv in (
        ("--benchmark", ["--benchmark", "ZILCH"]),
        ("--set", ["--set", "universe.benchmark=ZILCH"]),
        ("mine.yaml", ["--config", "mine.yaml"]),
    ):
        told = refused(capsys, *common, *argv)
        assert told.startswith(f"{source}: bars.parquet has no bars of ZILCH to compare with; name a benchmark that it")
        assert "AAPL" in told and not (tmp_path / "runs").exists()


def test_a_default_benchmark_that_is_not_there_is_noted(capsys, tmp_path, shown):
    bars().to_parquet("bars.parquet")
    argv = ["--backtest", "--quiet", "--data", "bars.parquet", "--symbols", "AAPL", "--out", "out"]
    assert live_trader.main(argv) == 0
    note = "no benchmark: the data hold no bars of SPY; name one with --benchmark"
    told = capsys.readouterr().out
    assert f"Note: {note}" in told and "1 symbol\n" in re.sub(" +\n", "\n", told)
    summary = Folder(tmp_path / "out").summary
    assert note in summary["notes"] and summary["benchmark"]["symbol"] is None


def cut(symbol: str, first: str, last: str) -> pd.DataFrame:
    """The half year, of one symbol only what lies between two days."""
    frame = bars()
    return frame[(frame.symbol != symbol) | frame.datetime.between(first, last)].reset_index(drop=True)


EAGER = ["--set", "signals.modules.mean_reversion.oversold_rsi=60", "--set", "exits.models.fixed.stop_frac=0.5"]


def test_a_position_whose_bars_end_is_told_and_no_stop_counts_for_it(capsys, tmp_path, shown):
    cut("NVDA", "2020-01-01", "2020-03-31").to_parquet("bars.parquet")
    argv = ["--backtest", "--quiet", "--data", "bars.parquet", "--benchmark", "AAPL", "--symbols", "NVDA", *EAGER]
    assert live_trader.main([*argv, "--out", "out"]) == 0
    folder = Folder(tmp_path / "out")
    held = folder.orders[(folder.orders.role == "entry") & (folder.orders.status == "filled")].filled_quantity.iloc[-1]
    closes = bars().query("symbol == 'NVDA'").set_index("datetime").close
    note = (
        "positions whose bars ended are valued at their last close, and no stop can act: "
        f"{held:.0f} NVDA at {closes.loc['2020-03-31']:.2f} since 2020-03-31"
    )
    assert note in folder.summary["notes"] and f"Note: {note}" in " ".join(capsys.readouterr().out.split())
    times = pd.to_datetime(folder.equity.time, utc=True)
    invested = folder.equity.positions > 0
    with_bars = invested & (times < "2020-04-01")
    assert folder.metrics["protected_share"] == pytest.approx(with_bars.sum() / invested.sum())
    assert 0 < with_bars.sum() < invested.sum()
    # A run that ends with the bars has nothing to tell.
    assert live_trader.main([*argv, "--end", "2020-03-31", "--out", "until"]) == 0
    until = Folder(tmp_path / "until")
    assert until.metrics["protected_share"] == 1 and not any("last close" in note for note in until.summary["notes"])


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        ("2020-01-01", "2020-04-01", "from 2020-02-03 to 2020-04-01"),
        ("2020-03-02", "2020-12-31", "from 2020-03-02 to 2020-06-30"),
        ("2020-03-02", "2020-03-02", "from 2020-03-02 to 2020-03-02"),
        ("2020-02-03", "2020-12-31", ""),
    ],
)
def test_a_benchmark_without_the_whole_window_is_told_with_its_span(tmp_path, shown, first, last, told):
    cut("NVDA", first, last).to_parquet("bars.parquet")
    argv = ["--backtest", "--quiet", "--data", "bars.parquet", "--symbols", "AAPL", "--benchmark", "NVDA"]
    assert live_trader.main([*argv, "--start", "2020-02-01", "--out", "out"]) == 0
    notes = [note for note in Folder(tmp_path / "out").summary["notes"] if "benchmark" in note]
    expected = f"the benchmark NVDA has bars {told} only: its figures are of this span, not of the whole run"
    assert notes == ([expected] if told else [])


def test_a_period_longer_than_the_data_is_noted(capsys, tmp_path, shown):
    argv = ["--backtest", "--quiet", "--start", "2020-01-02", "--end", "2020-01-31", "--out", "out"]
    assert live_trader.main([*argv, "--set", "signals.modules.mean_reversion.rsi_bars=100000"]) == 0
    note = "no symbol has enough history for rsi_100000; give earlier bars or a shorter period"
    summary = Folder(tmp_path / "out").summary
    told = capsys.readouterr().out
    assert note in summary["notes"] and f"Note: {note}" in told
    (files,) = (line for line in told.splitlines() if line.startswith("Files in "))
    assert summary["metrics"]["trades"] == 0 and "trades/" not in files and "trades.csv" in files


def test_a_market_that_never_closes_is_annualised_with_its_own_days(tmp_path, shown):
    frame = bars()
    days = dict(
        zip(frame.datetime.unique(), pd.date_range("2020-01-01", periods=frame.datetime.nunique()), strict=True)
    )
    frame.assign(datetime=frame.datetime.map(days)).to_parquet("always.parquet")
    frame.to_parquet("weekdays.parquet")
    common = ["--backtest", "--quiet", "--symbols", "AAPL,NVDA", "--benchmark", "NVDA"]
    for name in ("always", "weekdays"):
        assert live_trader.main([*common, "--data", f"{name}.parquet", "--out", name]) == 0
    for name, sessions in (("always", 365), ("weekdays", 252)):
        folder = Folder(tmp_path / name)
        curve = pd.concat([pd.Series([folder.summary["initial_equity"]]), folder.equity.equity], ignore_index=True)
        returns = curve.pct_change().dropna()
        expected = returns.mean() / returns.std() * math.sqrt(sessions)
        assert folder.metrics["sharpe"] == pytest.approx(expected, rel=1e-6)
        page = (folder.path / "tearsheet.html").read_text()
        assert f"{folder.metrics['sharpe']:.2f}" in page and re.search(
            rf"sessions per year.{{0,200}}{sessions}", page, re.S
        )


@pytest.mark.parametrize("argv", ["--once --end 2013-01-02", "--scan --start 2013-01-02 --end 2013-01-02"])
def test_a_first_bar_has_nothing_closed_before_it(capsys, argv):
    assert "no bar closes before 2013-01-02 09:30" in refused(capsys, *argv.split())


@pytest.mark.parametrize("mode", ["", "--scan", "--lookahead 2"])
@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (
            ["signals.enabled=[vwap]"],
            "--set: signals.enabled: vwap needs intraday bars, the data are daily; enable another",
        ),
        (
            ["signals.enabled=[vwap,trend]", "signals.ensemble.quorum=2"],
            "--set: signals.ensemble.quorum: 2 votes can never come together, at most 1 of the signals that are on "
            "(trend) look for the same side; lower it or enable more; the data are daily, vwap needs intraday bars",
        ),
    ],
)
def test_signals_that_mean_nothing_on_these_bars_are_refused(capsys, tmp_path, monkeypatch, mode, sets, told):
    monkeypatch.chdir(tmp_path)
    bars().to_parquet("bars.parquet")
    overrides = [part for text in sets for part in ("--set", text)]
    assert refused(capsys, "--data", "bars.parquet", *mode.split(), *overrides) == told
    assert [path.name for path in tmp_path.iterdir()] == ["bars.parquet"]


def quarters() -> pd.DataFrame:
    """Bars of fifteen minutes over two weeks."""
    frame = embedded.intraday(pd.Timestamp("2023-05-22"), pd.Timestamp("2023-06-09"), 15, 0)
    return frame[frame.symbol.isin(["AAPL", "NVDA"])]


def windowed(*windows: str) -> list[str]:
    common = ["--quiet", "--data", "bars.parquet", "--symbols", "AAPL,NVDA", "--benchmark", "AAPL"]
    return [*common, "--start", "2023-06-05", "--set", f"pace.windows=[{','.join(map(repr, windows))}]"]


def test_scan_windows_that_no_bar_reaches_are_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quarters().to_parquet("bars.parquet")
    for mode in ("", "--scan", "--lookahead 2"):
        told = refused(capsys, *windowed("15:50", "15:55"), *mode.split())
        assert told == (
            "--set: pace.windows: no bar opens at 15:50, 15:55 or soon after, so that nothing could ever be entered; "
            "the bars of 15 minutes open from 09:30 to 15:45 New York, choose times in between or shorter bars"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["bars.parquet"]


def test_a_scan_window_that_no_bar_reaches_is_noted_beside_one_that_is(capsys, tmp_path, shown):
    quarters().to_parquet("bars.parquet")
    note = (
        "scan windows in which no bar opens, so that nothing is entered: 15:55; the bars of 15 minutes open from "
        "09:30 to 15:45 New York"
    )
    assert live_trader.main(["--backtest", *windowed("10:25", "15:55"), "--out", "out"]) == 0
    assert note in Folder(tmp_path / "out").summary["notes"]
    capsys.readouterr()
    assert live_trader.main(["--backtest", "--scan", *windowed("10:25", "15:55")]) == 0
    assert note in " ".join(capsys.readouterr().out.split())
    assert live_trader.main(["--backtest", *windowed("10:25", "15:45"), "--out", "both"]) == 0
    assert not any("scan window" in note for note in Folder(tmp_path / "both").summary["notes"])


def test_an_unusable_folder_is_refused_before_the_run(capsys, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    short = ("--start", "2020-01-02", "--end", "2020-01-31")
    assert "is not empty" in refused(capsys, *short, "--out", str(tmp_path / "full"))
    assert "is a file: --out needs a folder" in refused(capsys, *short, "--out", str(tmp_path / "file"))
    assert "can't be used as --out" in refused(capsys, *short, "--out", str(tmp_path / "file" / "below"))
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"sizing": {"risk_fraction": 0.02}}, "sizing.risk_fraction"),
        ({"sizing": {"risk_frac": "two percent"}}, "sizing.risk_frac"),
        ({"sizing": {"risk_frac": 2}}, "sizing.risk_frac is 2; it is a fraction of 1, write 0.02 for 2%"),
        ({"selection": {"execute": 2.5}}, "selection.execute"),
        ({"strategy": "combinde"}, "combinde is not a known strategy; did you mean combined?"),
        ({"risk": {"chain": ["sector_cap", "sectr_cap"]}}, "sectr_cap is not a known risk module"),
        ({"risk": {"modules": {"sector_cap": {"max_positions": "three"}}}}, "sector_cap.max_positions"),
        ({"risk": {"modules": {"rebalancer": {"max_weight_frac": 15}}}}, "write 0.15 for 15%"),
        ({"signals": {"enabled": ["momentun"]}}, "momentun is not a known signal; did you mean momentum?"),
        ({"exits": {"model": "trailing_stop"}}, "trailing_stop is not a known bracket model"),
    ],
)
def test_a_wrong_setting_in_a_file_is_refused_naming_file_and_key(capsys, tmp_path, settings, told):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(settings))
    out = tmp_path / "out"
    sentence = refused(capsys, "--config", str(path), "--out", str(out))
    assert str(path) in sentence and told in sentence and not out.exists()


def test_a_process_of_its_own_says_one_sentence_and_leaves_with_2(tmp_path):
    """Lumibot, loaded by then, must not add a line of its own."""
    frame = bars()
    frame.loc[5, "close"] = np.nan
    frame.to_csv(tmp_path / "bars.csv", index=False)
    done = subprocess.run(
        [sys.executable, str(ROOT / "live_trader.py"), "--backtest", "--data", "bars.csv"],
        check=False, cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bars.csv: close of AAPL") and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bars.csv"]
