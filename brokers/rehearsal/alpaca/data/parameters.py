"""Parameters of the market data API: each honoured or refused by its name.

The account has Alpaca's basic plan: real time from the feed ``iex``; ``sip``, the default of historical requests,
ends 15 minutes ago. All feeds show the same market.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from brokers.rehearsal.alpaca.errors import ApiError
from brokers.rehearsal.alpaca.json_bodies import Json
from brokers.rehearsal.alpaca.queries import Query, moment, whole
from brokers.rehearsal.alpaca.us_hours import NEW_YORK_ZONE

DEFAULT_LIMIT, LARGEST_LIMIT = 1_000, 10_000
SIP_DELAY = timedelta(minutes=15)
# The file's market knows no split and no dividend, so that every adjustment shows the same prices.
ADJUSTMENTS = ("raw", "split", "dividend", "spin-off", "all")
NOT_REHEARSED = ("otc", "boats", "overnight")


def bad(message: str) -> ApiError:
    """The request can't be right; market data answer 400 where trading answers 422."""
    return ApiError(400, {"message": message})


def at_venue(now: datetime) -> str:
    """The venue's time, for a client that may go by another."""
    return f"the venue's time is {now.astimezone(NEW_YORK_ZONE).isoformat(timespec='seconds')}"


def recent_sip(now: datetime) -> ApiError:
    """The refusal of what the basic plan doesn't have."""
    return ApiError(
        403, {"message": f"subscription does not permit querying recent SIP data ({at_venue(now)}; or ask feed=iex)"}
    )


@dataclass(frozen=True, slots=True)
class Window:
    """What of the past is asked for: from ``start`` to ``end``, both included."""

    start: datetime
    end: datetime
    limit: int
    newest_first: bool
    after: tuple[str, str] | None


def read_window(query: Query, now: datetime, feeds: tuple[str, ...] = ("sip", "iex")) -> Window:
    """The window of a historical request; ApiError 400 or 403 for what it can't be."""
    feed = _feed(query, feeds) or "sip"
    check_currency(query)
    _check_adjustment(query)
    asof = query.get("asof", "")
    if asof not in ("", "-"):
        try:
            date.fromisoformat(asof)
        except ValueError:
            raise bad(f"invalid asof: {asof}") from None
    sort = query.get("sort") or "asc"
    if sort not in ("asc", "desc"):
        raise bad(f"invalid sort: {sort}; it is one of asc, desc")
    try:
        start, end, limit = moment(query, "start"), moment(query, "end"), whole(query, "limit")
    except ApiError as error:
        raise bad(str(error.body["message"])) from None
    limit = DEFAULT_LIMIT if limit is None else limit
    if not 0 < limit <= LARGEST_LIMIT:
        raise bad(f"limit must be between 1 and {LARGEST_LIMIT}")
    newest = now - SIP_DELAY if feed == "sip" else now
    if end is not None and newest < min(end, now):
        raise recent_sip(now)
    midnight = datetime.combine(now.astimezone(NEW_YORK_ZONE).date(), time(), NEW_YORK_ZONE)
    start, end = start or midnight, end or newest
    if end < start:
        raise bad(f"end should not be before start ({at_venue(now)})")
    return Window(start, end, limit, sort == "desc", _read_token(query.get("page_token", "")))


def latest_delay(query: Query, now: datetime) -> timedelta:
    """How old the latest data are that are asked for."""
    check_currency(query)
    feed = _feed(query, ("iex", "delayed_sip", "sip"))
    if feed == "sip":
        raise recent_sip(now)
    return SIP_DELAY if feed == "delayed_sip" else timedelta(0)


def check_currency(query: Query) -> None:
    """Only dollars are quoted."""
    if query.get("currency", "USD") not in ("", "USD"):
        raise bad(f"currency {query['currency']} is not rehearsed here; prices are in USD")


def paged(window: Window, found: Iterable[tuple[str, Sequence[Json]]]) -> tuple[dict[str, list[Json]], str | None]:
    """One page of what was found, by symbol ascending, each ascending by time; and the token of the next.

    ``found`` begins with the symbol that the page before ended with.
    """
    page: dict[str, list[Json]] = {}
    room = window.limit
    last: tuple[str, str] | None = None
    for symbol, rows in found:
        items = list(reversed(rows)) if window.newest_first else list(rows)
        if window.after is not None and symbol == window.after[0]:
            stamps = [_stamp(item) for item in items]
            if window.after[1] not in stamps:
                raise bad("invalid page_token: it is of another request")
            items = items[stamps.index(window.after[1]) + 1 :]
        if not items:
            continue
        if room == 0:
            return page, _token(last)
        page[symbol] = items[:room]
        room -= len(page[symbol])
        last = symbol, _stamp(page[symbol][-1])
        if len(items) > len(page[symbol]):
            return page, _token(last)
    return page, None


def _stamp(item: Json) -> str:
    return str(item["t"] if "t" in item else item["d"])


def _feed(query: Query, allowed: tuple[str, ...]) -> str:
    feed = query.get("feed", "")
    if feed in NOT_REHEARSED:
        raise bad(f"feed {feed} is not rehearsed here; it is one of {', '.join(allowed)}")
    if feed and feed not in allowed:
        raise bad(f"invalid feed: {feed}; it is one of {', '.join(allowed)}")
    return feed


def _check_adjustment(query: Query) -> None:
    for name in (query.get("adjustment") or "raw").split(","):
        if name not in ADJUSTMENTS:
            raise bad(f"invalid adjustment: {name}; it is one of {', '.join(ADJUSTMENTS)}")


def _token(last: tuple[str, str] | None) -> str | None:
    return b64encode("|M|".join(last).encode()).decode() if last else None


def _read_token(text: str) -> tuple[str, str] | None:
    """Symbol and time of the last entry of the page before."""
    if not text:
        return None
    try:
        symbol, _, stamp = b64decode(text, validate=True).decode().split("|")
    except ValueError:
        raise bad("invalid page_token") from None
    return symbol, stamp
