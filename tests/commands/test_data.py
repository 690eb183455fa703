"""``data show`` and ``data get``: what they print, write and refuse, against servers on this machine."""

from __future__ import annotations

import http.server
import json
import threading
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlparse

import pandas as pd
import pytest
import requests
import yfinance
from typer.testing import CliRunner

from backtests.data.bar_files import read_file
from commands.data import app
from config.errors import Refusal
from tests.brokers.rehearsal.market import START, bars, served

KEYS = ("symbols", "start", "end", "bar_seconds", "rows", "read_as", "zone", "bars", "notes")


def run(*arguments: str) -> str:
    """Standard output; what is refused is raised."""
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def a_file(folder: Path) -> Path:
    path = folder / "bars.csv"
    rows = ["BRK-B,2023-07-03,10,11,9,10,100", "BRK-B,2023-07-05,5,6,4,5,200", "BRK-B,2023-07-07,5,6,4,5,200"]
    path.write_text("\n".join(["symbol,datetime,open,high,low,close,volume", *rows, ""]))
    return path


def test_what_a_file_holds_as_json(tmp_path):
    told = json.loads(run("show", str(a_file(tmp_path)), "--json"))
    assert tuple(sorted(told)) == tuple(sorted(KEYS))
    assert told["read_as"] == "long table" and told["symbols"] == ["BRK.B"]
    assert (told["start"], told["end"], told["bar_seconds"], told["rows"]) == ("2023-07-03", "2023-07-07", 86_400, 3)
    assert told["zone"] == ""
    assert told["bars"] == {
        "BRK.B": {"first": {"time": "2023-07-03", "close": 10.0}, "last": {"time": "2023-07-07", "close": 5.0}}
    }
    assert told["notes"] == [
        "BRK.B 2023-07-05: jump from 10 to 5 overnight, like an unadjusted 2:1 split",
        "gaps: 1 session without a bar of BRK.B, first BRK.B 2023-07-06",
    ]


def hours(symbol: str, begin: str, count: int, without: tuple[int, ...] = ()) -> pd.DataFrame:
    times = pd.date_range(begin, periods=count, freq="1h", tz="UTC").delete(list(without))
    return pd.DataFrame(
        {"symbol": symbol, "datetime": times, "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0}
    )


def test_a_market_that_never_closes_is_told_in_utc_with_each_symbol_s_end_and_the_hours_it_lacks(tmp_path):
    coins = [hours("ETH/USD", "2023-01-01", 240, (30, 31, 60)), hours("BTC/USD", "2023-01-01", 58, (40,))]
    pd.concat(coins).to_parquet(tmp_path / "coins.parquet")
    told = json.loads(run("show", str(tmp_path / "coins.parquet"), "--json"))
    assert (told["start"], told["end"]) == ("2023-01-01T00:00:00+00:00", "2023-01-10T23:00:00+00:00")
    assert told["notes"] == [
        "other spans: BTC/USD to 2023-01-03 09:00 UTC",
        "gaps: bars of 60 minutes missing: 1 of BTC/USD, 3 of ETH/USD; first ETH/USD 2023-01-02 06:00 UTC",
    ]


def test_symbols_that_begin_later_or_end_earlier_are_told_with_their_days(tmp_path):
    rows = [
        f"{symbol},{day:%Y-%m-%d},10,11,9,10,100"
        for symbol, days in {"OLD": (3, 12), "NEW": (6, 12), "GONE": (3, 10)}.items()
        for day in pd.bdate_range(f"2023-07-{days[0]:02d}", f"2023-07-{days[1]:02d}")
        if day.day != 4
    ]
    (tmp_path / "bars.csv").write_text("\n".join(["symbol,datetime,open,high,low,close,volume", *rows, ""]))
    told = json.loads(run("show", str(tmp_path / "bars.csv"), "--json"))
    assert told["notes"] == ["other spans: GONE to 2023-07-10, NEW from 2023-07-06"]


def test_what_a_file_holds_on_the_screen(tmp_path):
    shown = run("show", str(a_file(tmp_path)))
    assert "read as  long table" in shown and "symbols  1: BRK.B" in shown and "bars     3 of a day" in shown
    assert "closes   BRK.B: 10 (2023-07-03), 5 (2023-07-07)" in shown
    assert "note     BRK.B 2023-07-05: jump" in shown


def test_the_first_symbols_closes_are_shown_with_the_zone_of_their_times(tmp_path):
    times = pd.date_range("2023-07-03 09:30", periods=12, freq="5min", tz="America/New_York")
    one = pd.DataFrame({"datetime": times, "open": 1.5, "high": 1.5, "low": 1.5, "close": 1.5, "volume": 1})
    pd.concat([one.assign(symbol=f"A{k}") for k in range(7)]).to_parquet(tmp_path / "x.parquet")
    shown = run("show", str(tmp_path / "x.parquet")).splitlines()
    closes = [line for line in shown if line.startswith("closes")]
    assert closes[0] == "closes   A0: 1.5 (2023-07-03 09:30 New York), 1.5 (2023-07-03 10:25 New York)"
    assert len(closes) == 6 and closes[-1] == "closes   of 2 more symbols with --json"
    told = json.loads(run("show", str(tmp_path / "x.parquet"), "--json"))
    assert told["zone"] == "America/New_York" and len(told["bars"]) == 7
    assert told["bars"]["A6"]["last"] == {"time": "2023-07-03T10:25:00-04:00", "close": 1.5}
    hours("BTC/USD", "2023-01-01", 48).to_parquet(tmp_path / "coins.parquet")
    assert "BTC/USD: 1 (2023-01-01 00:00 UTC), 1 (2023-01-02 23:00 UTC)" in run("show", str(tmp_path / "coins.parquet"))


def test_bars_without_volume_are_counted(tmp_path):
    rows = [f"{name},2023-07-0{day},1,1,1,1,{volume}" for name, volume in (("A", 0), ("B", 5)) for day in (3, 5, 6)]
    path = tmp_path / "bars.csv"
    path.write_text("\n".join(["symbol,datetime,open,high,low,close,volume", *rows, "C,2023-07-03,1,1,1,1,0", ""]))
    assert "note     no volume: 4 of 7 bars: A 3 of 3, C 1 of 1" in run("show", str(path)).splitlines()
    path.write_text(path.read_text().replace(",0\n", ",7\n"))
    assert "no volume" not in run("show", str(path))


def test_bars_labelled_by_their_ends_are_read_where_that_is_said(tmp_path):
    times = pd.date_range("2023-07-05 09:35", "2023-07-05 16:00", freq="5min")
    frame = pd.DataFrame({"symbol": "AAA", "datetime": times, "open": 1, "high": 1, "low": 1, "close": 1, "volume": 1})
    frame.to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(Refusal, match="say --labels end"):
        run("show", str(tmp_path / "x.csv"))
    told = json.loads(run("show", str(tmp_path / "x.csv"), "--json", "--labels", "end"))
    assert (told["start"], told["rows"]) == ("2023-07-05T09:30:00-04:00", 78)


def test_options_settle_what_the_file_leaves_open(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(
        "Date;Open;High;Low;Close;Volume\n03/04/2023;1,100;1,200;1,000;1,100;5\n04/04/2023;1,100;1,200;1,000;1,100;5\n"
    )
    told = json.loads(run("show", str(path), "--json", "--date-order", "dmy", "--decimal", "comma", "--symbol", "abc"))
    assert (told["symbols"], told["start"], told["end"]) == (["ABC"], "2023-04-03", "2023-04-04")
    with pytest.raises(Refusal, match="say --symbol AAPL"):
        run("show", str(path))


def test_extended_hours_are_asked_for(tmp_path):
    times = pd.date_range("2023-07-03 08:00", "2023-07-03 12:55", freq="5min", tz="America/New_York")
    frame = pd.DataFrame({"symbol": "AAA", "datetime": times, "open": 1, "high": 1, "low": 1, "close": 1, "volume": 1})
    frame.to_parquet(tmp_path / "x.parquet")
    regular, extended = (
        json.loads(run("show", str(tmp_path / "x.parquet"), "--json", *more)) for more in ([], ["--hours", "extended"])
    )
    assert (regular["rows"], extended["rows"]) == (42, 60)
    assert "18 of 60 bars outside 09:30–16:00 (half days: to 13:00) left out" in regular["notes"][0]
    assert extended["notes"][0] == "18 of 60 bars outside 09:30–16:00 kept, as extended hours are on"


# ---- Alpaca ---------------------------------------------------------------------------------------------


def test_bars_of_alpaca_are_fetched_and_told(tmp_path, monkeypatch):
    out = tmp_path / "new" / "bars.parquet"
    with served() as server:
        monkeypatch.setenv("ALPACA_API_KEY", server.key)
        monkeypatch.setenv("ALPACA_API_SECRET", server.secret)
        told = json.loads(
            run("get", "--source", "alpaca", "--symbols", "msft,AAPL,NONE", "--start", "2026-03-06", "--end",
                "2026-03-09", "--minutes", "5", "--out", str(out), "--alpaca-url", server.url, "--json")
        )  # fmt: skip
        asked = [call for call in server.log if "bars" in call.path]
    assert asked
    assert told["symbols"] == ["AAPL", "MSFT"] and told["missing"] == ["NONE"] and told["bar_seconds"] == 300
    assert told["adjusted_for"] == "splits and dividends"
    beside = json.loads((tmp_path / "new" / "bars.parquet.json").read_text())
    assert (beside["source"], beside["adjusted_for"], beside["missing"]) == ("alpaca", "splits and dividends", ["NONE"])
    given = bars()
    given = given[(given["symbol"] == "AAPL") & (given["datetime"] < pd.Timestamp(START))]
    found = read_file(out, ["AAPL"]).frame
    assert len(found) > 5
    assert found["close"].tolist() == pytest.approx(given["close"].round(2).tolist()[: len(found)])
    with pytest.raises(Refusal, match="is there already; add --overwrite"):
        run(
            "get",
            "--source",
            "alpaca",
            "--symbols",
            "A",
            "--start",
            "2026-03-06",
            "--end",
            "2026-03-09",
            "--out",
            str(out),
        )


GET = ("get", "--symbols", "AAPL", "--start", "2023-07-03", "--end", "2023-07-07", "--out", "bars.csv")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--source", "alpaca"), "needs Alpaca keys: set ALPACA_API_KEY and ALPACA_API_SECRET"),
        (("--source", "yahoo", "--symbols", "../X"), "'../X' is no ticker"),
        (("--source", "yahoo", "--symbols", ","), "--symbols is empty"),
        (("--source", "yahoo", "--end", "2023-07-01"), "is before --start"),
        (("--source", "yahoo", "--out", "bars.xlsx"), r"is no \.parquet or \.csv file"),
        (("--source", "yahoo", "--minutes", "7"), "Yahoo has bars of 1, 2, 5"),
        (("--source", "yahoo", "--alpaca-url", "http://example.com"), "--alpaca-url"),
    ],
)
def test_what_cannot_be_fetched_is_refused_before_anything_is_asked(more, told, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("ALPACA_API_KEY", "ALPACA_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Refusal, match=told):
        run(*GET, *more)
    assert not list(tmp_path.iterdir())


def test_an_alpaca_that_cannot_be_reached_is_told(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPACA_API_KEY", "k")
    monkeypatch.setenv("ALPACA_API_SECRET", "s")
    with pytest.raises(Refusal, match="--source alpaca: cannot be asked"):
        run(*GET, "--source", "alpaca", "--alpaca-url", "http://127.0.0.1:9")
    assert not list(tmp_path.iterdir())


# ---- Yahoo ----------------------------------------------------------------------------------------------


class Yahoo(http.server.BaseHTTPRequestHandler):
    """Charts as Yahoo sends them; prices before dividends beside adjusted closes of half of them."""

    asked: ClassVar[list[tuple[str, dict[str, list[str]]]]] = []

    def do_GET(self) -> None:
        url = urlparse(self.path)
        self.asked.append((url.path, parse_qs(url.query)))
        symbol = url.path.rpartition("/")[2]
        body = json.dumps(chart(symbol) if symbol in {"AAPL", "BRK-B"} else NOTHING).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


NOTHING = {"chart": {"result": None, "error": {"code": "Not Found", "description": "No data found"}}}


def chart(symbol: str) -> dict[str, Any]:
    zone = "America/New_York"
    stamps = [int(pd.Timestamp(f"{day} 09:30", tz=zone).timestamp()) for day in ("2023-07-03", "2023-07-05")]
    period = {"timezone": "EDT", "start": stamps[0], "end": stamps[0] + 23_400, "gmtoffset": -14_400}
    meta = {
        "currency": "USD", "symbol": symbol, "exchangeName": "NMS", "instrumentType": "EQUITY", "timezone": "EDT",
        "firstTradeDate": stamps[0], "regularMarketTime": stamps[-1], "gmtoffset": -14_400, "priceHint": 2,
        "exchangeTimezoneName": zone, "regularMarketPrice": 12.0, "dataGranularity": "1d", "range": "",
        "validRanges": ["1d", "max"], "currentTradingPeriod": {"pre": period, "regular": period, "post": period},
    }  # fmt: skip
    quote = {"open": [10.0, 11.0], "high": [12.0, 13.0], "low": [9.0, 10.0], "close": [11.0, 12.0], "volume": [5, 6]}
    indicators = {"quote": [quote], "adjclose": [{"adjclose": [5.5, 6.0]}]}
    return {"chart": {"result": [{"meta": meta, "timestamp": stamps, "indicators": indicators}], "error": None}}


@pytest.fixture
def yahoo(monkeypatch, tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Yahoo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"

    def ask(_: Any, url: str, params: Any = None, timeout: float = 30) -> requests.Response:
        # Its own transport signs in at three hosts first; what it asks for and how it reads it is its own.
        session = requests.Session()
        session.trust_env = False
        return session.get(address + urlparse(url).path, params=dict(params or {}), timeout=timeout)

    monkeypatch.setattr("yfinance.data.YfData.get", ask)
    monkeypatch.setattr("yfinance.data.YfData.cache_get", ask)
    yfinance.set_tz_cache_location(str(tmp_path / "cache"))
    Yahoo.asked = []
    yield Yahoo
    server.shutdown()
    server.server_close()


def test_bars_of_yahoo_are_adjusted_and_told(yahoo, tmp_path):
    out = tmp_path / "bars.csv"
    told = json.loads(run(*GET[:2], "brk.b,AAPL,NONE", *GET[3:-1], str(out), "--source", "yahoo", "--json"))
    assert told["symbols"] == ["AAPL", "BRK.B"] and told["missing"] == ["NONE"]
    assert {path.rpartition("/")[2] for path, _ in yahoo.asked} >= {"BRK-B", "AAPL", "NONE"}
    found = read_file(out, ["BRK.B"]).frame
    assert [f"{day:%Y-%m-%d}" for day in found["datetime"]] == ["2023-07-03", "2023-07-05"]
    assert found[["open", "high", "low", "close"]].to_numpy().tolist() == [[5, 6, 4.5, 5.5], [5.5, 6.5, 5, 6]]
    beside = json.loads((tmp_path / "bars.csv.json").read_text())
    assert beside["adjusted_for"] == "splits and dividends" and datetime.fromisoformat(beside["fetched_at"]).tzinfo


def test_a_yahoo_without_any_of_them_is_refused(yahoo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refusal, match="--source yahoo: has no bars of NONE from 2023-07-03 to 2023-07-07"):
        run(*GET[:2], "NONE", *GET[3:], "--source", "yahoo")
    assert not (tmp_path / "bars.csv").exists()
