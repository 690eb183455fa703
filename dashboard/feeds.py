"""What scripts ask for: beats, figures of charts, and the metrics."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from config.values.counting import plain_digits
from config.values.markets import NEW_YORK_ZONE
from dashboard.context import CONTEXT
from dashboard.desk_pages import symbol_of
from monitoring import journal_fills, journal_queries
from monitoring.journal_reader import Statements
from monitoring.market_view import Bar
from monitoring.metrics import CONTENT_TYPE, metrics
from monitoring.rows import FillRow, OrderRow

CHART_BARS, LONGEST_LINES = 600, 60
"""Bars of a chart, and how many stop and target lines it shows, the latest."""
QUIET_S = 15.0
"""Seconds after which a comment is sent where no beat was."""


async def beats(request: web.Request) -> web.StreamResponse:
    """Server-sent events: one each beat, with a mark that changes when there is news."""
    context = request.app[CONTEXT]
    if len(context.followers) >= context.settings.followers:
        raise web.HTTPServiceUnavailable(reason="too many browsers follow this page")
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    response.headers["X-Content-Type-Options"] = "nosniff"
    queue: asyncio.Queue[str] = asyncio.Queue()
    context.followers.add(queue)
    try:
        await response.prepare(request)
        await response.write(f"retry: 1000\ndata: {context.mark}\n\n".encode())
        while True:
            try:
                mark = await asyncio.wait_for(queue.get(), QUIET_S)
            except TimeoutError:
                await response.write(b": still here\n\n")
                continue
            if not mark:
                return response
            await response.write(f"data: {mark}\n\n".encode())
    except ConnectionError:
        return response
    finally:
        context.followers.discard(queue)


async def equity(request: web.Request) -> web.Response:
    """Equity over time, for the chart."""
    points = await request.app[CONTEXT].ask(journal_queries.equity)
    found: dict[int, float] = {_stamp(point.time): round(point.equity, 2) for point in points}
    return web.json_response({"points": [{"time": time, "value": value} for time, value in sorted(found.items())]})


async def candles(request: web.Request) -> web.Response:
    """A symbol's bars with its stop and target lines and its fills."""
    context, symbol = request.app[CONTEXT], symbol_of(request)
    bars: list[Bar] = await asyncio.to_thread(context.view.bars, symbol, CHART_BARS)
    minutes = await asyncio.to_thread(context.view.bar_minutes)
    since = datetime.fromtimestamp(bars[0][0], UTC) if bars else datetime(1970, 1, 1, tzinfo=UTC)

    def ask(db: Statements) -> tuple[list[OrderRow], list[FillRow]]:
        return journal_queries.exits_of(db, symbol, since), journal_fills.fills(db, symbol=symbol, since=since)

    orders, fills = await context.ask(ask)
    opens = [bar[0] for bar in bars]
    now = opens[-1] + minutes * 60 if opens else 0
    return web.json_response(
        {
            "minutes": minutes,
            "bars": [{"time": _local(t), "open": o, "high": h, "low": low, "close": c} for t, o, h, low, c, _ in bars],
            "lines": list(_lines(orders, opens, now))[-LONGEST_LINES:],
            "fills": list(_marks(fills, opens)),
        }
    )


async def prometheus(request: web.Request) -> web.Response:
    """The metrics in Prometheus's text format."""
    context = request.app[CONTEXT]
    await context.ask(context.counts.read)
    text = metrics(await asyncio.to_thread(context.status), context.counts)
    return web.Response(text=text, headers={"Content-Type": CONTENT_TYPE})


def _lines(orders: Iterable[OrderRow], opens: list[int], now: int) -> Iterable[dict[str, Any]]:
    """Levels that worked at the venue, each from its bar to the one in which it ended."""
    if not opens:
        return
    for order in orders:
        levels = {
            "stop": order.stop if order.role == "stop" else order.bracket_stop,
            "target": order.limit if order.role == "target" else order.bracket_target,
        }
        if order.state in ("rejected", "lost"):
            continue
        for kind, level in levels.items():
            if level is None or (order.role not in ("stop", "target") and not order.filled):
                continue
            end = now if order.ended is None else int(order.ended.timestamp())
            # The exits of a bracket go on after its entry is over, as orders of their own.
            first, last = _place(opens, int(order.time.timestamp())), _place(opens, end)
            points = [{"time": _local(t), "value": level} for t in dict.fromkeys((opens[first], opens[last]))]
            yield {"kind": kind, "points": points, "works": order.ended is None}


def _marks(fills: Iterable[FillRow], opens: list[int]) -> Iterable[dict[str, Any]]:
    if not opens:
        return
    for fill in sorted(fills, key=lambda f: f.time):
        place = _place(opens, int(fill.time.timestamp()))
        yield {
            "time": _local(opens[place]),
            "side": fill.side,
            "role": fill.role,
            "text": f"{fill.role} {plain_digits(fill.quantity)} @ {fill.price:.2f}",
        }


def _place(opens: list[int], moment: int) -> int:
    """The bar in which a moment lies."""
    return max(0, bisect_right(opens, moment) - 1)


def _stamp(moment: datetime) -> int:
    return _local(int(moment.timestamp()))


def _local(stamp: int) -> int:
    """Seconds that a chart without zones shows as New York's time."""
    offset = datetime.fromtimestamp(stamp, NEW_YORK_ZONE).utcoffset()
    assert offset is not None
    return stamp + int(offset.total_seconds())


ROUTES = [
    web.get("/beats", beats),
    web.get("/equity.json", equity),
    web.get("/candles/{symbol:.+}", candles),
    web.get("/metrics", prometheus),
]
