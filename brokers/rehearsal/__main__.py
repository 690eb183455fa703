"""``python -m brokers.rehearsal``: the rehearsal venue alone, for whatever client of Alpaca or Kraken comes."""

from __future__ import annotations

import argparse
import ipaddress
import math
import signal
import sys
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NoReturn

from backtests.data.bar_files import absent, read_file
from backtests.data.reading.options import ReadOptions
from brokers.rehearsal.alpaca.server import RehearsalServer
from brokers.rehearsal.alpaca.us_hours import US_HOURS
from brokers.rehearsal.core.hours import AlwaysOpen
from brokers.rehearsal.core.settings import VenueSettings
from brokers.rehearsal.kraken.options import kraken_settings
from brokers.rehearsal.kraken.reference.synthetic_bars import NOTE, synthetic_bars
from brokers.rehearsal.kraken.server import KrakenServer
from brokers.rehearsal.options import as_of_day, fault_plan
from config.errors import Refusal, exit_status
from config.process.signal_wait import SignalWait

VENUES = ("alpaca", "kraken")
CASH = {"alpaca": "100000", "kraken": "1000"}
ALPACA_ONLY, KRAKEN_ONLY = ("hours",), ("tier", "fees", "balance", "stops_hold", "small_closes")
Server = RehearsalServer | KrakenServer
# Six stocks, daily, that come with the package.
EMBEDDED = Path(__file__).parents[2] / "backtests" / "embedded" / "stocks_daily.parquet"


class Parser(argparse.ArgumentParser):
    """Refuses in one sentence instead of printing the usage."""

    def error(self, message: str) -> NoReturn:
        raise Refusal(f"{message}; see --help")


def _parser() -> Parser:
    parser = Parser(prog="python -m brokers.rehearsal", description=__doc__, allow_abbrev=False)
    parser.add_argument("--venue", choices=VENUES, default=VENUES[0], help="whose protocol it speaks (%(default)s)")
    parser.add_argument(
        "--data",
        help="bars to replay: a .parquet or .csv file, or a folder with one for each symbol (default: the package's "
        "daily bars of six stocks, a day of which is four prices; for Kraken synthetic hourly bars of coins)",
    )
    parser.add_argument("--date-order", choices=("dmy", "mdy"), help="of dates such as 03/04/2022 in it")
    parser.add_argument("--timezone", help="of times without offset in it (default: New York's, for Kraken UTC)")
    parser.add_argument("--labels", choices=("begin", "end"), help="which moment of an intraday bar a time in it is")
    parser.add_argument("--decimal", choices=("point", "comma"), help="what a number such as 1,234 in it means")
    parser.add_argument(
        "--hours",
        choices=("regular", "extended", "all"),
        help="whose bars of shares are played (default: extended)",
    )
    parser.add_argument("--start", help="first day, 2023-01-31, or moment, 2023-01-31T11:00 of the venue's time")
    parser.add_argument("--sessions", help="days to play (default: all from --start, else the data's last)")
    parser.add_argument("--symbols", help="such as AAPL,NVDA (default: all of the data)")
    parser.add_argument("--speed", default="1", help="venue seconds per second; above 1 nights are skipped")
    parser.add_argument("--cash", help="opening balance, USD (default: 100000, for Kraken 1000)")
    parser.add_argument("--key", help="key that clients sign in with (default: a new one)")
    parser.add_argument("--secret", help="its secret (default: a new one, printed once)")
    parser.add_argument("--seed", default="0", help="of all ids and mishaps")
    parser.add_argument("--partial-fills", default="0", help="fraction of executions that fill in part")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a mishap inside the venue, such as cancel_delay_frac=0.5 or cancel_delay_s=0.3-2; repeat for more",
    )
    parser.add_argument(
        "--as-of",
        help="today or a date: play the days as if the first were that session, for clients that go by their own clock",
    )
    kraken = parser.add_argument_group("Kraken")
    kraken.add_argument("--tier", help="whose limits: starter (default), intermediate, pro or none")
    kraken.add_argument("--fees", help="maker and taker in per cent, 0.40/0.80 (default: those listed, by volume)")
    kraken.add_argument(
        "--balance", action="append", metavar="ASSET=AMOUNT", help="such as XBT.F=0.0002; repeat for more"
    )
    kraken.add_argument("--stops-hold", help="false: what waits for its trigger holds no coins (default: true)")
    kraken.add_argument("--small-closes", help="true: also fills below the minimums make closing orders")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", default="0", help="0 takes a free one")
    return parser


def _number(text: str, name: str, low: float, high: float = math.inf) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high or math.isinf(value):
        bounds = f"from {low:g} to {high:g}" if high < math.inf else f"of at least {low:g}"
        raise Refusal(f"--{name} {text} is no number {bounds}; give one")
    return value


def _whole(text: str, name: str, low: int, high: float = math.inf) -> int:
    value = _number(text, name, low, high)
    if value != int(value):
        raise Refusal(f"--{name} {text} is no whole number; give one")
    return int(value)


def _start(text: str | None) -> date | None:
    if text is None:
        return None
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            return read(text)
        except ValueError:
            continue
    raise Refusal(f"--start {text} is neither a date nor a time; write it as 2023-01-31 or 2023-01-31T11:00")


def _cash(text: str) -> Decimal:
    _number(text, "cash", 1)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Refusal(f"--cash {text} is no amount; give one such as 100000") from None


def _host(text: str) -> str:
    if text != "localhost":
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise Refusal(f"--host {text} is no address of this machine; give one such as 127.0.0.1") from None
    return text


def _server(given: argparse.Namespace) -> Server:
    if "" in (given.key, given.secret):
        raise Refusal("--key and --secret must not be empty; give them or leave them out")
    for name in KRAKEN_ONLY if given.venue == "alpaca" else ALPACA_ONLY:
        if getattr(given, name) is not None:
            raise Refusal(f"--{name.replace('_', '-')} is nothing that {given.venue.title()} has; leave it out")
    return _alpaca(given) if given.venue == "alpaca" else _kraken(given)


def _symbols(given: argparse.Namespace) -> list[str] | None:
    return [s for s in given.symbols.split(",") if s] if given.symbols else None


def _sessions(given: argparse.Namespace) -> int | None:
    return _whole(given.sessions, "sessions", 1) if given.sessions is not None else None


def _kraken(given: argparse.Namespace) -> KrakenServer:
    seed, symbols, notes = _whole(given.seed, "seed", 0), _symbols(given), [NOTE]
    if given.data is None:
        frame = synthetic_bars(seed)
    else:
        first = symbols[0] if symbols else None
        reading = ReadOptions(
            given.date_order,
            given.timezone,
            given.decimal,
            first,
            "all",
            unsaid_timezone=str(AlwaysOpen.zone),
            labels=given.labels,
        )
        bars = read_file(given.data, symbols, options=reading)
        frame, notes = bars.frame, [f"read as: {bars.read_as}", *bars.notes]
    server = KrakenServer(
        frame,
        start=_start(given.start),
        sessions=_sessions(given),
        symbols=symbols,
        settings=kraken_settings(
            _cash(given.cash or CASH["kraken"]),
            seed,
            given.balance or (),
            given.fees,
            given.tier or "starter",
            given.stops_hold or "true",
            given.small_closes or "false",
        ),
        venue_faults=fault_plan(given.fault, seed, _number(given.partial_fills, "partial-fills", 0, 1)),
        speed=_number(given.speed, "speed", 0.001),
        key=given.key,
        secret=given.secret,
        host=_host(given.host),
        port=_whole(given.port, "port", 0, 65535),
        as_of=as_of_day(given.as_of, AlwaysOpen.zone),
    )
    for note in notes:
        sys.stderr.write(f"{note}\n")
    return server


def _alpaca(given: argparse.Namespace) -> RehearsalServer:
    if given.data is None and not EMBEDDED.is_file():
        raise Refusal("no --data, and the package's own bars are not installed; give a .parquet or .csv file")
    seed = _whole(given.seed, "seed", 0)
    symbols = _symbols(given)
    first = symbols[0] if symbols else None
    reading = ReadOptions(
        given.date_order, given.timezone, given.decimal, first, given.hours or "extended", labels=given.labels
    )
    bars = read_file(given.data if given.data is not None else EMBEDDED, symbols, options=reading)
    if lacking := absent(bars.frame, symbols or []):
        raise Refusal(f"{given.data or EMBEDDED}: no bars of {', '.join(lacking)}; choose other --symbols")
    server = RehearsalServer(
        bars.frame,
        start=_start(given.start),
        sessions=_sessions(given),
        settings=VenueSettings(cash_usd=_cash(given.cash or CASH["alpaca"]), seed=seed),
        venue_faults=fault_plan(given.fault, seed, _number(given.partial_fills, "partial-fills", 0, 1)),
        speed=_number(given.speed, "speed", 0.001),
        key=given.key,
        secret=given.secret,
        host=_host(given.host),
        port=_whole(given.port, "port", 0, 65535),
        as_of=as_of_day(given.as_of, US_HOURS.zone),
    )
    if given.data is not None:
        for note in (f"read as: {bars.read_as}", *bars.notes):
            sys.stderr.write(f"{note}\n")
    return server


def _told(server: Server, given: argparse.Namespace) -> str:
    """Where the venue is and what opens it; a secret that was handed in is not repeated."""
    secret = "that was given" if given.secret else server.secret
    if isinstance(server, KrakenServer):
        return (
            f"Kraken rehearsal at {server.url}, REST alone: point both addresses of ccxt.kraken's urls['api'] there, "
            f"with the key {server.key} and the secret {secret}\n"
        )
    return (
        f"Alpaca rehearsal at {server.url}, stream {server.stream_url}: point a client's url_override there, "
        f"with the key {server.key} and the secret {secret}\n"
        "A trader, with these as ALPACA_API_KEY and ALPACA_API_SECRET: risk-first trade --paper --alpaca-url "
        f"{server.url} --set pace.speed={_number(given.speed, 'speed', 0.001):g}\n"
    )


def _serve(arguments: Sequence[str] | None) -> int:
    given = _parser().parse_args(arguments)
    server = _server(given)
    stop = SignalWait()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: stop.end())
    with server:
        sys.stdout.write(_told(server, given))
        sys.stdout.flush()
        while server.running and not stop.wait(1.0):
            continue
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal ends it; 2 for refused arguments."""
    return exit_status(lambda: _serve(arguments))


if __name__ == "__main__":
    sys.exit(main())
