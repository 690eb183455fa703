"""Which bars a live run sees: complete ones only, on a backtest's grid (DATA-3, DATA-4)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from brokers.alpaca.market_data import bars_of
from brokers.desk.data import bar_collector
from brokers.desk.data.bar_collector import BarCollector
from market.bars import FIELDS, BarTable
from market.trading_day import use_day_of
from tests.brokers.desk.feedside import Json, daily_rows, moment, regular_rows, row, rows_between


def table(
    rows: list[Json], now: str, minutes: int = 5, sessions: bool = True, symbols: tuple[str, ...] = ("A",)
) -> BarTable:
    bars = BarCollector(symbols, minutes, sessions)
    bars.add(bars_of({"A": rows}))
    found = bars.table(moment(now), "test")
    assert found is not None
    return found


def begins(found: BarTable) -> list[str]:
    return [f"{time:%d %H:%M}" for time in found.opens_at]


def test_the_forming_bar_is_never_shown() -> None:
    rows = rows_between("2023-03-07 09:30", "2023-03-07 09:40")
    assert begins(table(rows, "2023-03-07 09:44:59")) == ["07 09:30", "07 09:35"]
    assert begins(table(rows, "2023-03-07 09:45:00")) == ["07 09:30", "07 09:35", "07 09:40"]


def test_what_is_known_of_the_newest_bars_is_known_anew_when_one_has_come() -> None:
    bars = BarCollector(("A",), 5, sessions=True)
    bars.add(bars_of({"A": rows_between("2023-03-07 09:30", "2023-03-07 09:40")}))
    first, now = moment("2023-03-07 09:30"), moment("2023-03-07 09:50")
    for newest, after, complete in (("09:40", 2, False), ("09:45", 3, True)):
        for _ in range(2):
            assert f"{bars.newest()['A'].tz_convert('America/New_York'):%H:%M}" == newest
            assert (bars.bars_after(pd.Timestamp(first)), bars.complete(now)) == (after, complete)
        bars.add(bars_of({"A": rows_between("2023-03-07 09:45", "2023-03-07 09:45")}))
    assert not bars.complete(moment("2023-03-07 09:55"))
    bars.keep_from(moment("2023-03-07 09:50"))
    assert (bars.newest(), bars.bars_after(pd.Timestamp(first))) == ({}, 0)


def test_longer_bars_count_from_the_regular_opening() -> None:
    found = table(rows_between("2023-03-07 09:30", "2023-03-07 12:20"), "2023-03-07 12:29", minutes=60)
    assert begins(found) == ["07 09:30", "07 10:30"]
    assert found.open[0, 0] == 100.0
    assert found.close[0, 0] == pytest.approx(100.11)
    assert found.high[0, 0] == pytest.approx(101.11)
    assert found.low[0, 0] == 99.0
    assert found.volume[0, 0] == 12_000
    assert found.minutes == 60


@pytest.mark.parametrize("minutes", [1, 5, 15, 30, 60])
def test_every_length_is_made_of_what_is_asked_for(minutes: int) -> None:
    bars = BarCollector(("A",), minutes, sessions=True)
    asked = 1 if minutes == 1 else 5
    assert bars.times.asked_minutes == asked
    bars.add(bars_of({"A": rows_between("2023-03-07 09:30", "2023-03-07 11:29", asked)}))
    found = bars.table(moment("2023-03-07 11:30"), "test")
    assert found is not None
    assert len(found) == 120 // minutes
    assert np.nansum(found.volume) == 1000 * 120 / asked


def test_bars_outside_the_exchanges_hours_are_dropped() -> None:
    rows = rows_between("2023-03-07 08:00", "2023-03-07 18:00")
    found = table(rows, "2023-03-07 19:00")
    assert (begins(found)[0], begins(found)[-1], len(found)) == ("07 09:30", "07 15:55", 78)


def test_a_half_day_ends_at_its_own_close() -> None:
    rows = rows_between("2023-07-03 09:30", "2023-07-03 15:55")
    found = table(rows, "2023-07-03 17:00")
    assert (begins(found)[-1], len(found)) == ("03 12:55", 42)


def test_holidays_have_no_bars() -> None:
    rows = rows_between("2023-07-03 12:50", "2023-07-03 12:55") + rows_between("2023-07-04 09:30", "2023-07-04 10:00")
    assert begins(table(rows, "2023-07-05 09:31")) == ["03 12:50", "03 12:55"]


def test_a_market_that_never_closes_keeps_all_and_counts_from_midnight() -> None:
    # Where no session begins at half past, the venue's own bars fit, of an hour at a twelfth of the bars.
    halves = rows_between("2023-03-04 00:00", "2023-03-04 01:00", minutes=30)
    found = table(halves, "2023-03-04 01:14", minutes=30, sessions=False)
    assert begins(found) == ["04 00:00", "04 00:30"]
    hours = rows_between("2023-03-04 00:00", "2023-03-04 02:00", minutes=60)
    assert begins(table(hours, "2023-03-04 02:59", minutes=60, sessions=False)) == ["04 00:00", "04 01:00"]
    for minutes in (1, 5, 15, 30, 60, 1440):
        assert BarCollector(("A",), minutes, sessions=False).times.asked_minutes == minutes
    assert BarCollector(("A",), 60, sessions=True).times.asked_minutes == 5


@pytest.mark.parametrize("month", [1, 7])
def test_days_of_coins_are_those_of_utc_and_can_be_decided_on_at_any_hour(month: int) -> None:
    use_day_of("UTC")
    last = pd.Timestamp(2026, month, 9, tz="UTC")
    days = pd.date_range(end=last, periods=20)
    frame = pd.DataFrame({"symbol": "BTC/USD", "datetime": days, **dict.fromkeys(FIELDS, 1.0)})
    for hour in range(24):
        now = last + pd.Timedelta(days=1, hours=hour, minutes=45)
        bars = BarCollector(("BTC/USD",), 1440, sessions=False)
        bars.add(frame, now.to_pydatetime())
        found = bars.table(now.to_pydatetime(), "test")
        assert found is not None
        assert (found.opens_at[-1].day, len(found)) == (9, 20), hour
        assert np.isfinite(found.close[-1, 0])
        assert bars.complete(now.to_pydatetime())
    # The forming day is no bar, and one that is late is an empty row.
    early = last + pd.Timedelta(hours=23)
    bars = BarCollector(("BTC/USD",), 1440, sessions=False)
    bars.add(frame, early.to_pydatetime())
    assert bars.newest()["BTC/USD"] == last - pd.Timedelta(days=1)
    late = bars.table((last + pd.Timedelta(days=1, hours=1)).to_pydatetime(), "test")
    assert late is not None and np.isnan(late.close[-1, 0])


def test_a_day_is_over_at_its_close() -> None:
    rows = daily_rows("2023-03-07", 3)
    assert begins(table(rows, "2023-03-07 15:59:59", minutes=1440))[-1] == "06 09:30"
    assert begins(table(rows, "2023-03-07 16:00:00", minutes=1440))[-1] == "07 09:30"


def test_a_half_day_is_over_at_one() -> None:
    assert begins(table(daily_rows("2023-07-03", 3), "2023-07-03 13:00", minutes=1440))[-1] == "03 09:30"


@pytest.mark.parametrize("label", ["2023-01-05", "2023-07-05"], ids=["winter", "summer"])
def test_daily_labels_are_midnight_in_new_york(label: str) -> None:
    rows = daily_rows(label, 2)
    assert rows[-1]["t"][11:13] in ("04", "05")
    assert f"{table(rows, f'{label} 20:00', minutes=1440).opens_at[-1]:%Y-%m-%d}" == label


def test_a_symbol_without_a_trade_has_no_bar() -> None:
    bars = BarCollector(("A", "B"), 5, sessions=True)
    rows = rows_between("2023-03-07 09:30", "2023-03-07 09:40")
    bars.add(bars_of({"A": rows, "B": [rows[0], rows[2]]}))
    found = bars.table(moment("2023-03-07 09:45"), "test")
    assert found is not None
    assert np.isnan(found.close[:, 1]).tolist() == [False, True, False]


def test_a_correction_replaces_what_was_read_before() -> None:
    bars = BarCollector(("A",), 5, sessions=True)
    for close in (100.0, 101.0):
        bars.add(bars_of({"A": [row("2023-03-07 09:30"), row("2023-03-07 09:35", close)]}))
    found = bars.table(moment("2023-03-07 09:40"), "test")
    assert found is not None
    assert found.close[:, 0].tolist() == [100.0, 101.0]


@pytest.mark.parametrize("value", [None, "soon", float("nan"), "NaN", [], {}])
def test_what_is_no_number_becomes_nan(value: object) -> None:
    rows = [row("2023-03-07 09:30"), row("2023-03-07 09:35", c=value)]
    assert np.isnan(table(rows, "2023-03-07 09:40").close[:, 0]).tolist() == [False, True]


@pytest.mark.parametrize(("now", "stale"), [("2023-03-07 10:10:00", False), ("2023-03-07 10:15:00", True)])
def test_more_than_two_missing_bars_end_the_table_in_an_empty_row(now: str, stale: bool) -> None:
    found = table(rows_between("2023-03-07 09:30", "2023-03-07 09:55"), now)
    assert bool(np.isnan(found.close[-1]).all()) is stale


def test_the_night_and_the_weekend_are_no_gap() -> None:
    found = table(rows_between("2023-03-03 15:00", "2023-03-03 15:55"), "2023-03-06 09:34")
    assert np.isfinite(found.close[-1, 0])


def test_expected_bars_follow_the_calendar() -> None:
    bars = BarCollector(("A",), 5, sessions=True)
    assert bars.times.expected(pd.Timestamp("2023-07-05 09:34", tz="America/New_York"))[-1] == moment(
        "2023-07-03 12:55"
    )


def test_whole_sessions_are_on_the_grid_of_a_backtest() -> None:
    found = table(regular_rows("2023-07-05", 3), "2023-07-05 16:00")
    assert np.bincount(found.session).tolist() == [78, 42, 78]


def test_a_day_of_a_market_that_never_closes_ends_at_midnight() -> None:
    rows = [row("2023-03-06"), row("2023-03-07")]
    assert f"{table(rows, '2023-03-07 20:00', minutes=1440, sessions=False).opens_at[-1]:%d}" == "06"


def test_daily_bars_without_the_last_session_are_stale() -> None:
    found = table(daily_rows("2023-03-03", 5), "2023-03-07 10:30", minutes=1440)
    assert np.isnan(found.close[-1]).all()


def test_the_last_hour_is_cut_at_the_close() -> None:
    found = table(regular_rows("2023-03-07", 1), "2023-03-07 16:00", minutes=60)
    assert begins(found)[-1] == "07 15:30"
    assert found.closes_at[-1] == moment("2023-03-07 16:00")


def test_a_bad_part_spoils_the_longer_bar() -> None:
    rows = rows_between("2023-03-07 09:30", "2023-03-07 11:25")
    rows[-1] = {**rows[-1], "c": None}
    assert np.isnan(table(rows, "2023-03-07 11:30", minutes=60).close[-1, 0])


@pytest.mark.parametrize("bad", [{"o": 1}, {"t": "soon"}, None])
def test_a_row_without_a_time_is_left_out(bad: Json | None) -> None:
    rows: list[Any] = [*rows_between("2023-03-07 09:30", "2023-03-07 09:40"), bad]
    assert len(table(rows, "2023-03-07 09:45")) == 3


def test_a_single_bar_is_a_table() -> None:
    assert len(table([row("2023-03-07 09:30")], "2023-03-07 09:35")) == 1


def test_bars_that_are_known_change_nothing() -> None:
    bars = BarCollector(("A", "B"), 5, sessions=True)
    rows = {"A": rows_between("2023-03-07 09:30", "2023-03-07 09:40"), "B": [row("2023-03-07 09:30", c=None)]}
    now = moment("2023-03-07 09:45")
    bars.add(bars_of(rows), now)
    first = bars.table(now, "test")
    # The venue is asked for the last hour again, and says what it said before.
    bars.add(bars_of(rows), now)
    assert bars.table(now, "test") is first
    corrected = {"A": [*rows["A"][:-1], row("2023-03-07 09:40", 50.0)]}
    bars.add(bars_of(corrected), now)
    second = bars.table(now, "test")
    assert first is not None and second is not None
    assert (first.close[-1, 0], second.close[-1, 0]) == (rows["A"][-1]["c"], 50.0)


def test_trades_of_the_evening_are_no_newer_bars() -> None:
    bars = BarCollector(("A",), 5, sessions=True)
    bars.add(bars_of({"A": rows_between("2023-03-07 15:50", "2023-03-07 17:00")}))
    assert bars.newest() == {"A": pd.Timestamp(moment("2023-03-07 15:55"))}
    assert bars.bars_after(pd.Timestamp(moment("2023-03-07 15:50"))) == 1


@pytest.mark.parametrize("block", [1, 2])
def test_longer_bars_are_made_for_some_symbols_at_a_time(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bar_collector, "BLOCK", block)
    bars = BarCollector(("A", "B", "C"), 15, sessions=True)
    rows = rows_between("2023-03-07 09:30", "2023-03-07 10:10")
    bars.add(bars_of({"A": rows, "C": rows[1:5]}))
    found = bars.table(moment("2023-03-07 10:15"), "test")
    assert found is not None
    assert begins(found) == ["07 09:30", "07 09:45", "07 10:00"]
    assert np.isnan(found.close[:, 1]).all()
    assert found.open[:, 2].tolist()[:2] == [rows[1]["o"], rows[3]["o"]] and np.isnan(found.open[2, 2])
    assert found.volume[:, 0].tolist() == [3000.0] * 3
