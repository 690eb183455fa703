"""The journal: what was decided, planned, sent and filled, on the disk before anything depends on it.

A desk writes an order here before the broker hears of it, so that after a crash every order that may be at the
venue is known by its client order id, and an unknown outcome is looked up, never sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from sqlalchemy import Connection, Table, select

from brokers.journal import decision_statements, history, marks, order_statements
from brokers.journal.database import chain
from brokers.journal.database.schema import equity, halts, not_sent, rows_of, runs, sessions
from brokers.journal.database.schema import orders as orders_table
from brokers.journal.database.schema import splits as splits_table
from brokers.journal.database.store import ANSWER_WITHIN_S, Store
from brokers.journal.fills import FillReport
from brokers.journal.history import Figures, FilledOrder, Split
from brokers.journal.journal_order import AlreadyPlanned, JournalOrder, OrderIntent
from brokers.journal.order_ids import client_order_id
from brokers.order_types import State
from brokers.record import EquityRow, TradeRecord
from risk.model import Plan


@dataclass(frozen=True, slots=True)
class Halt:
    """A halt of new positions: when it began, and the last session that it covers."""

    began: datetime
    until: date


class Derived(Protocol):
    """What follows from fills and splits, and is kept in the journal beside them."""

    def follow(self) -> None:
        """Write what follows now; fills or a split were just written in the same transaction."""

    def forget(self) -> None:
        """That transaction came to nothing, or nobody knows."""


def _now() -> datetime:
    return datetime.now(UTC)


class Journal:
    """One account's journal, open for writing; usable from several threads, a context manager.

    Every method commits before it returns, and raises ``Refusal`` when it cannot: then nothing may be sent.

    Parameters
    ----------
    address : str or Path
        A SQLite file, ``sqlite:///path`` or ``postgresql://user:password@host:port/database``.
    account_id : str
        The venue's name of the account.
    clock : callable, optional
        Gives the present time, timezone-aware; for what is recorded, never for a decision.
    answer_within_s : float
        How long a server may be silent before its session counts as lost.

    Raises
    ------
    Refusal
        The journal is damaged, of another version or account, in use, or cannot be reached or written.
    """

    def __init__(
        self,
        address: str | Path,
        account_id: str,
        clock: Callable[[], datetime] = _now,
        answer_within_s: float = ANSWER_WITHIN_S,
    ) -> None:
        self._store = Store(address, account_id, answer_within_s=answer_within_s)
        self._account_id = account_id
        self._clock = clock
        self._run_id: int | None = None
        self.derived: Derived | None = None
        """Is written in the transaction that books fills or a split, so that both are on the disk or neither is."""
        self._touched: list[str] = []
        """Orders by name that something was reported of, each report; empty for a split."""
        self._answers: tuple[tuple[int, int] | None, dict[tuple[Any, ...], Any]] = (None, {})
        """What was read of orders, halts and openings since any was written: a look asks for it several times."""

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """The file, or the database's address without user and password."""
        return self._store.name

    def keeps_room(self) -> bool:
        """Whether room on the disk is kept for stops and exits; False once a full disk took it, until there is more."""
        return self._store.keeps_room()

    def close(self) -> None:
        """Let another process write."""
        self._store.close()

    def begin_run(self, mode: str, strategy: str, profile: str, config_hash: str) -> int:
        """Start a run; decisions and orders from here on belong to it. Returns its number."""
        row = {"mode": mode, "strategy": strategy, "profile": profile, "config_hash": config_hash}
        with self._store.transaction() as connection:
            number = decision_statements.next_id(connection, runs)
            chain.insert(connection, runs, {"id": number, "started": self._clock(), **row})
        self._run_id = number
        return number

    # Orders.

    def order_id(self, intent: OrderIntent) -> str:
        """The client order id of an intent; the same intent always has the same."""
        return client_order_id(
            self._account_id, intent.strategy, intent.symbol, intent.decision_time, intent.role, intent.sequence
        )

    def plan_order(self, intent: OrderIntent) -> str:
        """Commit an order before the broker is called; returns its client order id.

        Raises
        ------
        AlreadyPlanned
            It is there, from before a restart or by mistake: look it up at the venue, never send it again.
        JournalConflict
            Another order is there under its id.
        """
        name = self.order_id(intent)
        with self._store.transaction() as connection:
            order_statements.insert(connection, name, intent, run_id=self._run_id, now=self._clock())
        return name

    def adopt(self, client_order_id: str, intent: OrderIntent, venue_id: str) -> None:
        """Take in an order that the venue made (a leg, a replacement) or a hand did; it is working.

        The same order a second time changes nothing.
        """
        self._touched.append(client_order_id)
        with self._store.transaction() as connection:
            now = self._clock()
            with suppress(AlreadyPlanned):
                order_statements.insert(
                    connection, client_order_id, intent, run_id=self._run_id, now=now, venue_id=venue_id
                )
            order_statements.report(
                connection, client_order_id, State.WORKING, "adopted", time=now, venue_id=venue_id, reason="adopted"
            )

    def sent(self, client_order_id: str, venue_id: str | None = None) -> JournalOrder:
        """The venue took the request."""
        return self.event(client_order_id, State.SENT, "sent", venue_id=venue_id)

    def unknown(self, client_order_id: str, why: str) -> JournalOrder:
        """The request had no answer (timeout, 504, crash); does nothing where the outcome came another way."""
        return self.event(client_order_id, State.UNKNOWN, "unknown", reason=why)

    def event(
        self,
        client_order_id: str,
        status: State | str,
        venue_event_id: str = "",
        *,
        time: datetime | None = None,
        venue_id: str | None = None,
        fills: Iterable[FillReport] = (),
        reason: str = "",
        quantity: Decimal | None = None,
    ) -> JournalOrder:
        """Book what the venue says of an order; repeated, late and overlapping reports count once.

        Parameters
        ----------
        status : State or str
            What the order is said to be; for a fill, ``partially_filled`` or ``filled``.
        venue_event_id : str
            Empty where the venue gives none.
        time : datetime, optional
            The venue's, timezone-aware; by default now.
        fills : iterable of Execution or Cumulative
            Everything the report says of fills: give the single fill and the order's total where both are known.
        quantity : Decimal, optional
            The order's own, by the venue; it may grow.

        Returns
        -------
        JournalOrder
            As it stands now.

        Raises
        ------
        IllegalTransition, JournalConflict
            It contradicts what is known; nothing was booked, ask the venue.
        """
        told = State(status)
        reports = list(fills)
        key = venue_event_id or ":".join([told, *sorted(report.key for report in reports)])
        # Before it is written: it may be on the disk even where no answer comes.
        self._touched.append(client_order_id)
        with self._followed() as (connection, follow):
            order, new = order_statements.report(
                connection,
                client_order_id,
                told,
                key,
                time=time or self._clock(),
                venue_id=venue_id,
                reports=reports,
                reason=reason,
                quantity=quantity,
            )
            if new:
                follow()
        return order

    def order(self, client_order_id: str) -> JournalOrder:
        """One order; JournalConflict if it is not there."""
        with self._store.reading() as connection:
            return order_statements.one(connection, client_order_id)

    def without_venue_id(self) -> frozenset[str]:
        """Client order ids that the venue gave no id of its own yet, whatever became of them."""
        with self._store.reading() as connection:
            return history.without_venue_id(connection)

    def open_orders(self) -> list[JournalOrder]:
        """Orders that are not over, oldest first."""
        return list(self._answer(("open orders",), order_statements.open_orders))

    def unresolved(self) -> list[JournalOrder]:
        """Orders to ask the venue about: journaled, sent or unknown, or over without the figures of their fills."""
        return list(self._answer(("unresolved",), order_statements.unresolved))

    def filled_orders(self) -> list[FilledOrder]:
        """Every order with fills, by the time of its first fill."""
        with self._store.reading() as connection:
            return history.filled_orders(connection)

    def filled_since(self, mark: int | None) -> tuple[int, list[FilledOrder]]:
        """Orders with fills that this process was told something of since ``mark``, and the mark of now.

        The mark moves with every report and split. None asks for the mark alone.
        """
        now = len(self._touched)
        names = [] if mark is None else sorted({name for name in self._touched[mark:now] if name})
        if not names:
            return now, []
        with self._store.reading() as connection:
            return now, history.filled_orders(connection, names)

    def split(self, symbol: str, before: Decimal, after: Decimal, time: datetime | None = None) -> None:
        """Keep that so many shares of a symbol became so many by a time, by default now."""
        self._touched.append("")
        key, values = {"symbol": symbol, "time": time or self._clock()}, {"before": before, "after": after}
        with self._followed() as (connection, follow):
            decision_statements.put(connection, splits_table, key, values)
            follow()

    def splits(self) -> list[Split]:
        """Every split that was kept, by its time."""
        with self._store.reading() as connection:
            return history.all_splits(connection)

    def remark(self, client_order_id: str, key: str, text: str) -> None:
        """Keep a sentence about an order that changes nothing of it; once for each ``key``."""
        self.event(client_order_id, self.order(client_order_id).state, key, reason=text)

    def raise_quantity(self, client_order_id: str, quantity: Decimal) -> None:
        """The venue is about to be asked for a larger quantity of an order that rests: it may be as large from now."""
        raised = f"raised to {quantity}"
        self.event(client_order_id, self.order(client_order_id).state, raised, quantity=quantity, reason=raised)

    def entry_times(self, since: datetime) -> list[tuple[datetime, str]]:
        """When entries were planned since a moment, and when those ended that never filled; with their names."""
        with self._store.reading() as connection:
            return history.entry_times(connection, since)

    def amended(self, client_order_id: str, change: OrderIntent | str) -> None:
        """An order has other terms, and has stayed the same order at the venue.

        ``change`` is what asked for them, by its client order id, or an intent that tells of them where nothing of ours
        did. It counts as replaced: it never was an order of its own.
        """
        name = change if isinstance(change, str) else self.order_id(change)
        told = f"has the terms of {name}"
        with self._store.transaction() as connection:
            now = self._clock()
            if not isinstance(change, str):
                order_statements.insert(connection, name, change, run_id=self._run_id, now=now)
            by = f"the terms of {client_order_id}, which stays"
            order_statements.report(connection, name, State.REPLACED, "amends", time=now, venue_id=None, reason=by)
            state, key = order_statements.one(connection, client_order_id).state, f"{history.AMENDED_BY}{name}"
            order_statements.report(connection, client_order_id, state, key, time=now, venue_id=None, reason=told)

    def present_terms(self, order: JournalOrder) -> JournalOrder:
        """An order with the prices that it has now, as far as the journal was told."""
        with self._store.reading() as connection:
            return history.present_terms(connection, order)

    def run_orders(self) -> list[JournalOrder]:
        """Orders of the present run, oldest first, with the prices that they have now."""
        of_run = rows_of(orders_table).where(orders_table.c.run_id == self._run_id)
        with self._store.reading() as connection:
            return history.all_at_present_terms(connection, order_statements.many(connection, of_run))

    def venue_ids(self) -> dict[str, str]:
        """Client order id by the venue's id, of every order that has one."""
        with self._store.reading() as connection:
            return history.venue_ids(connection)

    def next_sequence(self, symbol: str, role: str, decision_time: datetime) -> int:
        """The first sequence number that no order of this symbol, role and decision has."""
        with self._store.reading() as connection:
            return history.next_sequence(connection, symbol, role, decision_time)

    def figures(self, symbol: str, time: datetime) -> Figures | None:
        """What the decision that entered ``symbol`` at ``time`` was made on; None if there is none."""
        with self._store.reading() as connection:
            return history.figures(connection, symbol, time)

    def all_figures(self) -> dict[tuple[str, datetime], Figures]:
        """The same of every decision that was not refused, by symbol and time."""
        with self._store.reading() as connection:
            return history.all_figures(connection)

    def last_exit_price(self, symbol: str, role: str, since: datetime) -> Decimal | None:
        """The price of the newest stop or target of a symbol that the venue took; None if there is none."""
        with self._store.reading() as connection:
            return history.last_exit_price(connection, symbol, role, since)

    def last_stop(self, symbol: str, since: datetime) -> JournalOrder | None:
        """The newest stop of a symbol since a moment, whatever became of it; None if there is none."""
        with self._store.reading() as connection:
            return history.last_stop(connection, symbol, since)

    def positions_by_fills(self) -> dict[str, Decimal]:
        """Quantity held by symbol, by our fills alone; negative for shorts, flat symbols left out."""
        return history.positions_by_fills(self.filled_orders(), self.splits())

    def cash_by_fills(self) -> Decimal:
        """USD that our fills brought (sales) less what they cost and less their fees, as far as the venue told them."""
        with self._store.reading() as connection:
            return history.cash_by_fills(connection)

    # What else is worth keeping.

    def decisions(self, plan: Plan) -> None:
        """Keep a plan's decisions with their verdicts; the same plan again in a run changes nothing."""
        if plan.decisions:
            with self._store.transaction(outdates=False) as connection:
                decision_statements.keep_plan(connection, plan, self._run_id)

    def not_sent(self, symbol: str, time: datetime, reason: str) -> None:
        """Keep why an entry that was decided at a time was not sent; the first reason stays.

        Nothing is kept of one of which an order went through.
        """
        with self._store.transaction(outdates=False) as connection:
            if not decision_statements.was_sent(connection, symbol, time):
                key = {"symbol": symbol, "time": time}
                decision_statements.put(connection, not_sent, key, {"told": self._clock(), "reason": reason})

    def trades(self, closed: Mapping[tuple[str, str], TradeRecord]) -> None:
        """Keep every closed portion, by the orders that opened and closed it; what is no longer one goes."""
        with self._store.transaction() as connection:
            decision_statements.settle_trades(connection, closed)

    def change_trades(self, closed: Mapping[tuple[str, str], TradeRecord], gone: Collection[tuple[str, str]]) -> None:
        """The same where only these were closed or changed since, and ``gone`` are no longer there."""
        if closed or gone:
            with self._store.transaction() as connection:
                decision_statements.change_trades(connection, closed, gone)

    def equity(self, row: EquityRow) -> None:
        """Keep the account's state at one time; the first of a time stays."""
        values = {
            column.name: getattr(row, column.name) for column in chain.hashed_columns(equity) if column.name != "time"
        }
        with self._store.transaction(outdates=False) as connection:
            decision_statements.put(connection, equity, {"time": row.time}, values)

    def open_session(self, session: date, value: Decimal | float, time: datetime) -> Decimal:
        """Fix the equity a session opened with, USD; after a restart the first one stands. Returns what stands."""
        stands = self.session_open_equity(session)
        if stands is None:
            self._put(sessions, {"session": session}, {"equity": value, "time": time})
            stands = self.session_open_equity(session)
            assert stands is not None
        return stands

    def session_open_equity(self, session: date) -> Decimal | None:
        """USD at the session's opening; None if it was not fixed yet."""
        query = select(sessions.c.equity).where(sessions.c.session == session)
        stands: Decimal | None = self._answer(("session", session), lambda connection: connection.scalar(query))
        return stands

    def filled_entries(self, session: date) -> int:
        """How many decisions to enter had fills on a day, in whole or in part; of every run that was kept."""
        with self._store.reading() as connection:
            return history.filled_entries(connection, session)

    def halt(self, session: date, module: str, time: datetime, reason: str) -> None:
        """End a session for new positions; the first of a module stays."""
        self._put(halts, {"session": session, "module": module}, {"time": time, "reason": reason})

    def halts(self, session: date) -> frozenset[str]:
        """The modules that ended this session for new positions."""
        query = select(halts.c.module).where(halts.c.session == session)
        found: frozenset[str] = self._answer(
            ("halts", session), lambda connection: frozenset(connection.scalars(query))
        )
        return found

    def halt_reason(self, module: str, began: datetime) -> str:
        """Why a halt that began at that time did; empty where none did."""
        wanted = select(halts.c.reason).where(halts.c.module == module, halts.c.time == began)
        with self._store.reading() as connection:
            return str(connection.scalars(wanted).first() or "")

    def last_halt(self, module: str) -> Halt | None:
        """When the latest halt of a module began and the last session that it ends; None without one."""
        query = select(halts.c.session, halts.c.time).where(halts.c.module == module)
        rows = self._answer(("last halt", module), lambda connection: connection.execute(query).all())
        if not rows:
            return None
        began = max(row.time for row in rows)
        return Halt(began, max(row.session for row in rows if row.time == began))

    def opened_after(self, session: date) -> datetime | None:
        """When the first session after one was opened; None if none was yet."""
        query = select(sessions.c.time).where(sessions.c.session > session).order_by(sessions.c.session).limit(1)
        opened: datetime | None = self._answer(("opened after", session), lambda connection: connection.scalar(query))
        return opened

    def highest_equity(self, since: datetime | None) -> Decimal | None:
        """The highest equity that was kept, from a moment on; None if none was."""
        wanted = select(equity.c.equity)
        if since is not None:
            wanted = wanted.where(equity.c.time >= since)
        with self._store.reading() as connection:
            # Compared here: a database that keeps decimals as text would compare their spelling.
            return max(connection.scalars(wanted), default=None)

    def mark(self, name: str) -> str | None:
        """A text that was kept for the next start; see ``marks``."""
        with self._store.reading() as connection:
            return marks.read(connection, name)

    def keep_mark(self, name: str, value: str | None) -> None:
        """Keep a text for the next start in place of the one before; None takes it away."""
        with self._store.transaction() as connection:
            marks.keep(connection, name, value)

    def _answer(self, question: tuple[Any, ...], read: Callable[[Connection], Any]) -> Any:
        """What is read of orders, halts or openings, or was read since any was written; not to be changed."""
        since = self._store.read_since()
        known, answers = self._answers
        if since is None or since != known:
            answers = {}
            self._answers = since, answers
        if question not in answers:
            with self._store.reading() as connection:
                answers[question] = read(connection)
        return answers[question]

    @contextmanager
    def _followed(self) -> Iterator[tuple[Connection, Callable[[], None]]]:
        """A transaction, and what has to be called in it once fills or a split are written."""
        begun: list[Derived] = []

        def follow() -> None:
            if self.derived is not None:
                begun.append(self.derived)
                self.derived.follow()

        try:
            with self._store.transaction() as connection:
                yield connection, follow
        except BaseException:
            for derived in begun:
                derived.forget()
            raise

    def _put(self, table: Table, key: dict[str, Any], values: dict[str, Any]) -> None:
        with self._store.transaction() as connection:
            decision_statements.put(connection, table, key, values)
