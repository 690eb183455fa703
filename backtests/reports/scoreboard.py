"""The daily scoreboard: what was measured beside what is hoped for, per day and in total."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from backtests.reports.fill_measures import filled_in_time, sectors_by_day, stop_outs
from backtests.reports.halts import HaltScore, halt_scores, halts_told, refusals_of
from backtests.reports.metrics import Figure, max_drawdown, metrics
from brokers.record import EquityRow, OrderRecord, RunRecord, TradeRecord
from monitoring.record_table import Column, RecordTable

_RULE = re.compile(r"[A-Z][A-Z0-9_]*: ")
_LEGS = ("stop", "target")
SCREEN_DAYS = 10
"""Days that a run shows."""


class Goals(BaseModel):
    """What a day is measured against; a goal is met beyond the number, not at it, where there is room beyond."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    win_rate_frac: float = Field(default=0.60, ge=0, le=1, description="share of winning trades, above it")
    profit_factor: float = Field(default=2.5, ge=0, description="profit of winners over loss of losers, above it")
    daily_drawdown_frac: float = Field(default=0.03, gt=0, le=1, description="fall within a day, below it")
    avg_r: float = Field(default=2.0, description="mean R multiple, above it")
    slippage_frac: float = Field(default=0.0005, gt=0, le=1, description="slippage of the traded value, below it")
    interference: int = Field(default=0, ge=0, description="exits by hand beside a working bracket, at most")
    protected_frac: float = Field(default=1.0, ge=0, le=1, description="share of position-time protected, at least")
    filled_frac: float = Field(default=0.95, ge=0, le=1, description="share of entries filled in time, above it")
    patience_s: float = Field(default=30.0, gt=0, description="seconds from the sending within which a fill is in time")
    sectors: int = Field(default=4, ge=1, description="sectors of the entries of a week, at least")


@dataclass(frozen=True, slots=True)
class Score:
    """One measure of one day, or of all of them (``day`` None).

    ``value`` is None where nothing was there to measure, ``met`` then too. ``goal`` is in words.
    """

    day: date | None
    measure: str
    value: Figure
    goal: str
    met: bool | None

    @property
    def text(self) -> str:
        """The value as it is read."""
        return "–" if self.value is None else _FORMS[self.measure].format(self.value)


# Measure, label, goal and how it is met, form.
_MEASURES = (
    ("win_rate", "Win rate", "win_rate_frac", ">", "{:.1%}"),
    ("profit_factor", "Profit factor", "profit_factor", ">", "{:.2f}"),
    ("daily_drawdown", "Maximum daily drawdown", "daily_drawdown_frac", "<", "{:.2%}"),
    ("avg_r", "Average R", "avg_r", ">", "{:+.2f}"),
    ("slippage", "Slippage", "slippage_frac", "<", "{:.3%}"),
    ("interference", "Bracket interference", "interference", "≤", "{:d}"),
    ("protected_share", "Position time protected", "protected_frac", "≥", "{:.2%}"),
    ("filled_in_time", "Filled within 30 s", "filled_frac", ">", "{:.1%}"),
    ("sectors", "Sectors held", "sectors", "≥", "{:d}"),
)
_FORMS = {measure: form for measure, _, _, _, form in _MEASURES}
LABELS = {measure: label for measure, label, _, _, _ in _MEASURES}


def scoreboard(
    record: RunRecord,
    goals: Goals | None = None,
    sectors: Mapping[str, str] | None = None,
    unknown: Collection[str] = (),
) -> list[Score]:
    """Every measure of the whole record, then of each day on which it has equity.

    Parameters
    ----------
    record : RunRecord
        What a run, or a day of trading, left.
    goals : Goals, optional
    sectors : mapping of str to str, optional
        Label of each symbol's sector; without it sectors are not counted.
    unknown : collection of str
        Measures that the record holds nothing of: they have no value.

    Returns
    -------
    list of Score
        ``win_rate``, ``profit_factor``, ``avg_r``
            Of the closed portions, as in the summary; of the day on which they were closed.
        ``daily_drawdown``
            Largest fall from a peak since the previous day's last bar, as a fraction of the peak; the
            largest of all days in total.
        ``slippage``
            Slippage cost over traded value.
        ``interference``
            See ``interferences``; of the day on which the order was sent.
        ``protected_share``
            Share of position-bars in which working stops covered the whole position.
        ``filled_in_time``
            Share of the filled entries whose last fill came within ``goals.patience_s`` of the sending; None in a
            backtest, which fills an entry at the moment it is sent.
        ``sectors``
            How many sectors were held at once, at most: of entries, hedges left out.
    """
    goals = goals or Goals()
    by_day = _days(record)
    closed: dict[date, list[TradeRecord]] = defaultdict(list)
    for trade in record.trades:
        closed[trade.exit_time.date()].append(trade)
    filled: dict[date, list[OrderRecord]] = defaultdict(list)
    for order in record.orders:
        if order.filled_time is not None:
            filled[order.filled_time.date()].append(order)
    drawdowns: list[float] = []
    sent = Counter(order.time.date() for order in interferences(record.orders))
    daily: list[Score] = []
    held = sectors_by_day(record.orders, by_day, sectors)
    before = record.initial_equity
    for day, rows in by_day.items():
        drawdown = max_drawdown(np.array([before, *(row.equity for row in rows)]))
        before = rows[-1].equity
        if drawdown is not None:
            drawdowns.append(drawdown)
        values = _of_trades(closed[day]) | {"daily_drawdown": drawdown, "interference": sent[day]}
        values |= _of_day(rows, filled[day])
        values |= {"filled_in_time": filled_in_time(filled[day], goals.patience_s), "sectors": held.get(day)}
        daily += _scores(day, values, goals, unknown)
    values = _of_trades(record.trades) | _totals(record)
    values |= {"daily_drawdown": max(drawdowns, default=None), "interference": sent.total()}
    values |= {
        "filled_in_time": filled_in_time(record.orders, goals.patience_s),
        "sectors": max((count for count in held.values() if count is not None), default=None),
    }
    return _scores(None, values, goals, unknown) + daily


def interferences(orders: Iterable[OrderRecord]) -> list[OrderRecord]:
    """Exits by hand while the bracket of the position was there to do it.

    An order counts that closes (role ``close``), was filled or still works, names no rule in its
    ``reason``, and was sent while neither the stop nor the target of the symbol's newest bracket had
    filled. Rules may close a position at any time and name themselves (``STALE_EXIT: …``); trims and
    partial sales leave the bracket working for the rest, so that they don't count either.
    """
    orders = list(orders)
    parents = {order.client_order_id: order for order in orders}
    groups: dict[str, list[OrderRecord]] = {}
    for order in orders:
        if order.role in _LEGS and order.parent_id in parents:
            groups.setdefault(order.parent_id, []).append(order)
    began: dict[str, list[tuple[datetime, str]]] = {}
    for name, legs in groups.items():
        # The legs of an entry wait for its fill, those that protect a position afresh work at once.
        parent = parents[name]
        since = legs[0].time if parent.role == "close" else parent.filled_time
        if since is not None:
            began.setdefault(parent.symbol, []).append((since, name))
    found = []
    for order in orders:
        by_hand = order.role == "close" and order.client_order_id not in groups and not _RULE.match(order.reason)
        if not by_hand or order.status not in ("filled", "working"):
            continue
        newest = max((group for group in began.get(order.symbol, []) if group[0] <= order.time), default=None)
        legs = groups[newest[1]] if newest else []
        if legs and all(leg.filled_time is None or leg.filled_time >= order.time for leg in legs):
            found.append(order)
    return found


def scoreboard_screen(
    scores: Sequence[Score],
    last_days: int,
    stopped: Mapping[str, tuple[int, int]] | None = None,
    halts: Sequence[HaltScore] = (),
) -> RenderableType:
    """The scoreboard as something rich can print: the whole record, then its last days, newest first.

    ``stopped`` is what ``stop_outs`` found, ``halts`` what ``halt_scores`` did.
    """
    total = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    total.add_column("")
    for heading in ("measured", "goal", "met"):
        total.add_column(heading, justify="right")
    for score in scores:
        if score.day is None:
            total.add_row(LABELS[score.measure], score.text, score.goal, _met(score))
    days: dict[date, list[Score]] = {}
    for score in scores:
        if score.day is not None:
            days.setdefault(score.day, []).append(score)
    shown = [measure for measure in LABELS if measure != "sectors"]
    labels = (LABELS[measure].replace("Maximum daily", "Daily") for measure in shown)
    daily = RecordTable([Column("day"), *(Column(label, right=True) for label in labels)])
    for day in sorted(days, reverse=True)[:last_days]:
        found = {score.measure: score for score in days[day]}
        daily.add(f"{day}", *(Text(found[name].text, style=_STYLES[found[name].met]) for name in shown))
    note = Text("Measured on this record alone; it says nothing about what comes.", style="dim")
    told = [
        Text(f"stopped out: {name or 'signal unknown'} {count} of {trades}, {count / trades:.0%}")
        for name, (count, trades) in (stopped or {}).items()
    ]
    told += [Text(line) for line in halts_told([(halt.text, halt.refused) for halt in halts])]
    return Group(total, *told, "", daily, "", note) if days else Group(total, *told, "", note)


def scoreboard_of(record: RunRecord, sectors: Mapping[str, str]) -> RenderableType:
    """The scoreboard of a record as a run prints it."""
    halts = halt_scores(record.halts, refusals_of(record))
    return scoreboard_screen(scoreboard(record, sectors=sectors), SCREEN_DAYS, stop_outs(record.trades), halts)


_STYLES = {True: "green", False: "red", None: "dim"}


def _met(score: Score) -> Text:
    word = {True: "yes", False: "no", None: "–"}[score.met]
    return Text(word, style=_STYLES[score.met])


def _scores(day: date | None, values: dict[str, Figure], goals: Goals, unknown: Collection[str]) -> list[Score]:
    scores = []
    for measure, _, goal, sense, form in _MEASURES:
        wanted, value = getattr(goals, goal), None if measure in unknown else values.get(measure)
        met = None if value is None else _reached(value, sense, wanted)
        scores.append(Score(day, measure, value, f"{sense} {form.format(wanted)}", met))
    return scores


def _reached(value: float, sense: str, wanted: float) -> bool:
    return {">": value > wanted, "<": value < wanted, "≤": value <= wanted, "≥": value >= wanted}[sense]


def _of_trades(trades: list[TradeRecord]) -> dict[str, Figure]:
    figures = metrics(RunRecord(trades=trades))
    return {name: figures[name] for name in ("win_rate", "profit_factor", "avg_r")}


def _of_day(rows: list[EquityRow], filled: list[OrderRecord]) -> dict[str, Figure]:
    traded = sum(order.filled_quantity * (order.filled_price or 0) for order in filled)
    held = sum(row.positions for row in rows)
    return {
        "slippage": sum(order.slippage_usd for order in filled) / traded if traded > 0 else None,
        "protected_share": sum(row.protected for row in rows) / held if held else None,
    }


def _totals(record: RunRecord) -> dict[str, Figure]:
    return {
        "slippage": record.slippage_cost / record.turnover if record.turnover > 0 else None,
        "protected_share": metrics(record)["protected_share"],
    }


def _days(record: RunRecord) -> dict[date, list[EquityRow]]:
    days: dict[date, list[EquityRow]] = {}
    for row in record.equity:
        # A bar that closes at midnight ends its day.
        days.setdefault((row.time - timedelta(microseconds=1)).date(), []).append(row)
    return days
