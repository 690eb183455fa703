"""The landing page and the page of a symbol."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from aiohttp import web

from dashboard.context import CONTEXT
from monitoring import journal_fills, journal_queries, journal_trades
from monitoring.journal_reader import Statements
from monitoring.order_tries import folded
from monitoring.own_shares import net_fills
from monitoring.rows import DecisionRow, FillRow, OrderRow, TradeRow
from monitoring.state import LimitState
from monitoring.status import Status

SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9./-]{0,19}")
LATEST = 8
ORDERS = 50
HALT_SESSIONS = 30


@dataclass(frozen=True, slots=True)
class HaltRow:
    """A halt as the journal has it."""

    session: date
    module: str
    reason: str


def symbol_of(request: web.Request) -> str:
    """The symbol in the address; what is none is not found."""
    found = request.match_info["symbol"]
    if not SYMBOL.fullmatch(found):
        raise web.HTTPNotFound
    return found


async def landing(request: web.Request) -> web.Response:
    """What is held, how much of each limit is used, and what is halted."""
    context = request.app[CONTEXT]
    status = await asyncio.to_thread(context.status)

    def ask(db: Statements) -> dict[str, Any]:
        return {
            "latest": journal_queries.decisions(db, limit=LATEST),
            "trades": journal_trades.trades(db, limit=LATEST),
            "halts": _halts(db),
            "held": net_fills(db) if status is None else {},
            "last": None if status is not None else next(iter(journal_queries.equity(db, most=1)), None),
        }

    return context.page("landing", request, status=status, groups=_groups(status), **await context.ask(ask))


async def symbol(request: web.Request) -> web.Response:
    """Bars, levels, fills and verdicts of one symbol."""
    context, name = request.app[CONTEXT], symbol_of(request)
    status = await asyncio.to_thread(context.status)

    def ask(db: Statements) -> tuple[list[DecisionRow], list[OrderRow], list[FillRow], list[TradeRow]]:
        return (
            journal_queries.decisions(db, symbol=name, limit=20),
            journal_queries.orders(db, symbol=name, limit=ORDERS),
            journal_fills.fills(db, symbol=name, limit=20),
            journal_trades.trades(db, symbol=name, limit=20),
        )

    decisions, orders, fills, trades = await context.ask(ask)
    reading = await asyncio.to_thread(context.view.reading, name)
    held = [] if status is None else [p for p in status.state.positions if p.symbol == name]
    if not (decisions or orders or reading or held):
        raise web.HTTPNotFound
    return context.page(
        "symbol",
        request,
        symbol=name,
        status=status,
        positions=held,
        reading=reading,
        decisions=decisions,
        orders=folded(orders),
        fills=fills,
        trades=trades,
    )


async def symbols(request: web.Request) -> web.Response:
    """Every symbol with what was last read of it."""
    context = request.app[CONTEXT]
    status = await asyncio.to_thread(context.status)
    readings = await asyncio.to_thread(context.view.readings)
    known = {reading.symbol for reading in readings}
    others = [name for name in await context.ask(journal_queries.decided_symbols) if name not in known]
    return context.page("symbols", request, status=status, readings=readings, others=others)


def _halts(db: Statements) -> list[HaltRow]:
    """The latest halts, the latest first."""
    rows = db.rows(
        "SELECT session, module, reason FROM halts ORDER BY session DESC, time LIMIT :most", most=HALT_SESSIONS
    )
    return [HaltRow(_day(row["session"]), row["module"], row["reason"]) for row in rows]


def _day(value: Any) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _groups(status: Status | None) -> dict[str, list[LimitState]]:
    """Limits by what they are about, in the order in which they are shown."""
    found: dict[str, list[LimitState]] = {"halts": [], "today": [], "week": [], "account": [], "sectors": []}
    for limit in () if status is None else status.state.limits:
        if limit.scope == "one position":
            continue
        if limit.halts:
            found["halts"].append(limit)
        elif limit.frees == "next_session":
            found["today"].append(limit)
        elif limit.frees == "next_week":
            found["week"].append(limit)
        else:
            found["sectors" if limit.module == "sector_cap" else "account"].append(limit)
    return found


ROUTES = [
    web.get("/", landing),
    web.get("/symbols", symbols),
    web.get("/symbol/{symbol:.+}", symbol),
]
