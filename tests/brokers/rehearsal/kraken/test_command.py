"""``python -m brokers.rehearsal --venue kraken``: what it says, what it refuses, what it serves."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from brokers.rehearsal.__main__ import _parser, _server, _told, main
from tests.brokers.rehearsal.kraken.market import Client, Wire, bars

KRAKEN = ["--venue", "kraken"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--venue", "nowhere"], "--venue"),
        ([*KRAKEN, "--hours", "all"], "--hours"),
        (["--tier", "pro"], "--tier"),
        (["--balance", "XBT=1"], "--balance"),
        ([*KRAKEN, "--tier", "best"], "--tier"),
        ([*KRAKEN, "--fees", "0.4"], "--fees"),
        ([*KRAKEN, "--fees", "0.4/101"], "--fees"),
        ([*KRAKEN, "--balance", "XBT"], "--balance"),
        ([*KRAKEN, "--balance", "GOLD=1"], "--balance"),
        ([*KRAKEN, "--balance", "XBT=-1"], "--balance"),
        ([*KRAKEN, "--stops-hold", "maybe"], "--stops-hold"),
        ([*KRAKEN, "--small-closes", "1"], "--small-closes"),
        ([*KRAKEN, "--secret", "not base64"], "--secret"),
        ([*KRAKEN, "--symbols", "AAPL"], "AAPL"),
        ([*KRAKEN, "--start", "2099-01-01"], "2099-01-01"),
        ([*KRAKEN, "--fault", "banana=1"], "--fault"),
        ([*KRAKEN, "--data", "missing.parquet"], "missing.parquet"),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert named in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_without_a_file_it_plays_bars_that_say_they_are_made_up(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        *KRAKEN, "--cash", "50", "--balance", "XBT.F=0.0002", "--balance", "USD.F=5", "--fees", "0.40/0.80",
        "--as-of", "today", "--stops-hold", "false", "--small-closes", "true", "--tier", "none",
        "--fault", "partial_pause=30", "--partial-fills", "0.5",
    ]  # fmt: skip
    given = _parser().parse_args(arguments)
    with _server(given) as server:
        assert "synthetic" in capsys.readouterr().err
        line = _told(server, given)
        key, secret = line.split("the key ")[1].strip().split(" and the secret ")
        client: Any = Client(server, apiKey=key, secret=secret)
        assert client.fetch_balance()["total"]["USD"] == 50
        assert client.fetch_trading_fee("BTC/USD")["taker"] == 0.008
        assert abs(client.fetch_time() / 1_000 - datetime.now(UTC).timestamp()) < 86_400
        settings = server.call(lambda exchange: exchange.settings)
        assert (settings.stops_hold, settings.small_closes, settings.tier) == (False, True, "none")


def test_a_secret_that_was_handed_in_is_not_repeated() -> None:
    given = _parser().parse_args([*KRAKEN, "--key", "OWN", "--secret", "b3du"])
    with _server(given) as server:
        line = _told(server, given)
        assert "OWN" in line
        assert "b3du" not in line
        assert Wire(server).private("Balance")["result"]["ZUSD"] == "1000.0000"


def test_a_file_of_any_spelling_is_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "coins.csv"
    data = bars(("BTC/USD", "ETH/USD"), days=3)
    data.assign(symbol=data["symbol"].str.replace("/", "-"), datetime=data["datetime"].dt.tz_localize(None)).to_csv(
        path, index=False
    )
    given = _parser().parse_args([*KRAKEN, "--data", str(path), "--symbols", "BTC-USD", "--start", "2026-11-28T12:00"])
    with _server(given) as server:
        assert "read as" in capsys.readouterr().err
        wire = Wire(server)
        assert list(wire.public("AssetPairs")["result"]) == ["XXBTZUSD"]
        assert (
            wire.public("Time")["result"]["unixtime"] // 60
            == int(datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()) // 60
        )
