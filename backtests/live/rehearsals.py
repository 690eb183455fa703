"""What a rehearsal needs that a run on a real venue doesn't: its days, and settings that point to this machine."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
from pydantic import SecretStr

from backtests.request import RunRequest
from config import Refusal, Settings
from config.values.secrets import Secrets

REHEARSED_SESSIONS = 3
LIVELY_EMBEDDED = date(2022, 5, 6)
"""A day of the embedded data from which on there is something to see."""
PAPER_PARTIAL_FILLS = 0.1
"""Alpaca's paper venue fills so many orders in parts."""
FAST_DAILY, FAST_INTRADAY = 1_200.0, 120.0


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


def rehearsed(settings: Settings, server: Any, speed: float, request: RunRequest, daily: bool) -> Settings:
    """The settings of a run against a venue on this machine: its address, its keys, its time, its own state."""
    assert request.out is not None
    alpaca = settings.broker.alpaca.model_copy(
        update={"trading_url": server.url, "data_url": server.url, "stream_url": server.stream_url}
    )
    pace = settings.pace.model_copy(update={"speed": speed, **({"bars": 1440} if daily else {})})
    changed = settings.model_copy(
        update={
            "broker": settings.broker.model_copy(update={"alpaca": alpaca}),
            "pace": pace,
            "live": settings.live.model_copy(update={"state_dir": str(request.out / "state"), "yahoo": False}),
        }
    )
    changed._secrets = Secrets(
        ALPACA_API_KEY=SecretStr(server.key),
        ALPACA_API_SECRET=SecretStr(server.secret),
        NOTIFY_URLS=settings.secrets.NOTIFY_URLS,
    )
    return changed


def cents(usd: float) -> Decimal:
    """An amount to the cent."""
    return Decimal(str(round(usd, 2)))
