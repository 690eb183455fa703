"""What a rehearsal needs that a run on a real venue doesn't: its days, and settings that point to this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
from pydantic import SecretStr

from backtests.request import RunRequest
from backtests.run_data import data_for, told_days
from config import Refusal, Settings
from config.values.counting import counted
from config.values.secrets import Secrets
from market.bar_tables import to_frame
from market.bars import BarTable
from market.trading_day import days_of, use_day_of

REHEARSED_SESSIONS = 3
LIVELY_EMBEDDED = date(2022, 5, 6)
"""A day of the embedded data from which on there is something to see."""
PAPER_PARTIAL_FILLS = 0.1
"""Alpaca's paper venue fills so many orders in parts."""
FAST_DAILY, FAST_INTRADAY = 1_200.0, 120.0
KRAKEN = "kraken"


def window_of(request: RunRequest, days: pd.DatetimeIndex) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last day of a rehearsal: as asked for, else a few days."""
    begin = request.start or (LIVELY_EMBEDDED if request.data == "embedded" and request.end is None else None)
    if begin is None:
        end = pd.Timestamp(request.end) if request.end else days[-1]
        return days[days <= end][-REHEARSED_SESSIONS:][0], end
    start = pd.Timestamp(begin)
    following = days[days >= start][:REHEARSED_SESSIONS]
    if following.empty:
        raise Refusal(f"--start {start.date()}: the data end on {days[-1].date()}; give an earlier day")
    return start, pd.Timestamp(request.end) if request.end else following[-1]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A venue on this machine, not yet started, what is said of it, and the bars that it plays if they are a table.

    ``source`` names the bars, ``hash`` identifies them, ``notes`` is what a reader must know of them.
    """

    server: Any
    speed: float
    daily: bool
    told: str
    source: str
    hash: str = ""
    notes: tuple[str, ...] = ()
    bars: BarTable | None = None


def rehearsal_of(request: RunRequest) -> Rehearsal:
    """The exchange that a rehearsal runs against: the one that its settings trade at."""
    return _kraken(request) if request.settings.broker.venue == KRAKEN else _alpaca(request)


def _alpaca(request: RunRequest) -> Rehearsal:
    from brokers.rehearsal.alpaca.server import RehearsalServer
    from brokers.rehearsal.core.faults import FaultPlan
    from brokers.rehearsal.core.settings import VenueSettings

    data = data_for(request, request.settings)
    table = data.table
    days = pd.DatetimeIndex(table.opens_at.tz_localize(None).normalize().unique())
    start, end = window_of(request, days)
    speed = request.speed or (FAST_DAILY if table.daily else FAST_INTRADAY)
    cash = VenueSettings(cash_usd=cents(request.budget), seed=request.seed)
    crumbs = FaultPlan(seed=request.seed, partial_fill_frac=PAPER_PARTIAL_FILLS)
    sessions = int(((days >= start) & (days <= end)).sum())
    server = RehearsalServer(
        to_frame(table), start=start.date(), sessions=sessions or None, settings=cash, venue_faults=crumbs, speed=speed
    )
    told = f"{data.source} from {start.date()}, {counted(sessions, 'session')}, {speed:g} times as fast"
    if days_told := told_days(request.settings, table):
        told = f"{told}, {days_told}"
    return Rehearsal(server, speed, table.daily, told, data.source, data.hash, data.notes, table)


def _kraken(request: RunRequest) -> Rehearsal:
    from brokers.rehearsal.core.faults import FaultPlan
    from brokers.rehearsal.kraken.reference.synthetic_bars import NOTE, synthetic_bars
    from brokers.rehearsal.kraken.server import KrakenServer
    from brokers.rehearsal.kraken.settings import KrakenSettings

    data_hash, notes = "", tuple[str, ...]()
    if request.data == "embedded":
        frame, source = synthetic_bars(request.seed), NOTE
        # The lively day of the embedded stocks is none of these bars: their last days are played.
        request = replace(request, data="synthetic")
    else:
        data = data_for(request, request.settings)
        frame, source, data_hash, notes = to_frame(data.table), data.source, data.hash, data.notes
    use_day_of(request.settings.pace.day)
    days = pd.DatetimeIndex(days_of(pd.DatetimeIndex(pd.to_datetime(frame["datetime"], utc=True)))).unique()
    start, end = window_of(request, days.sort_values())
    speed = request.speed or FAST_INTRADAY
    sessions = int(((days >= start) & (days <= end)).sum())
    server = KrakenServer(
        frame,
        start=start.date(),
        sessions=sessions or None,
        settings=KrakenSettings(
            cash_usd=cents(request.budget), seed=request.seed, tier=request.settings.broker.kraken.tier
        ),
        venue_faults=FaultPlan(seed=request.seed, partial_fill_frac=PAPER_PARTIAL_FILLS),
        speed=speed,
    )
    told = f"{source}, from {start.date()}, {counted(sessions, 'day')}, {speed:g} times as fast"
    return Rehearsal(server, speed, False, told, source, data_hash, notes)


def rehearsed(settings: Settings, server: Any, speed: float, request: RunRequest, daily: bool) -> Settings:
    """The settings of a run against a venue on this machine: its address, its keys, its time, its own state."""
    assert request.out is not None
    broker, secrets = settings.broker, {"KEY": SecretStr(server.key), "SECRET": SecretStr(server.secret)}
    if broker.venue == KRAKEN:
        changes: dict[str, Any] = {"kraken": broker.kraken.model_copy(update={"url": server.url})}
    else:
        urls = {"trading_url": server.url, "data_url": server.url, "stream_url": server.stream_url}
        changes = {"alpaca": broker.alpaca.model_copy(update=urls)}
    pace = settings.pace.model_copy(update={"speed": speed, **({"bars": 1440} if daily else {})})
    changed = settings.model_copy(
        update={
            "broker": broker.model_copy(update=changes),
            "pace": pace,
            "live": settings.live.model_copy(update={"state_dir": str(request.out / "state"), "yahoo": False}),
        }
    )
    prefix = f"{broker.venue.upper()}_API_"
    changed._secrets = Secrets(
        NOTIFY_URLS=settings.secrets.NOTIFY_URLS,
        **{f"{prefix}{name}": secret for name, secret in secrets.items()},
    )
    return changed


def cents(usd: float) -> Decimal:
    """An amount to the cent."""
    return Decimal(str(round(usd, 2)))
