"""Whole runs from the command line: the files that they leave behind."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

import live_trader
from backtests import embedded
from tests.backtests.commands import Folder

COLUMNS = {
    "orders.csv": "time,client_order_id,parent_id,symbol,side,quantity,type,limit_price,stop_price,role,status,"
    "filled_quantity,filled_price,filled_time,reason,sent_time,slippage_usd",
    "trades.csv": "symbol,side,quantity,entry_time,entry_price,exit_time,exit_price,stop,target,atr,stop_multiple,"
    "pnl,r_multiple,exit_reason,signal,score",
    "equity.csv": "time,equity,cash,long_exposure,inverse_exposure,positions",
}
DECISION_KEYS = {
    "time", "symbol", "side", "signal", "score", "price", "stop", "target", "atr", "proposed_quantity",
    "final_quantity", "outcome", "verdicts",
}  # fmt: skip
SUMMARY_KEYS = {
    "mode", "strategy", "profile", "evidence", "data_source", "data_hash", "config_hash", "start", "end", "symbols",
    "fill_assumptions", "initial_equity", "final_equity", "metrics", "seconds", "versions",
}  # fmt: skip
METRIC_KEYS = {
    "trades", "win_rate", "avg_win", "avg_loss", "avg_r", "profit_factor", "max_drawdown", "sharpe", "sortino", "cagr",
    "exposure", "turnover", "slippage_cost", "fees", "rejected", "resized", "protected_share",
}  # fmt: skip
ACTIVE = (
    "--backtest", "--quiet", "--start", "2018-01-02",
    "--set", "selection.min_confidence=0.5", "--set", "risk.chain-=[peak_halt,streak_halt]",
)  # fmt: skip
"""So many entries that every kind of record is in it."""


@pytest.fixture(scope="module")
def active(tmp_path_factory) -> Folder:
    """Up to the end of the embedded days, where a position is still open."""
    path = tmp_path_factory.mktemp("active") / "run"
    assert live_trader.main([*ACTIVE, "--out", str(path)]) == 0
    return Folder(path)


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
    assert s["evidence"].startswith("profile active: NO EDGE FOUND; ")
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
    assert {name: m[name] for name in expected} == pytest.approx(expected, rel=1e-6, abs=1e-8)
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
    (named,) = active.summary["open_positions"]
    assert (named["symbol"], named["quantity"], named["price"]) == (symbol, left[symbol], close)
    assert named["unrealised"] == pytest.approx(unrealised, abs=0.005)
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


@pytest.mark.slow
def test_the_same_run_writes_the_same_bytes(active, tmp_path):
    assert live_trader.main([*ACTIVE, "--out", str(tmp_path / "again")]) == 0
    again = Folder(tmp_path / "again")
    one, two = active.files(), again.files()
    assert one.keys() == two.keys() and len(one) >= 8
    summaries = [json.loads(files.pop("summary.json")) for files in (one, two)]
    for summary in summaries:
        summary["seconds"] = None
    assert one == two and summaries[0] == summaries[1]


@pytest.mark.slow
def test_a_run_goes_where_it_belongs_and_overwrites_only_when_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    argv = ["--backtest", "--quiet", "--profile", "swing", "--start", "2020-03-02", "--end", "2020-03-31"]
    assert live_trader.main(argv) == 0
    folder = tmp_path / "runs" / "backtest-swing-2020-03-02"
    assert (folder / "summary.json").is_file() and [path.name for path in tmp_path.iterdir()] == ["runs"]
    before = (folder / "summary.json").read_bytes()
    assert live_trader.main([*argv, "--out", str(folder)]) == 2
    assert "is not empty: choose another --out or add --overwrite" in capsys.readouterr().err
    assert (folder / "summary.json").read_bytes() == before
    (folder / "notes.txt").write_text("mine")
    assert live_trader.main([*argv[:-1], "2020-03-30", "--overwrite"]) == 0
    assert json.loads((folder / "summary.json").read_text())["end"].startswith("2020-03-30")
    assert (folder / "notes.txt").read_text() == "mine"
