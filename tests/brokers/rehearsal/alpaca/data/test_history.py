"""The past over HTTP: weeks and months, trades, quotes, auctions, meta; and parameters that count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
import pandas as pd
import pytest

from brokers.rehearsal.core.bar_playback import BarPlayback
from tests.brokers.rehearsal.official import ALPACA, needs_schemas
from tests.brokers.rehearsal.venue import at
from tests.brokers.rehearsal.wire import Wire

STOCKS = "/v2/stocks"


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with Wire() as one:
        yield one


def long_ago() -> pd.DataFrame:
    days = pd.bdate_range("2025-01-02", "2026-03-10")
    base = pd.Series(range(len(days)), dtype=float)
    return pd.DataFrame(
        {"symbol": "AAPL", "datetime": days, "open": 100 + base, "high": 104 + base, "low": 98 + base}
    ).assign(close=101 + base, volume=1000)


def bars(wire: Wire, timeframe: str, more: str = "") -> list[dict[str, Any]]:
    status, body = wire.ask("GET", f"{STOCKS}/AAPL/bars?timeframe={timeframe}&feed=iex&limit=10000&{more}")
    assert status == 200, body
    found: list[dict[str, Any]] = body["bars"]
    return found


def test_a_later_page_reads_no_symbol_that_earlier_ones_told(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    found = BarPlayback.bars

    def noted(self: BarPlayback, symbol: str, *rest: Any) -> Any:
        read.append(symbol)
        return found(self, symbol, *rest)

    monkeypatch.setattr(BarPlayback, "bars", noted)
    asked = f"{STOCKS}/bars?symbols=AAPL,MSFT&timeframe=5Min&feed=iex"
    whole = wire.ask("GET", f"{asked}&limit=10000")[1]["bars"]
    assert read == ["AAPL", "MSFT"]
    pages: dict[str, list[Any]] = {}
    token, each = "", []
    while token is not None:
        read.clear()
        page = wire.ask("GET", f"{asked}&limit={len(whole['AAPL']) + 1}&page_token={token}")[1]
        each.append(list(read))
        for symbol, rows in page["bars"].items():
            pages.setdefault(symbol, []).extend(rows)
        token = page["next_page_token"]
    assert pages == whole
    assert each == [["AAPL", "MSFT"], ["MSFT"]]


def test_weeks_and_months_are_made_of_days() -> None:
    with Wire(data=long_ago(), start=at("2026-03-10 15:30")) as wire:
        window = "start=2025-01-01&end=2026-03-10T19:30:00Z"
        days = pd.DataFrame(bars(wire, "1Day", window))
        stamps = pd.DatetimeIndex(days["t"]).tz_convert("America/New_York").tz_localize(None)
        for timeframe, frequency, first in (
            ("1Week", "W-SUN", "2025-01-06T05:00:00Z"),
            ("1W", "W-SUN", "2025-01-06T05:00:00Z"),
            ("1Month", "M", "2025-01-01T05:00:00Z"),
            ("3M", "Q", "2025-01-01T05:00:00Z"),
            ("12Month", "Y", "2025-01-01T05:00:00Z"),
        ):
            found = pd.DataFrame(bars(wire, timeframe, window))
            assert found["t"].iloc[0] == first
            groups = days.groupby(stamps.to_period(frequency))
            whole = groups.agg({"o": "first", "h": "max", "l": "min", "c": "last", "v": "sum", "n": "sum"})
            # What begins before the window is left out, as everywhere.
            expected = whole.iloc[len(whole) - len(found) :].reset_index(drop=True)
            pd.testing.assert_frame_equal(found[list("ohlcvn")], expected, check_dtype=False)
            assert len(found) >= len(whole) - 1


@pytest.mark.parametrize("text", ["2Week", "5Month", "13Month", "0Day", "2Day", "60Min", "24Hour", "1Weeks", "1m", ""])
def test_no_bars_of_another_length(wire: Wire, text: str) -> None:
    assert wire.refusal("GET", f"{STOCKS}/AAPL/bars?timeframe={text}") == (400, f"invalid timeframe: {text}")


def pages(wire: Wire, path: str) -> list[tuple[str, Any]]:
    """Everything, page by page."""
    name = path.split("?")[0].rsplit("/", 1)[1]
    found: list[tuple[str, Any]] = []
    token = ""
    for _ in range(100):
        body = wire.ask("GET", f"{path}&page_token={token}")[1]
        found += [(symbol, item) for symbol, items in body[name].items() for item in items]
        token = body["next_page_token"]
        if not token:
            return found
    raise AssertionError("the pager does not end")


@pytest.mark.parametrize("kind", ["trades", "quotes", "auctions", "bars"])
@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_pages_put_together_are_the_whole(wire: Wire, kind: str, sort: str) -> None:
    feed = "sip" if kind == "auctions" else "iex"
    window = "start=2026-03-09&end=2026-03-10T13:40:00Z&timeframe=1Min"
    path = f"{STOCKS}/{kind}?symbols=MSFT,AAPL&{window}&feed={feed}&sort={sort}"
    whole = pages(wire, f"{path}&limit=10000")
    assert pages(wire, f"{path}&limit={1 if kind == 'auctions' else 7 * 13}") == whole
    assert {symbol for symbol, _ in whole} == {"AAPL", "MSFT"}
    stamps = [item.get("t", item.get("d")) for symbol, item in whole if symbol == "AAPL"]
    assert stamps == sorted(stamps, reverse=sort == "desc")
    # 80 bars of 5 minutes with four trades each, no two in a minute, and the open of the one that begins.
    assert len(stamps) == (2 if kind == "auctions" else 321)


def test_trades_and_quotes_are_those_that_happened(wire: Wire) -> None:
    window = "start=2026-03-10T13:30:00Z&end=2026-03-10T23:00:00Z&feed=iex"
    trades = wire.ask("GET", f"{STOCKS}/AAPL/trades?{window}")[1]["trades"]
    quotes = wire.ask("GET", f"{STOCKS}/AAPL/quotes?{window}")[1]["quotes"]
    # Half an hour of 5-minute bars, four trades each, and the open of the bar that begins now.
    assert len(trades) == len(quotes) == 6 * 4 + 1
    assert trades[-1]["t"] == "2026-03-10T14:00:00Z"
    assert all(t["t"] == q["t"] and round(q["ap"] - t["p"], 2) == 0.01 for t, q in zip(trades, quotes, strict=True))


def test_auctions_are_the_first_and_last_trade_of_a_session(wire: Wire) -> None:
    path = f"{STOCKS}/AAPL/auctions?start=2026-03-09"
    body = wire.ask("GET", path)[1]
    monday, today = body["auctions"]
    assert (monday["d"], today["d"]) == ("2026-03-09", "2026-03-10")
    assert [(a["c"], a["p"]) for a in monday["o"] + monday["c"]] == [("O", 100.0), ("M", 100.87)]
    assert (len(today["o"]), today["c"]) == (1, [])
    assert wire.refusal("GET", f"{path}&feed=iex") == (400, "invalid feed: iex; it is one of sip")


def test_codes_are_explained(wire: Wire) -> None:
    exchanges = wire.ask("GET", f"{STOCKS}/meta/exchanges")[1]
    trades = wire.ask("GET", f"{STOCKS}/meta/conditions/trade?tape=C")[1]
    quotes = wire.ask("GET", f"{STOCKS}/meta/conditions/quote?tape=C")[1]
    window = "start=2026-03-10T13:30:00Z&feed=iex"
    trade = wire.ask("GET", f"{STOCKS}/AAPL/trades?{window}")[1]["trades"][0]
    quote = wire.ask("GET", f"{STOCKS}/AAPL/quotes?{window}")[1]["quotes"][0]
    assert {trade["x"], quote["ax"], quote["bx"]} <= exchanges.keys()
    assert set(trade["c"]) <= trades.keys()
    assert set(quote["c"]) <= quotes.keys()
    assert wire.refusal("GET", f"{STOCKS}/meta/conditions/banana?tape=C")[0] == 400
    assert "tape" in wire.refusal("GET", f"{STOCKS}/meta/conditions/trade")[1]


@cache
def schemas() -> dict[str, Any]:
    return json.loads((ALPACA / "market-data-api.json").read_text())["components"]


@needs_schemas
def test_answers_fit_the_schemas(wire: Wire) -> None:
    for path, schema in (
        ("/AAPL/trades?feed=iex", "stock_trades_resp_single"),
        ("/trades?symbols=AAPL&feed=iex", "stock_trades_resp"),
        ("/AAPL/quotes?feed=iex", "stock_quotes_resp_single"),
        ("/quotes?symbols=AAPL&feed=iex", "stock_quotes_resp"),
        ("/AAPL/auctions?start=2026-03-09", "stock_auctions_resp_single"),
        ("/auctions?symbols=AAPL&start=2026-03-09", "stock_auctions_resp"),
        ("/meta/exchanges", "stock_exchanges"),
        ("/meta/conditions/trade?tape=A", "stock_conditions"),
    ):
        status, body = wire.ask("GET", STOCKS + path)
        assert status == 200, body
        document = {"$ref": f"#/components/schemas/{schema}", "components": schemas()}
        jsonschema.Draft202012Validator(document).validate(body)
        kind = next((body[name] for name in ("trades", "quotes", "auctions") if name in body), body)
        assert kind, f"{path} shows nothing"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("feed=banana", "invalid feed: banana"),
        ("feed=otc", "feed otc is not rehearsed here"),
        ("feed=boats", "feed boats is not rehearsed here"),
        ("adjustment=banana", "invalid adjustment: banana"),
        ("adjustment=raw,banana", "invalid adjustment: banana"),
        ("sort=banana", "invalid sort: banana"),
        ("currency=EUR", "currency EUR is not rehearsed here"),
        ("limit=0", "limit must be between 1 and 10000"),
        ("limit=10001", "limit must be between 1 and 10000"),
        ("asof=banana", "invalid asof: banana"),
        ("page_token=banana", "invalid page_token"),
        # A token of a listing of MSFT, and one of a time at which there is no bar.
        ("page_token=TVNGVHxNfDIwMjYtMDMtMTBUMTM6MzA6MDBa", "invalid page_token: it is of another request"),
        ("page_token=QUFQTHxNfDE5OTAtMDMtMTBUMTM6MzA6MDBa", "invalid page_token: it is of another request"),
    ],
)
def test_values_that_nobody_offers_are_refused_by_name(wire: Wire, query: str, named: str) -> None:
    feed = "" if query.startswith("feed") else "&feed=iex"
    status, message = wire.refusal("GET", f"{STOCKS}/bars?symbols=AAPL&timeframe=1Min{feed}&{query}")
    assert status == 400
    assert named in message


@pytest.mark.parametrize("value", ["raw", "split", "dividend", "spin-off", "all", "split,dividend"])
def test_every_adjustment_shows_the_files_prices(wire: Wire, value: str) -> None:
    assert bars(wire, "1Hour", f"adjustment={value}&currency=USD&asof=2026-03-10") == bars(wire, "1Hour")


def test_the_latest_by_feed(wire: Wire) -> None:
    path = f"{STOCKS}/AAPL/trades/latest"
    assert wire.ask("GET", f"{path}?feed=iex")[1]["trade"]["t"] == "2026-03-10T14:00:00Z"
    assert wire.ask("GET", f"{path}?feed=delayed_sip")[1]["trade"]["t"] == "2026-03-10T13:45:00Z"
    assert wire.ask("GET", f"{path}?feed=sip")[0] == 403
    assert wire.refusal("GET", f"{path}?feed=overnight")[0] == 400
    assert wire.refusal("GET", f"{path}?feed=banana") == (
        400, "invalid feed: banana; it is one of iex, delayed_sip, sip",
    )  # fmt: skip
    assert "EUR" in wire.refusal("GET", f"{STOCKS}/snapshots?symbols=AAPL&currency=EUR")[1]


def test_a_client_with_another_clock_is_told_the_venues(wire: Wire) -> None:
    """What Alpaca would say is about its own present, so the answer names it."""
    told = "the venue's time is 2026-03-10T10:00:00-04:00"
    status, message = wire.refusal("GET", f"{STOCKS}/bars?symbols=AAPL&timeframe=1Day&start=2026-01-01&end=2028-01-01")
    assert status == 403
    assert message.startswith("subscription does not permit querying recent SIP data")
    assert told in message
    status, message = wire.refusal("GET", f"{STOCKS}/bars?symbols=AAPL&timeframe=1Day&start=2028-01-01")
    assert status == 400
    assert message.startswith("end should not be before start")
    assert told in message
