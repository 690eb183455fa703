"""What ``explain`` says of a run on real bars, worked out anew from bars, fills and equity, without any rule's code."""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import redirect_stdout
from datetime import date, datetime, timedelta
from functools import cached_property
from math import floor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from commands.app import main
from config import load
from tests.conftest import SHARED_DATA

pytestmark = [pytest.mark.shared, pytest.mark.slow]
DATA = SHARED_DATA / "daily_universe.parquet"
NEW_YORK = ZoneInfo("America/New_York")
SETTINGS = (
    "selection.min_confidence=0.5", "selection.a_plus_score=62.5", "selection.execute=4", "gate.max_new_positions=20",
    "gate.max_day_notional_frac=1.0", 'signals.enabled=["mean_reversion","momentum","trend"]',
)  # fmt: skip
EACH, KINDS = 2, {"exposure_budget", "streak_halt", "sector_cap", "correlation_cap", "peak_halt"}
"""So many refusals of each of these rules are worked out anew."""
RESIZES = 3


def told(*words: str) -> dict[str, Any]:
    said = io.StringIO()
    with redirect_stdout(said):
        assert main(["explain", *words, "--json"]) == 0
    return json.loads(said.getvalue())


class Account:
    """The account at each decision, from the files of the run and the bars alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.decisions = [json.loads(line) for line in (folder / "decisions.jsonl").read_text().splitlines()]
        self.orders = [o for o in self._rows("orders.csv") if float(o["filled_quantity"] or 0) > 0]
        self.trades, self.equity = self._rows("trades.csv"), self._rows("equity.csv")

    def _rows(self, name: str) -> list[dict[str, str]]:
        with (self.folder / name).open(newline="") as file:
            return list(csv.DictReader(file))

    @cached_property
    def closes(self) -> pd.DataFrame:
        bars = pd.read_parquet(DATA)
        bars["datetime"] = pd.to_datetime(bars["datetime"])
        return bars.pivot(index="datetime", columns="symbol", values="close")

    @cached_property
    def sectors(self) -> dict[str, str]:
        return dict(load().universe.sectors)

    def before(self, at: datetime) -> pd.DataFrame:
        """Closes of the days that were over at a moment."""
        return self.closes[self.closes.index.date < at.date()]

    def held(self, at: datetime) -> dict[str, float]:
        """USD at entry prices of each position that is open at a moment."""
        shares: dict[str, float] = {}
        cost: dict[str, float] = {}
        for o in sorted(self.orders, key=lambda o: o["filled_time"]):
            if datetime.fromisoformat(o["filled_time"]) < at:
                quantity = float(o["filled_quantity"]) * (1 if o["side"].startswith("buy") else -1)
                s = o["symbol"]
                shares[s] = shares.get(s, 0.0) + quantity
                if quantity > 0:
                    cost[s] = cost.get(s, 0.0) + quantity * float(o["filled_price"])
                elif abs(shares[s]) < 1e-9:
                    cost[s] = 0.0
        return {s: usd for s, usd in cost.items() if usd > 0}

    def accepted(self, at: datetime, until: str) -> dict[str, float]:
        """USD of what the same scan accepted before it came to a symbol."""
        found: dict[str, float] = {}
        for d in self.decisions:
            if datetime.fromisoformat(d["time"]) == at:
                if d["symbol"] == until:
                    break
                if d["outcome"] != "refused":
                    found[d["symbol"]] = d["final_quantity"] * d["price"]
        return found

    def last_equity(self, at: datetime) -> float:
        return float([e for e in self.equity if datetime.fromisoformat(e["time"]) < at][-1]["equity"])


@pytest.fixture(scope="module")
def account(tmp_path_factory) -> Account:
    folder = tmp_path_factory.mktemp("real") / "run"
    chosen = [word for setting in SETTINGS for word in ("--set", setting)]
    with redirect_stdout(io.StringIO()):
        status = main([
            "backtest", "--engine", "replay", "--data", str(DATA), "--start", "2018-01-02", "--end", "2019-09-30",
            "--no-report", "--quiet", "--out", str(folder), *chosen,
        ])  # fmt: skip
    assert status == 0
    return Account(folder)


def explained(account: Account, outcome: str, module: str, most: int) -> list[SimpleNamespace]:
    """What ``explain`` says of the first decisions that a rule refused or shrank, on days of their own."""
    found: list[SimpleNamespace] = []
    for d in account.decisions:
        acted = [v for v in d["verdicts"] if v["code"] != "OK" and (v["after"] <= 0 or v["after"] < v["before"])]
        if d["outcome"] != outcome or not acted or acted[-1]["module"] != module:
            continue
        at = datetime.fromisoformat(d["time"])
        if len(found) < most and all(f.at.date() != at.date() for f in found):
            answer = told(d["symbol"], "--at", d["time"], "--run", str(account.folder))
            (story,) = answer["stories"]
            assert datetime.fromisoformat(story["decision"]["time"]) == at
            assert story["bound_by"].partition(":")[0] == module and story["change"]
            (binding,) = [v for v in story["verdicts"] if v["binding"]]
            found.append(SimpleNamespace(at=at, symbol=d["symbol"], price=d["price"], story=story, verdict=binding))
    return found


def next_opening(day: date, account: Account) -> datetime:
    following = account.closes.index[account.closes.index.date > day][0]
    return datetime(following.year, following.month, following.day, 9, 30, tzinfo=NEW_YORK)


def unlocks(case: SimpleNamespace) -> datetime:
    return datetime.fromisoformat(case.story["unlocks"])


def check_exposure_budget(account: Account, case: SimpleNamespace) -> None:
    held, new = account.held(case.at), account.accepted(case.at, case.symbol)
    inputs, code = case.verdict["inputs"], case.verdict["code"]
    assert inputs["day_positions"] == len(new)
    # Of those accepted before it as much is promised as they may cost at the quote: 5% more, within a tenth of equity.
    tenth = 0.1 * account.last_equity(case.at)
    promised = inputs["week_usd"] - sum(held.values())
    assert sum(new.values()) - 0.01 <= promised <= sum(min(1.05 * usd, max(usd, tenth)) for usd in new.values()) + 0.01
    if "day 2/2" in code:
        assert len(new) == 2 and unlocks(case) == next_opening(case.at.date(), account)
    else:
        room = 0.4 * account.last_equity(case.at) - inputs["week_usd"]
        assert floor(room / case.price) * case.price < 0.03 * account.last_equity(case.at)
        sunday = case.at.date() + timedelta(days=6 - case.at.weekday())
        assert unlocks(case) == next_opening(sunday, account)


def check_streak_halt(account: Account, case: SimpleNamespace) -> None:
    ended = sorted(
        (t["exit_time"], float(t["pnl"])) for t in account.trades
        if t["signal"] != "inverse_hedge" and datetime.fromisoformat(t["exit_time"]) < case.at
    )  # fmt: skip
    days = [datetime.fromisoformat(time).date() for time, _ in ended]
    runs = [k for k in range(5, len(ended) + 1) if all(pnl < 0 for _, pnl in ended[k - 5 : k])]
    since = account.closes.index[account.closes.index.date < case.at.date()][-5].date()
    assert any(days[k - 1] >= since for k in runs), "five losing trades in a row within five sessions"
    assert case.at < unlocks(case) <= case.at + timedelta(days=10)
    assert unlocks(case) == next_opening(unlocks(case).date() - timedelta(days=1), account)


def check_sector_cap(account: Account, case: SimpleNamespace) -> None:
    sector = account.sectors[case.symbol]
    longs = [s for s in {**account.held(case.at), **account.accepted(case.at, case.symbol)}
             if not account.sectors[s].startswith("inverse")]  # fmt: skip
    alike = sum(account.sectors[s] == sector for s in longs)
    share = (alike + 1) / (len(longs) + 1)
    assert (alike >= 3) or share > 0.4
    shown = re.search(r"share ([0-9.]+)", case.verdict["code"])
    assert shown is None or float(shown[1]) == pytest.approx(share, abs=0.006)
    assert sector in case.story["change"] and case.story["unlocks"] is None


def check_correlation_cap(account: Account, case: SimpleNamespace) -> None:
    returns = account.before(case.at).pct_change(fill_method=None).tail(60)
    alike = case.verdict["inputs"]["alike"]
    there = {**account.held(case.at), **account.accepted(case.at, case.symbol)}
    assert len(alike) >= 3 and set(alike) <= set(there)
    for other, value in alike.items():
        assert value == pytest.approx(returns[case.symbol].corr(returns[other]), abs=0.001) and value > 0.7


def check_peak_halt(account: Account, case: SimpleNamespace) -> None:
    past = [float(e["equity"]) for e in account.equity if datetime.fromisoformat(e["time"]) < case.at]
    assert case.verdict["inputs"]["equity"] == pytest.approx(past[-1])
    assert case.verdict["inputs"]["equity_peak"] == pytest.approx(max(past))
    assert 1 - min(past[-5:]) / max(past) > 0.1
    assert case.at < unlocks(case) <= case.at + timedelta(days=10)


CHECKS = {
    "exposure_budget": check_exposure_budget, "streak_halt": check_streak_halt, "sector_cap": check_sector_cap,
    "correlation_cap": check_correlation_cap, "peak_halt": check_peak_halt,
}  # fmt: skip


@pytest.mark.parametrize("module", sorted(KINDS))
def test_ten_refusals_are_as_explained(account, module):
    cases = explained(account, "refused", module, EACH)
    assert len(cases) == EACH
    for case in cases:
        CHECKS[module](account, case)


def test_six_resizes_are_as_explained(account):
    shared = explained(account, "resized", "allocation", RESIZES)
    fitted = explained(account, "resized", "exposure_budget", RESIZES)
    assert len(shared) == len(fitted) == RESIZES
    for case in shared:
        signals = int(re.search(r"(\d+) signals", case.verdict["code"])[1])
        assert case.verdict["after"] == floor(0.2 / signals * account.last_equity(case.at) / case.price)
    for case in fitted:
        deployed = sum(account.held(case.at).values()) + sum(account.accepted(case.at, case.symbol).values())
        assert case.verdict["after"] == floor((0.4 * account.last_equity(case.at) - deployed) / case.price)


def test_five_silent_symbols_lack_what_is_said(account):
    at = datetime(2019, 3, 14, 9, 30, tzinfo=NEW_YORK)
    silent = {r["symbol"]: r["text"] for r in told(at.isoformat(), "--run", str(account.folder))["not_proposed"]}
    closes = account.before(at)
    checked = 0
    for symbol, text in sorted(silent.items()):
        if (said := re.search(r"RSI\(14\) ([0-9.]+), needs below 30", text)) is None:
            continue
        moves = closes[symbol].dropna().diff().iloc[1:]
        up = moves.clip(lower=0).ewm(alpha=1 / 14, adjust=False).mean().iloc[-1]
        down = (-moves.clip(upper=0)).ewm(alpha=1 / 14, adjust=False).mean().iloc[-1]
        rsi = 100 - 100 / (1 + up / down)
        assert float(said[1]) == pytest.approx(rsi, abs=0.11) and rsi >= 30
        if (high := re.search(r"needs above ([0-9.]+), the 20-bar high", text)) is not None:
            assert float(high[1]) >= closes[symbol].iloc[-1]
        checked += 1
    assert checked >= 5
