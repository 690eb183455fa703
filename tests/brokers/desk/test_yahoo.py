"""Yahoo's bars in the lengths that a live run asks for."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from brokers.desk.data.bar_collector import BarCollector
from brokers.desk.data.yahoo import YahooFallback

START = datetime(2023, 3, 7, tzinfo=UTC)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lengths asked for; a session's first hours answer, in bars of thirty minutes."""
    lengths: list[str] = []
    times = pd.date_range("2023-03-07 09:30", periods=5, freq="30min", tz="America/New_York")
    rows = {"Open": [1, 2, 3, 4, 5], "High": [2, 9, 4, 5, 6], "Low": [1, 1, 2, 0.5, 4], "Close": [2, 3, 4, 5, 6]}
    frame = pd.DataFrame({**rows, "Volume": [10.0] * 5}, index=times)

    def history(interval: str, **_: Any) -> pd.DataFrame:
        lengths.append(interval)
        return frame if interval == "30m" else frame.iloc[:0]

    monkeypatch.setitem(sys.modules, "yfinance", SimpleNamespace(Ticker=lambda _: SimpleNamespace(history=history)))
    return lengths


@pytest.mark.parametrize("minutes", [1, 5, 15, 60, 1440])
@pytest.mark.parametrize("sessions", [True, False])
def test_every_length_that_is_asked_for_has_a_name(asked, minutes, sessions):
    found = YahooFallback().bars("SPY", BarCollector(["SPY"], minutes, sessions).times.asked_minutes, START)
    assert set(found) == {"symbol", "datetime", "open", "high", "low", "close", "volume"}


def test_a_class_share_is_asked_for_as_yahoo_writes_it(asked, monkeypatch):
    names: list[str] = []
    inner = sys.modules["yfinance"].Ticker
    monkeypatch.setattr(sys.modules["yfinance"], "Ticker", lambda name: names.append(name) or inner(name))
    found = YahooFallback().bars("BRK.B", 60, START)
    assert names == ["BRK-B"]
    assert set(found["symbol"]) == {"BRK.B"}


def test_hours_begin_on_the_clock(asked):
    found = YahooFallback().bars("SPY", 60, START)
    assert [time.strftime("%H:%M") for time in found["datetime"]] == ["14:00", "15:00", "16:00"]
    assert found[["open", "high", "low", "close", "volume"]].to_numpy().tolist() == [
        [1, 2, 1, 2, 10], [2, 9, 1, 4, 20], [4, 6, 0.5, 6, 20],
    ]  # fmt: skip


def test_no_bars_are_no_hours(asked, monkeypatch):
    frame = pd.DataFrame()
    monkeypatch.setattr(sys.modules["yfinance"], "Ticker", lambda _: SimpleNamespace(history=lambda **_: frame))
    assert YahooFallback().bars("SPY", 60, START).empty


class Limited:
    """A Yahoo that gives what the real one does: a request for more days than Yahoo gives is answered with none."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, pd.Timestamp, pd.Timestamp]] = []

    def history(self, interval: str, start: str, end: str | None = None, **_: Any) -> pd.DataFrame:
        now = pd.Timestamp.now(tz="UTC")
        first = pd.Timestamp(start, tz="UTC")
        last = now if end is None else pd.Timestamp(end, tz="UTC")
        self.asked.append((interval, first, last))
        oldest, most = (30, 8) if interval == "1m" else (60, 60)
        days = pd.Timedelta(days=1)
        if first < now - oldest * days or last - first > most * days:
            return pd.DataFrame()
        times = pd.date_range(first, last, freq="1D", inclusive="left", tz="UTC")
        return pd.DataFrame(dict.fromkeys(("Open", "High", "Low", "Close", "Volume"), 1.0), index=times)


@pytest.mark.parametrize(("minutes", "requests", "days"), [(1, 5, 30), (5, 1, 60), (15, 1, 60), (30, 1, 60)])
@pytest.mark.parametrize("back", [400, 20, 3])
def test_no_more_days_are_asked_for_than_yahoo_gives(monkeypatch, minutes, requests, days, back):
    yahoo = Limited()
    monkeypatch.setitem(sys.modules, "yfinance", SimpleNamespace(Ticker=lambda _: yahoo))
    now = pd.Timestamp.now(tz="UTC")
    found = YahooFallback().bars("SPY", minutes, (now - pd.Timedelta(days=back)).to_pydatetime())
    # Each day comes once, from the oldest that there is to today.
    assert len(found) == found["datetime"].nunique() == min(back + 1, days)
    assert len(yahoo.asked) <= requests
