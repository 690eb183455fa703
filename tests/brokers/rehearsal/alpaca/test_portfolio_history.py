"""Portfolio history over HTTP: every parameter counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.brokers.rehearsal.market import later
from tests.brokers.rehearsal.venue import at
from tests.brokers.rehearsal.wire import Wire

PATH = "/v2/account/portfolio/history"


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """100 AAPL bought at 10:00 on the second of three days; now it is 12:00 of the third."""
    with Wire(start=at("2026-03-10 10:00")) as one:
        one.order(qty="100")
        later(one.server, hours=26)
        yield one


def points(body: dict[str, Any]) -> list[tuple[str, float]]:
    times = [
        datetime.fromtimestamp(stamp, UTC).astimezone(at("2026-03-10 10:00").tzinfo) for stamp in body["timestamp"]
    ]
    return [(f"{time:%d %H:%M}", value) for time, value in zip(times, body["equity"], strict=True)]


def test_by_default_a_month_of_closes_and_now(wire: Wire) -> None:
    body = wire.ask("GET", PATH)[1]
    assert body["timeframe"] == "1D"
    assert [time for time, _ in points(body)] == ["10 16:00", "11 12:00"]
    assert body["base_value"] == 100_000
    assert body["profit_loss"] == pytest.approx([value - 100_000 for value in body["equity"]])
    assert body["equity"][-1] == float(wire.ask("GET", "/v2/account")[1]["equity"])


def test_a_day_in_steps(wire: Wire) -> None:
    body = wire.ask("GET", f"{PATH}?period=1D&timeframe=1H")[1]
    assert body["timeframe"] == "1H"
    assert [time for time, _ in points(body)] == ["11 10:00", "11 11:00", "11 12:00"]
    fine = wire.ask("GET", f"{PATH}?period=1D&timeframe=15Min")[1]
    assert [time for time, _ in points(fine)][:3] == ["11 09:30", "11 09:45", "11 10:00"]
    # The step from 10:00 ends with the price at 10:59.
    hours, quarters = dict(points(body)), dict(points(fine))
    assert hours["11 10:00"] == quarters["11 10:45"]
    assert quarters["11 09:30"] != quarters["11 10:00"]


def test_the_resolution_follows_the_period(wire: Wire) -> None:
    for period, timeframe in (
        ("1D", "1Min"),
        ("6D", "1Min"),
        ("1W", "15Min"),
        ("3W", "15Min"),
        ("1M", "1D"),
        ("1A", "1D"),
    ):
        assert wire.ask("GET", f"{PATH}?period={period}")[1]["timeframe"] == timeframe, period


def test_profit_begins_anew_each_day_or_does_not(wire: Wire) -> None:
    path = f"{PATH}?period=2D&timeframe=1H"
    daily, through = (wire.ask("GET", f"{path}&pnl_reset={reset}")[1] for reset in ("per_day", "no_reset"))
    assert daily["equity"] == through["equity"]
    assert points(daily)[0][0] == "10 10:00"
    first = [n for n, (time, _) in enumerate(points(daily)) if time.startswith("10")]
    assert [daily["profit_loss"][n] for n in first] == [through["profit_loss"][n] for n in first]
    close = wire.ask("GET", PATH)[1]["equity"][0]
    assert daily["profit_loss"][-1] == pytest.approx(daily["equity"][-1] - close)
    assert through["profit_loss"][-1] == pytest.approx(through["equity"][-1] - 100_000)


def test_hours_outside_the_session_on_request(wire: Wire) -> None:
    def times(query: str) -> list[str]:
        return [time for time, _ in points(wire.ask("GET", f"{PATH}?period=1D&timeframe=1H&{query}")[1])]

    assert times("intraday_reporting=market_hours")[0] == "11 10:00"
    assert times("intraday_reporting=extended_hours")[0] == times("extended_hours=true")[0] == "11 04:00"
    assert times("intraday_reporting=continuous")[0] == "11 00:00"


def test_a_window_of_its_own(wire: Wire) -> None:
    query = "start=2026-03-10T15:00:00Z&end=2026-03-10T16:00:00Z&timeframe=15Min"
    expected = ["10 11:00", "10 11:15", "10 11:30", "10 11:45", "10 12:00"]
    assert [time for time, _ in points(wire.ask("GET", f"{PATH}?{query}")[1])] == expected
    stamp = int(datetime(2026, 3, 10, 15, tzinfo=UTC).timestamp())
    assert wire.ask("GET", f"{PATH}?start={stamp}&end={stamp + 3600}&timeframe=15Min")[1]["timestamp"][0] == stamp
    assert points(wire.ask("GET", f"{PATH}?start=2026-03-10&period=1D&timeframe=1D")[1]) == [
        ("10 16:00", wire.ask("GET", PATH)[1]["equity"][0])
    ]


def test_days_as_older_clients_write_them(wire: Wire) -> None:
    body = wire.ask("GET", f"{PATH}?date_start=2026-03-10&date_end=2026-03-10&timeframe=1D")[1]
    assert [time for time, _ in points(body)] == ["10 16:00"]
    body = wire.ask("GET", f"{PATH}?date_end=2026-03-10&period=1D&timeframe=1H")[1]
    assert [time for time, _ in points(body)][-1] == "10 15:00"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("period=banana", "period"),
        ("period=0D", "period"),
        ("timeframe=2Min", "timeframe"),
        ("period=1A&timeframe=1Min", "timeframe"),
        ("intraday_reporting=banana", "intraday_reporting"),
        ("pnl_reset=banana", "pnl_reset"),
        ("extended_hours=banana", "extended_hours"),
        ("cashflow_types=ALL", "cashflow_types"),
        ("start=banana", "start"),
        ("date_end=banana", "date_end"),
        ("period=1D&start=2026-03-09&end=2026-03-10", "period"),
        ("start=2026-03-10&end=2026-03-09", "end"),
    ],
)
def test_what_cannot_be_asked(wire: Wire, query: str, named: str) -> None:
    status, message = wire.refusal("GET", f"{PATH}?{query}")
    assert status == 422
    assert named in message
