"""Scenes about the whole account: sectors, stops as wide as the market moves, the hedge, and later data."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pandas as pd

from commands.demonstration.bars import CRYPTO, crypto_slide, overheated, two_years
from commands.demonstration.history import FILE, Run, backtest
from commands.demonstration.scene import Scene, Seen, Stage

CENT_FRAC = 0.005
"""Of equity: what prices move between a decision and its order."""


def one_sector(stage: Stage, seen: Seen) -> None:
    """Five shares that are one bet, all of them cheap on the same day."""
    run = backtest(stage, crypto_slide())
    orders = run.table("orders")
    filled = orders[orders["status"] == "filled"].sort_values("filled_time", kind="stable")
    most = _most_held(filled, CRYPTO)
    refused = [d["symbol"] for d in run.decisions if d["outcome"] == "refused" and d["symbol"] in CRYPTO]
    equity = run.table("equity")
    lowest = float((equity["cash"] / equity["equity"]).min())
    largest = _largest_day(filled[filled["role"] == "entry"], equity)
    seen.say(
        f"{len(refused)} entries of crypto shares refused, e.g. {run.refusal('sector_cap') or 'none by sector_cap'}"
    )
    seen.say(f"at most {most} of them held; at most {largest:.1%} deployed in a day; cash never below {lowest:.0%}")
    seen.check("at most 3 of the 5 held at once", most <= 3)
    seen.check("sector_cap refused some", run.refused_by["sector_cap"])
    seen.check("at most 20% deployed in a day", 0 < largest <= 0.20 + CENT_FRAC)
    seen.check("at least 15% of the account in cash", lowest >= 0.15)


def stop_widths(stage: Stage, seen: Seen) -> None:
    """How far stops lie from the price, for a wild share and a calm one."""
    run = backtest(stage, two_years(), "exits.model=atr")
    widths: dict[str, list[float]] = defaultdict(list)
    for entry in run.entries:
        widths[entry["symbol"]].append(1 - entry["stop"] / entry["price"])
    mean = {symbol: sum(found) / len(found) for symbol, found in widths.items()}
    wild, calm = mean.get("MARA", 0.0), mean.get("AAPL", 1.0)
    seen.say(f"stops of entries, on average: MARA {wild:.1%} away, AAPL {calm:.1%}: {wild / calm:.1f} times as far")
    seen.check("MARA's stop is 3 times as far or more", wild >= 3 * calm)


def stop_outs(stage: Stage, seen: Seen) -> None:
    """The same entries with stops of 1.5% and of 2.5 ATR."""
    common = ("signals.enabled=[momentum]", "exits.models.fixed.stop_frac=0.015")
    fixed = _stopped(backtest(stage, two_years(), *common, "exits.model=fixed", name="fixed"))
    wide = _stopped(backtest(stage, two_years(), *common, "exits.model=atr", name="atr"))
    seen.say(f"stopped out: {fixed:.0%} of trades with 1.5%, {wide:.0%} with 2.5 ATR")
    seen.check("at least 30% fewer", wide <= 0.7 * fixed)


def hedge(stage: Stage, seen: Seen) -> None:
    """Leaders that have risen for weeks."""
    run = backtest(stage, overheated())
    bought = [d for d in run.entries if d["signal"] == "inverse_hedge"]
    equity = run.table("equity")
    largest = float((equity["inverse_exposure"] / equity["equity"]).max())
    if bought:
        first = bought[0]
        quantity, symbol = f"{first['final_quantity']:g}", first["symbol"]
        seen.say(
            f"{first['time'][:10]}: buy {quantity} {symbol}, stop {first['stop']:.2f}, target {first['target']:.2f}"
        )
    seen.say(f"at most {largest:.1%} of the account in inverse funds")
    seen.check("the hedge was bought, with stop and target", bought)
    seen.check("at most 20% of the account", largest <= 0.20 + CENT_FRAC)


def later_data(stage: Stage, seen: Seen) -> None:
    """The same backtest on data that end earlier, and on data that are invented from there on."""
    path = stage.folder / FILE
    crypto_slide().to_csv(path, index=False)
    said = stage.run("lookahead", "--cuts", "2", "--data", str(path), "--benchmark", "SPY", *stage.settings())
    for line in said.text.strip().splitlines()[-2:]:
        seen.say(line.strip())
    seen.check("no decision changed", said.status == 0 and "no look-ahead" in said.text)


def _most_held(filled: pd.DataFrame, symbols: tuple[str, ...]) -> int:
    held: dict[str, float] = defaultdict(float)
    most = 0
    for row in filled.to_dict("records"):
        held[row["symbol"]] += row["filled_quantity"] * (1 if row["side"] == "buy" else -1)
        most = max(most, sum(held[symbol] > 0 for symbol in symbols))
    return most


def _largest_day(entries: pd.DataFrame, equity: pd.DataFrame) -> float:
    if entries.empty:
        return 0.0
    spent = (entries["filled_quantity"] * entries["filled_price"]).groupby(entries["filled_time"].str[:10]).sum()
    before: Any = equity.groupby(equity["time"].str[:10])["equity"].first()
    return float((spent / before.reindex(spent.index)).max())


def _stopped(run: Run) -> float:
    trades = run.table("trades")
    trades = trades[trades["signal"] == "momentum"]
    return float((trades["exit_reason"] == "stop").mean()) if len(trades) else 0.0


SCENES = (
    Scene(
        "sectors",
        "Nine positions, one bet, 0.27% of the account in cash",
        "Seven of nine positions were crypto and growth, each 10%: one bet, and no cash for another.",
        "risk-first backtest --data bars.csv",
        one_sector,
    ),
    Scene(
        "widths",
        "The same stop for every share",
        "A stop of 1.5% on MARA, which moves 8% on an ordinary day, sold at once.",
        "risk-first backtest --set exits.model=atr",
        stop_widths,
    ),
    Scene(
        "stop-outs",
        "Stopped out by noise",
        "83% of trades with fixed stops ended at the stop.",
        "risk-first backtest --set exits.model=fixed, then atr",
        stop_outs,
    ),
    Scene(
        "hedge",
        "Nothing earns when the market falls",
        "The bot could only buy; after weeks of rises it bought more.",
        "risk-first backtest --data overheated.csv",
        hedge,
    ),
    Scene(
        "lookahead",
        "A backtest that knows tomorrow",
        "Backtests read bars that were not over, and live trading could not repeat them.",
        "risk-first lookahead --cuts 2",
        later_data,
    ),
)
