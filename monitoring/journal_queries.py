"""What the screens ask of a journal, by key, so that the last of 100,000 decisions cost what the first do; masked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from config.values.masker import masked
from config.values.printable import one_line
from monitoring.journal_reader import Statements, document, moment, number, numbered
from monitoring.not_sent import NOT_SENT, refusal_of
from monitoring.rows import DecisionRow, EquityPoint, EventRow, FillRow, OrderRow
from risk.model import Verdict

PAGE = 50
AT_ONCE = 500
"""Names in one statement: a database takes only so many."""
FINAL = ("filled", "cancelled", "rejected", "replaced", "expired", "lost")
_DECISION = (
    "id, time, symbol, side, role, signal, score, price, stop, target, atr, proposed_quantity, final_quantity, "
    "outcome, reason"
)
_ORDER = (
    "client_order_id, parent_id, symbol, side, quantity, type, role, limit_price, stop_price, bracket_stop, "
    "bracket_target, decision_time, journaled_at, reason, state, filled_quantity, filled_notional, estimated, {fees}"
)
_OPENING = "('entry', 'hedge')"
"""Roles of orders that a decision to enter leads to."""
AMENDED_BY = "amended by "
"""Begins the key of an event of an order that got other terms and stayed the same order: those of the one it names."""
FEES_SINCE, NOT_SENT_SINCE = 3, 4
"""The versions of the tables that brought fees, and entries that were not sent."""


def decisions(
    db: Statements,
    *,
    symbol: str = "",
    outcome: str = "",
    module: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> list[DecisionRow]:
    """Decisions, the latest first, with their verdicts.

    Parameters
    ----------
    db : Statements
    symbol, outcome, module : str
        Only of these; ``module`` is one whose verdict was not OK. Empty is any.
    since, until : datetime, optional
        From this moment on, and before that one.
    before : int, optional
        Only with a smaller number: the next page.
    limit : int
    """
    where: list[str] = ["1 = 1"]
    values: dict[str, Any] = {"most": limit}
    if symbol:
        where.append("d.symbol = :symbol")
        values["symbol"] = symbol
    if outcome:
        where.append(_outcome(db, outcome))
        if outcome != NOT_SENT:
            values["outcome"] = outcome
    for clause, name, given in (
        ("d.time >= :since", "since", since),
        ("d.time < :until", "until", until),
        ("d.id < :before", "before", before),
    ):
        if given is not None:
            where.append(clause)
            values[name] = given
    if module:
        where.append(
            "EXISTS (SELECT 1 FROM verdicts v WHERE v.decision_id = d.id AND v.module = :module AND v.code <> 'OK')"
        )
        values["module"] = module
    sql = f"SELECT {_DECISION} FROM decisions d WHERE {' AND '.join(where)} ORDER BY d.id DESC LIMIT :most"
    return with_verdicts(db, [_decision(row) for row in db.rows(sql, **values)])


def decision(db: Statements, number: int) -> DecisionRow | None:
    """One decision with its verdicts."""
    found = db.rows(f"SELECT {_DECISION} FROM decisions WHERE id = :id", id=number)
    return with_verdicts(db, [_decision(row) for row in found])[0] if found else None


def decisions_at(db: Statements, time: datetime) -> list[DecisionRow]:
    """Every decision of the last iteration at or before a moment that decided anything."""
    last = db.scalar("SELECT max(time) FROM decisions WHERE time <= :time", time=time)
    if last is None:
        return []
    found = db.rows(f"SELECT {_DECISION} FROM decisions WHERE time = :time ORDER BY id", time=moment(last))
    return with_verdicts(db, [_decision(row) for row in found])


def with_verdicts(db: Statements, found: Sequence[DecisionRow]) -> list[DecisionRow]:
    """The same decisions with their chains and what became of them, one statement each for all."""
    if not found:
        return []
    names, values = numbered([d.id for d in found])
    sql = (
        "SELECT decision_id, module, code, before, after, inputs, until FROM verdicts "
        f"WHERE decision_id IN {names} ORDER BY decision_id, sequence"
    )
    chains: dict[int, list[Verdict]] = {}
    for row in db.rows(sql, **values):
        chains.setdefault(row["decision_id"], []).append(_verdict(row))
    return _with_ends_of_decisions(db, [replace(d, verdicts=tuple(chains.get(d.id, ()))) for d in found])


def _outcome(db: Statements, outcome: str) -> str:
    """The condition for decisions of an outcome, as it was in the end: what was accepted may have been refused when it
    was to be sent, or there is no order of it.
    """
    refused = "EXISTS (SELECT 1 FROM not_sent n WHERE n.symbol = d.symbol AND n.time = d.time)"
    if db.version < NOT_SENT_SINCE:
        refused = "1 = 0"
    ordered = (
        "EXISTS (SELECT 1 FROM orders o WHERE o.symbol = d.symbol AND o.decision_time = d.time "
        f"AND o.role IN {_OPENING})"
    )
    if outcome == "refused":
        return f"(d.outcome = :outcome OR {refused})"
    if outcome == NOT_SENT:
        return f"(d.outcome <> 'refused' AND NOT {refused} AND NOT {ordered})"
    return f"(d.outcome = :outcome AND NOT {refused} AND {ordered})"


def _with_ends_of_decisions(db: Statements, found: Sequence[DecisionRow]) -> list[DecisionRow]:
    """What became of decisions that the rules accepted: sent, refused by gate, desk or venue, or neither."""
    accepted = [d for d in found if d.final > 0]
    refused: dict[tuple[str, datetime], str] = {}
    sent: set[tuple[str, datetime]] = set()
    for first in range(0, len(accepted), AT_ONCE):
        some = accepted[first : first + AT_ONCE]
        symbols, values = numbered(sorted({d.symbol for d in some}))
        times, more = numbered(sorted({d.time for d in some}), "t")
        chosen = f"WHERE symbol IN {symbols} AND {{0}} IN {times}"
        if db.version >= NOT_SENT_SINCE:
            sql = f"SELECT symbol, time, reason FROM not_sent {chosen.format('time')}"
            refused |= {
                (r["symbol"], moment(r["time"])): one_line(masked(r["reason"])) for r in db.rows(sql, **values, **more)
            }
        sql = f"SELECT symbol, decision_time FROM orders {chosen.format('decision_time')} AND role IN {_OPENING}"
        sent |= {(r["symbol"], moment(r["decision_time"])) for r in db.rows(sql, **values, **more)}
    return [_ended_decision(d, refused, sent) for d in found]


def _ended_decision(
    d: DecisionRow, refused: Mapping[tuple[str, datetime], str], sent: Collection[tuple[str, datetime]]
) -> DecisionRow:
    key = d.symbol, d.time
    if d.final <= 0:
        return d
    if (reason := refused.get(key)) is not None:
        return replace(d, outcome="refused", final=0.0, verdicts=(*d.verdicts, refusal_of(reason, d.final, d.final)))
    return d if key in sent else replace(d, outcome=NOT_SENT)


def orders(
    db: Statements,
    *,
    symbol: str = "",
    before: tuple[datetime, str] | None = None,
    limit: int = PAGE,
) -> list[OrderRow]:
    """Orders, the latest first, without events; ``before`` is time and id of the last of the page before."""
    where: list[str] = ["1 = 1"]
    values: dict[str, Any] = {"most": limit}
    if symbol:
        where.append("symbol = :symbol")
        values["symbol"] = symbol
    if before is not None:
        where.append("(journaled_at, client_order_id) < (:time, :id)")
        values["time"], values["id"] = before
    sql = f"SELECT {_columns(db)} FROM orders WHERE {' AND '.join(where)} "
    sql += "ORDER BY journaled_at DESC, client_order_id DESC LIMIT :most"
    return _with_ends(db, [_order(row) for row in db.rows(sql, **values)])


def count(db: Statements, symbol: str, at: datetime | None) -> tuple[int, int]:
    """How many decisions and orders of a symbol there are up to a moment (None: in all)."""
    found = []
    for table, time in (("decisions", "time"), ("orders", "journaled_at")):
        sql = f"SELECT count(*) FROM {table} WHERE symbol = :symbol"
        values = {"symbol": symbol} if at is None else {"symbol": symbol, "at": at}
        found.append(int(db.scalar(sql if at is None else f"{sql} AND {time} <= :at", **values) or 0))
    return found[0], found[1]


def family(db: Statements, wanted: str) -> list[OrderRow]:
    """An order by the client's id or the venue's, with its parent, legs and replacements; with events and fills."""
    found = db.rows(
        "SELECT client_order_id, parent_id FROM orders WHERE client_order_id = :name OR venue_id = :name", name=wanted
    )
    if not found:
        return []
    root = found[0]["parent_id"] or found[0]["client_order_id"]
    sql = (
        f"SELECT {_columns(db)} FROM orders "
        "WHERE client_order_id = :root OR parent_id = :root OR client_order_id = :name "
        "ORDER BY journaled_at, client_order_id"
    )
    rows = [_order(row) for row in db.rows(sql, root=root, name=found[0]["client_order_id"])]
    return with_life(db, rows)


def with_life(db: Statements, found: Sequence[OrderRow]) -> list[OrderRow]:
    """The same orders with their events and fills."""
    if not found:
        return []
    names, values = numbered([order.id for order in found])
    events: dict[str, list[EventRow]] = {}
    sql = f"SELECT client_order_id, time, status, state, reason FROM order_events WHERE client_order_id IN {names}"
    for row in db.rows(f"{sql} ORDER BY id", **values):
        told = EventRow(moment(row["time"]), row["status"], row["state"], one_line(masked(row["reason"])))
        events.setdefault(row["client_order_id"], []).append(told)
    shares: dict[str, list[FillRow]] = {}
    sql = f"SELECT client_order_id, kind, quantity, price, time FROM fills WHERE client_order_id IN {names}"
    for row in db.rows(f"{sql} ORDER BY time, fill_key", **values):
        fill = FillRow(moment(row["time"]), float(row["quantity"]), float(row["price"]), row["kind"] == "cumulative")
        shares.setdefault(row["client_order_id"], []).append(fill)
    return [
        replace(
            order,
            events=tuple(events.get(order.id, ())),
            fills=tuple(shares.get(order.id, ())),
            ended=_ended(order, events.get(order.id, ())),
        )
        for order in found
    ]


def exits_of(db: Statements, symbol: str, since: datetime) -> list[OrderRow]:
    """Orders of a symbol that carried a stop or a target since a moment, oldest first, with when they ended.

    An exit that was moved and stayed the same order is told as one after the other, each with its own price.
    """
    sql = f"SELECT {_columns(db)} FROM orders WHERE symbol = :symbol AND journaled_at >= :since ORDER BY journaled_at"
    found = _with_ends(db, [_order(row) for row in db.rows(sql, symbol=symbol, since=since)])
    steps = {order.id: order for order in found}
    for order, changes in _amendments(db, found):
        if order.role in ("stop", "target"):
            for earlier, later in pairwise([order, *changes]):
                steps[earlier.id] = replace(earlier, ended=later.time, state="replaced")
            steps[changes[-1].id] = replace(changes[-1], ended=order.ended, state=order.state)
    return [steps[order.id] for order in found]


def at_last_prices(db: Statements, found: Sequence[OrderRow]) -> list[OrderRow]:
    """The same orders, those that were moved and stayed the same order with the prices that they had last."""
    moved = {order.id: changes[-1] for order, changes in _amendments(db, found)}
    return [replace(o, limit=moved[o.id].limit, stop=moved[o.id].stop) if o.id in moved else o for o in found]


def _amendments(db: Statements, found: Sequence[OrderRow]) -> list[tuple[OrderRow, list[OrderRow]]]:
    """Orders whose terms were changed under their own name, each with the rows of its changes, oldest first."""
    known, changes = {order.id: order for order in found}, dict[str, list[OrderRow]]()
    for first in range(0, len(found), AT_ONCE):
        names, values = numbered([order.id for order in found[first : first + AT_ONCE]])
        sql = f"SELECT client_order_id, event_key FROM order_events WHERE client_order_id IN {names} "
        sql += f"AND substr(event_key, 1, {len(AMENDED_BY)}) = :begins ORDER BY id"
        for row in db.rows(sql, begins=AMENDED_BY, **values):
            if (change := known.get(row["event_key"].removeprefix(AMENDED_BY))) is not None:
                changes.setdefault(row["client_order_id"], []).append(change)
    return [(known[name], those) for name, those in changes.items()]


def equity(db: Statements, *, since: datetime | None = None, most: int = 1_500) -> list[EquityPoint]:
    """The account over time, oldest first; of more than ``most`` moments evenly spaced ones and the last."""
    clause, values = (" WHERE time >= :since", {"since": since}) if since is not None else ("", {})
    count = int(db.scalar(f"SELECT count(*) FROM equity{clause}", **values) or 0)
    step = max(1, -(-count // most))
    sql = (
        "SELECT time, equity, cash, long_exposure, inverse_exposure FROM (SELECT *, row_number() OVER "
        f"(ORDER BY time DESC) AS place FROM equity{clause}) AS numbered WHERE (place - 1) % :step = 0 ORDER BY time"
    )
    return [
        EquityPoint(
            moment(r["time"]),
            float(r["equity"]),
            float(r["cash"]),
            float(r["long_exposure"]),
            float(r["inverse_exposure"]),
        )
        for r in db.rows(sql.replace("%", "%%") if db.server else sql, step=step, **values)
    ]


def decided_symbols(db: Statements) -> list[str]:
    """Every symbol that was ever decided on."""
    return [row["symbol"] for row in db.rows("SELECT DISTINCT symbol FROM decisions ORDER BY symbol")]


def _with_ends(db: Statements, found: Sequence[OrderRow]) -> list[OrderRow]:
    """When each order that is over ended: its last event."""
    over = [order.id for order in found if order.state in FINAL]
    if not over:
        return list(found)
    ends: dict[str, datetime] = {}
    for first in range(0, len(over), AT_ONCE):
        names, values = numbered(over[first : first + AT_ONCE])
        sql = f"SELECT client_order_id, max(time) AS ended FROM order_events WHERE client_order_id IN {names} "
        ends |= {r["client_order_id"]: moment(r["ended"]) for r in db.rows(f"{sql} GROUP BY client_order_id", **values)}
    return [replace(order, ended=ends.get(order.id)) for order in found]


def _ended(order: OrderRow, events: Sequence[EventRow]) -> datetime | None:
    return max((event.time for event in events), default=None) if order.state in FINAL else None


def _decision(row: Mapping[str, Any]) -> DecisionRow:
    return DecisionRow(
        id=row["id"],
        time=moment(row["time"]),
        symbol=row["symbol"],
        side=row["side"],
        role=row["role"],
        signal=row["signal"],
        score=number(row["score"]),
        price=number(row["price"]),
        stop=number(row["stop"]),
        target=number(row["target"]),
        atr=number(row["atr"]),
        proposed=float(row["proposed_quantity"]),
        final=float(row["final_quantity"]),
        outcome=row["outcome"],
        reason=one_line(masked(row["reason"])),
    )


def _verdict(row: Mapping[str, Any]) -> Verdict:
    until = None if row["until"] is None else moment(row["until"])
    inputs = document(row["inputs"]) or {}
    code = one_line(masked(row["code"]))
    return Verdict(row["module"], code, float(row["before"]), float(row["after"]), inputs, until)


def _order(row: Mapping[str, Any]) -> OrderRow:
    filled, notional = Decimal(str(row["filled_quantity"])), Decimal(str(row["filled_notional"]))
    return OrderRow(
        id=row["client_order_id"],
        parent=row["parent_id"] or "",
        symbol=row["symbol"],
        side=row["side"],
        quantity=float(row["quantity"]),
        type=row["type"],
        role=row["role"],
        limit=number(row["limit_price"]),
        stop=number(row["stop_price"]),
        bracket_stop=number(row["bracket_stop"]),
        bracket_target=number(row["bracket_target"]),
        decided=moment(row["decision_time"]),
        time=moment(row["journaled_at"]),
        reason=one_line(masked(row["reason"])),
        state=row["state"],
        filled=float(filled),
        average=float(notional / filled) if filled else None,
        estimated=bool(row["estimated"]),
        fees=float(row["fees"]),
    )


def _columns(db: Statements) -> str:
    """An order's columns; before fees were kept they are 0."""
    return _ORDER.format(fees="fees" if db.version >= FEES_SINCE else "0 AS fees")
