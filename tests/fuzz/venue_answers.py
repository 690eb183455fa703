"""Answers of both venues after some accidents: read as what they say, or known as unreadable, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from brokers.alpaca.listings import update_of
from brokers.alpaca.responses import body_of
from brokers.alpaca.venue import AlpacaVenue
from brokers.rehearsal.alpaca.exchange import Exchange
from brokers.venue_errors import VenueError, VenueUnavailable
from tests.brokers.alpaca.scripted import client_of
from tests.brokers.kraken.scripted import results, scripted
from tests.brokers.rehearsal.venue import Venue

ODD = (
    None, True, False, 0, -1, 7, 1e30, -1e30, 1e-300, 10**40, "", "0", "-1", "1e30", "NaN", "Infinity", "0e-999999999",
    "9" * 5_000, "x", "\x1b[2J\n\u202e", "../../x", "<script>", "\ud800", [], {}, [[]], [1, "a", None], {"a": 1},
    "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "2024-03-04T15:00:00", "2024-03-04T15:00:00Z", "soon",
    "buy", "sell", "stop", "filled", "new",
)  # fmt: skip
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def spoiled(rng: Random, body: Any, deepest: int = 6) -> Any:
    """A copy with some of its parts replaced, taken away, doubled or nested."""
    body = copy.deepcopy(body)
    for _ in range(rng.randint(1, 4)):
        at: Any = body
        for _ in range(rng.randint(0, deepest)):
            keys = list(at) if isinstance(at, dict) else list(range(len(at))) if isinstance(at, list) else []
            if not keys:
                break
            key = rng.choice(keys)
            if not isinstance(at[key], dict | list) or rng.random() < 0.3:
                _spoil(rng, at, key)
                break
            at = at[key]
        else:
            continue
        if at is body and not isinstance(body, dict | list):
            return copy.deepcopy(rng.choice(ODD))
    return body if rng.random() < 0.95 else copy.deepcopy(rng.choice([*ODD, [body], {"x": body}]))


def _spoil(rng: Random, at: Any, key: Any) -> None:
    match rng.randrange(5):
        case 0:
            del at[key]
        case 1:
            at[key] = [at[key]]
        case 2 if isinstance(at, list):
            at.append(at[key])
        case _:
            at[key] = copy.deepcopy(rng.choice(ODD))


def _account() -> dict[str, Any]:
    """What an exchange says of an account that holds something, with orders of every kind."""
    exchange: Exchange = Venue()
    exchange.quote("50", "MSFT")
    exchange.buy("10")
    exchange.oco()
    exchange.bracket("limit", limit_price="99")
    exchange.send(kind="trailing_stop", trail_price="2", symbol="MSFT")
    quote = {"bp": 99.9, "ap": 100.1, "t": exchange.now.isoformat()}
    bar = {"o": 1, "h": 2, "l": 0.5, "c": 1.5, "v": 100, "t": exchange.now.isoformat()}
    return {
        "/account": exchange.account(), "/positions": exchange.positions(), "/clock": exchange.clock(),
        "/orders": exchange.orders("all", limit=500, nested=True),
        "/stocks/quotes/latest": {"quotes": {"AAPL": quote, "MSFT": quote}},
        "/stocks/bars": {"bars": {"AAPL": [bar, bar], "MSFT": [bar]}, "next_page_token": None},
        "/assets/AAPL": exchange.asset("AAPL"), "stream": exchange.events[-1],
    }  # fmt: skip


def alpaca(rng: Random) -> str:
    """Ask everything of an Alpaca whose answers are spoiled."""
    told = json.loads(json.dumps(_account()))
    client = client_of("http://127.0.0.1:9")

    def ask(path: str, data: Any = None) -> Any:
        known = told["/orders"][0] if path.startswith("/orders") and path != "/orders" else told.get(path)
        text = json.dumps(spoiled(rng, known))
        return body_of(text.encode("utf-8", "surrogatepass"), VenueUnavailable)

    for http in (client.trading, client.data):
        http.get = http.post = http.patch = http.delete = ask
    venue = AlpacaVenue(client)
    moment = datetime.fromisoformat(told["/clock"]["timestamp"])
    questions: list[Callable[[], Any]] = [
        venue.account, venue.positions, venue.venue_clock, venue.open_orders, lambda: venue.orders_since(LONG_AGO),
        lambda: venue.order("x"), lambda: venue.order_by_client_id("x"), lambda: venue.quotes(["AAPL", "MSFT"]),
        lambda: venue.bars(["AAPL", "MSFT"], 5, moment - timedelta(days=1), moment), lambda: venue.terms(["AAPL"]),
        lambda: (venue.trades("AAPL"), venue.lists("AAPL"), venue.trades_fractions("AAPL")),
    ]  # fmt: skip
    read = sum(_asked(question) for question in questions)
    try:
        update_of(spoiled(rng, told["stream"]))
    except (AttributeError, TypeError, ValueError):
        # The stream takes whatever goes wrong in a message as the end of its connection.
        read -= 1
    return f"{'most' if read > len(questions) // 2 else 'few'} read at Alpaca"


def kraken(rng: Random, folder: Path) -> str:
    """Ask everything of a Kraken whose answers are spoiled."""
    honest = results()
    (folder / "nonce").unlink(missing_ok=True)
    venue, _, _ = scripted(folder, {name: _spoiling(rng, answer) for name, answer in honest.items()})
    questions: list[Callable[[], Any]] = [
        venue.venue_clock, venue.account, venue.positions, venue.dust, venue.open_orders,
        lambda: venue.orders_since(LONG_AGO), lambda: venue.quotes(["BTC/USD", "DOGE/USD"]),
        lambda: venue.bars(["BTC/USD"], 60, LONG_AGO), lambda: venue.terms(["BTC/USD"]),
        lambda: venue.rules.least("BTC/USD", Decimal(90_000)), lambda: venue.rules.tick(90_000, "BTC/USD"),
        lambda: (venue.trades("BTC/USD"), venue.lists("BTC/USD")),
    ]  # fmt: skip
    read = sum(_asked(question) for question in questions)
    return f"{'most' if read > len(questions) // 2 else 'few'} read at Kraken"


def _spoiling(rng: Random, answer: Any) -> Callable[[dict[str, str]], Any]:
    def spoil(fields: dict[str, str]) -> Any:
        found = answer(fields) if callable(answer) else answer
        # A list would be the listing of errors.
        body = spoiled(rng, found) if rng.random() < 0.5 else found
        return {"x": body} if isinstance(body, list) else body

    return spoil


def _asked(question: Callable[[], Any]) -> bool:
    try:
        question()
    except VenueError:
        return False
    return True
