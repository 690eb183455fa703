"""The decision log, one decision with its chain, and the orders with their lives."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from aiohttp import web

from config.values.markets import NEW_YORK_ZONE
from dashboard.context import CONTEXT
from dashboard.desk_pages import SYMBOL
from dashboard.workers import answer
from monitoring import journal_queries
from monitoring.journal_reader import Statements
from monitoring.not_sent import NOT_SENT
from monitoring.order_tries import Tried, folded

OUTCOMES = ("sent", "resized", "refused", NOT_SENT)
PAGE = 50
MOST_DIGITS = 15
"""Of a row's number; what is longer is no row's, and a database would refuse it."""


async def decisions(request: web.Request) -> web.Response:
    """Decisions by outcome, module, symbol and day, the latest first."""
    context, query = request.app[CONTEXT], request.query
    chosen = {
        "outcome": query.get("outcome", "") if query.get("outcome") in OUTCOMES else "",
        "module": query.get("module", "")[:64],
        "symbol": query.get("symbol", "").strip().upper()[:20],
        "day": query.get("day", ""),
    }
    day = _day(chosen["day"])
    since = None if day is None else datetime.combine(day, time.min, NEW_YORK_ZONE)
    before = _number(query.get("before", ""))

    def ask(db: Statements) -> tuple[list[Any], list[str]]:
        found = journal_queries.decisions(
            db,
            symbol=chosen["symbol"],
            outcome=chosen["outcome"],
            module=chosen["module"],
            since=since,
            until=None if day is None else datetime.combine(day + timedelta(days=1), time.min, NEW_YORK_ZONE),
            before=before,
            limit=PAGE + 1,
        )
        newest = int(db.scalar("SELECT max(id) FROM decisions") or 0)
        # Of the latest thousands alone: every rule that runs is among them, and the log may be long.
        modules = db.rows("SELECT DISTINCT module FROM verdicts WHERE decision_id > :since", since=newest - 5_000)
        return found, sorted(row["module"] for row in modules)

    found, modules = await context.ask(ask)
    more = found[PAGE - 1].id if len(found) > PAGE else None
    return context.page(
        "decisions",
        request,
        status=await asyncio.to_thread(context.status),
        decisions=found[:PAGE],
        modules=modules,
        outcomes=OUTCOMES,
        chosen=chosen | {"day": "" if day is None else str(day)},
        more=more,
        first=before is None,
    )


async def decision(request: web.Request) -> web.Response:
    """One decision: what each rule said, from which numbers, and what became of it."""
    context, number = request.app[CONTEXT], _number(request.match_info["number"])
    if number is None:
        raise web.HTTPNotFound

    def ask(db: Statements) -> tuple[Any, list[Any]]:
        found = journal_queries.decision(db, number)
        if found is None:
            return None, []
        rows = db.rows(
            "SELECT client_order_id FROM orders WHERE symbol = :symbol AND decision_time = :time AND parent_id IS NULL",
            symbol=found.symbol,
            time=found.time,
        )
        return found, [row["client_order_id"] for row in rows]

    found, orders = await context.ask(ask)
    if found is None:
        raise web.HTTPNotFound
    status = await asyncio.to_thread(context.status)
    reading = await asyncio.to_thread(context.view.reading, found.symbol)
    return context.page("decision", request, status=status, decision=found, orders=orders, reading=reading)


async def remedy(request: web.Request) -> web.Response:
    """What would have to change for a decision, by the rules themselves, which another process loads."""
    context, number = request.app[CONTEXT], _number(request.match_info["number"])
    if number is None:
        raise web.HTTPNotFound
    found = await answer(context.settings, {"question": "remedy", "decision": number})
    if "error" in found:
        raise web.HTTPNotFound
    return web.json_response(found)


async def orders(request: web.Request) -> web.Response:
    """Orders with what became of them, the latest first."""
    context, query = request.app[CONTEXT], request.query
    symbol = query.get("symbol", "").strip().upper()
    symbol = symbol if SYMBOL.fullmatch(symbol) else ""
    before = _mark(query.get("before", ""))

    def ask(db: Statements) -> list[Any]:
        found = journal_queries.orders(db, symbol=symbol, before=before, limit=PAGE + 1)
        return journal_queries.with_life(db, found)

    found = await context.ask(ask)
    last = found[PAGE - 1] if len(found) > PAGE else None
    more = None if last is None else f"{last.time.isoformat()}|{last.id}"
    return context.page(
        "orders",
        request,
        status=await asyncio.to_thread(context.status),
        orders=folded(found[:PAGE]),
        symbol=symbol,
        more=more,
        first=before is None,
        family=False,
    )


async def order(request: web.Request) -> web.Response:
    """One order with its parent, legs and replacements."""
    context, name = request.app[CONTEXT], request.match_info["name"][:128]
    found = await context.ask(lambda db: journal_queries.family(db, name))
    if not found:
        raise web.HTTPNotFound
    return context.page(
        "orders",
        request,
        status=await asyncio.to_thread(context.status),
        orders=[Tried(one) for one in found],
        symbol=found[0].symbol,
        more=None,
        first=True,
        family=True,
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 1990 <= found.year <= 2100 else None


def _mark(text: str) -> tuple[datetime, str] | None:
    when, _, name = text.partition("|")
    try:
        found = datetime.fromisoformat(when)
        if found.tzinfo is None:
            return None
        # Of a time at the edge of the calendar there may be none in UTC.
        return found.astimezone(UTC), name[:128]
    except (ValueError, OverflowError):
        return None


ROUTES = [
    web.get("/decisions", decisions),
    web.get("/decision/{number}", decision),
    web.get("/decision/{number}/remedy", remedy),
    web.get("/orders", orders),
    web.get("/order/{name}", order),
]
