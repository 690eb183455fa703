"""What a backtest account is and how it looks now: bars, quotes, equity, positions and working orders."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from brokers.backtest.working_orders import GTC_DAYS, WorkingOrder
from brokers.ledger import Ledger
from brokers.record import RunRecord
from config.schema import Fills, Gate
from market.bars import BarTable
from market.indicators import forward_filled
from market.trading_day import day_of
from risk.weekly_budget import WeeklyBudget


class AccountState:
    """The account side of ``BarFillBroker``: everything that can be asked of it.

    Lumibot's broker, which stands behind it in the order of classes, gives ``datetime`` and ``data_source``.
    """

    datetime: Any
    data_source: Any
    bars: BarTable
    ledger: Ledger
    record: RunRecord

    def __init__(self) -> None:
        self._all: dict[int, WorkingOrder] = {}
        self._opening: dict[int, WorkingOrder] = {}
        self._parked: frozenset[str] = frozenset()
        self._of_symbol: dict[str, list[WorkingOrder]] = {}
        self._covered: dict[str, float] = {}
        self._with_changed_orders: set[str] = set()
        self._next_row = 0
        self._sequence = 0
        self._opened_usd = 0.0
        self._opened_on = -1
        self._opened = False
        self._closed_at: tuple[int, Any] = (-2, None)
        self._closed_row = -1
        self._day: tuple[Any, date] = (None, date.min)
        self._best_row = -1
        self._entered_inside: dict[str, datetime] = {}
        self._marks_of: tuple[int, list[float]] = (-1, [])
        self._prices_of: tuple[int, tuple[list[float], ...]] = (-1, ())
        self._valued: tuple[tuple[int, int, float], float] = ((-1, -1, math.nan), math.nan)
        self._day_orders = 0
        self._first_expiry: datetime | None = None
        self.halted: frozenset[str] = frozenset()
        """Rules that have ended entries for this session or several."""

    def open_account(
        self,
        bars: BarTable,
        cash: float,
        fills: Fills,
        gate: Gate,
        record: RunRecord,
        lot: float = 1,
        position_frac: float = 1,
        inverse: frozenset[str] = frozenset(),
        dividends: Mapping[int, Mapping[str, float]] | None = None,
        decided: BarTable | None = None,
    ) -> None:
        """Hand over what the account is made of; bars that closed before now are history, not to be traded.

        ``position_frac`` is what sizing gives one position, of equity: the right size that a refusal names.
        ``inverse`` are the symbols whose value is inverse exposure, whoever bought them. ``dividends`` are what
        is to be credited: USD a share, by row of the ex-date and symbol. ``decided`` are the bars that are decided on,
        where they are others than those that fill.
        """
        self.bars, self.fill_model, self.gate, self.record, self.lot = bars, fills, gate, record, lot
        self._position_frac, self.inverse = position_frac, inverse
        self._dividends = dividends or {}
        self._parked = frozenset(gate.cash_funds)
        self.ledger = Ledger(cash, record, budget=WeeklyBudget(day_of(bars.opens_at[0])), parked=self._parked)
        self._column = {symbol: k for k, symbol in enumerate(bars.symbols)}
        self._opens, self._closes = bars.moments
        self._days = bars.session.tolist()
        self._marks = forward_filled(bars.close)
        self._has_bars = bars.has_bars()
        self._next_row = int(bars.opens_at.searchsorted(self.datetime, side="left"))
        self._decided = bars if decided is None else decided
        self._decided_opens, self._decided_closes = self._decided.moments
        self._best_row = self._next_row - 1 if self._decided is bars else self.decided_row()
        record.began = next(iter(self._opens[self._next_row :]), None)
        self._opened = True

    @property
    def account_open(self) -> bool:
        return self._opened

    def benchmark_frame(self, asset: Any) -> pd.DataFrame | None:
        """Daily values of the benchmark as Lumibot's tearsheet wants them; None if the run has no bars of it.

        Lumibot notes the strategy's value at the opening of a bar, where it is that of the last close. The
        benchmark is read at the same moments: a day apart, the two would seem to be unrelated.
        """
        base = asset[0] if isinstance(asset, tuple) else asset
        k = self._column.get(str(getattr(base, "symbol", base))) if self._opened else None
        if k is None:
            return None
        closes = pd.Series(self._marks[:-1, k], index=self.bars.opens_at[1:]).dropna()
        closes = closes.loc[self.data_source.datetime_start : self.data_source.datetime_end]
        if closes.empty:
            return None
        closes = closes.groupby(pd.DatetimeIndex(closes.index).normalize()).last()
        return pd.DataFrame({"close": closes, "return": closes.pct_change(), "symbol_cumprod": closes / closes.iloc[0]})

    def quote(self, symbol: str) -> float:
        """What a market order sent now would trade against: the open of the bar beginning now, else the last close."""
        k = self._column.get(symbol)
        if k is None:
            return math.nan
        row = self._next_row
        if row < len(self._opens) and self._opens[row] == self.datetime:
            price = float(self.bars.open[row, k])
            if price == price:
                return price
        return float(self._marks[row - 1, k]) if row else math.nan

    def quoted(self, symbol: str) -> bool:
        """Whether the quote is of now: False where a bar begins for others and this symbol has none."""
        row, k = self._next_row, self._column.get(symbol)
        if k is None:
            return False
        begins = row < len(self._opens) and self._opens[row] == self.datetime
        return not begins or not math.isnan(self.bars.open[row, k])

    def today(self) -> date:
        """The day that it is now."""
        now = self.datetime
        if self._day[0] != now:
            self._day = (now, day_of(now))
        return self._day[1]

    def closed_row(self) -> int:
        """Row of the newest bar that is complete now; -1 if none is."""
        row, now = self._next_row - 1, self.datetime
        if self._closed_at != (row, now):
            self._closed_at = (row, now)
            while row >= 0 and self._closes[row] > now:
                row -= 1
            self._closed_row = row
        return self._closed_row

    def equity(self) -> float:
        """Cash plus positions at their last closed bar, or at cost before they have one, USD."""
        if not self.ledger.positions:
            return self.ledger.cash
        row = self.closed_row()
        as_of = (row, self.ledger.fills, self.ledger.cash)
        if self._valued[0] != as_of:
            self._valued = (as_of, self._worth(row))
        return self._valued[1]

    def _worth(self, row: int) -> float:
        marks = self.marks_at(row) if row >= 0 else [math.nan] * len(self._column)
        value = self.ledger.cash
        for symbol, position in self.ledger.positions.items():
            mark = marks[self._column[symbol]]
            value += position.quantity * (position.entry_price if math.isnan(mark) else mark)
        return value

    def marks_at(self, row: int) -> list[float]:
        """Last known closes at a row, by column."""
        if self._marks_of[0] != row:
            self._marks_of = (row, self._marks[row].tolist())
        return self._marks_of[1]

    def _prices_at(self, row: int) -> tuple[list[float], ...]:
        """Open, high, low and close of a row, by column: matching and what follows it ask for the same one."""
        if self._prices_of[0] != row:
            self._prices_of = (row, self.bars.prices_at(row))
        return self._prices_of[1]

    def decided_row(self) -> int:
        """Row of the newest bar that is decided on and complete now; -1 if none is."""
        if self._decided is self.bars:
            return self.closed_row()
        return bisect_right(self._decided_closes, self.datetime) - 1

    def note_best_prices(self) -> None:
        """Carry the best price of every position on to the newest bar that is decided on and complete now."""
        newest, bars, columns = self.decided_row(), self._decided, self._column
        if not self.ledger.positions:
            self._best_row = max(self._best_row, newest)
            return
        for row in range(self._best_row + 1, newest + 1):
            opened, closed = self._decided_opens[row], self._decided_closes[row]
            _, highs, lows, closes = self._prices_at(row) if bars is self.bars else bars.prices_at(row)
            for symbol, position in self.ledger.positions.items():
                k, best = columns[symbol], position.best_price
                # Few bars go beyond the best price, so that is asked first; a close may lie a rounding beyond its bar.
                if (highs[k] <= best >= closes[k]) if position.quantity > 0 else (lows[k] >= best <= closes[k]):
                    continue
                inside = position.entry_time > opened
                if inside and (bars is self.bars or position.entry_time >= closed):
                    continue
                high, low = highs[k], lows[k]
                if inside or self._entered_inside.get(symbol) == opened:
                    # The close is the one price of this bar that surely came after the entry.
                    high = low = closes[k]
                if (high > best) if position.quantity > 0 else (low < best):
                    self.ledger.change(symbol, best_price=high if position.quantity > 0 else low)
        self._best_row = max(self._best_row, newest)

    def working(self, symbol: str) -> list[WorkingOrder]:
        return self._of_symbol.get(symbol, [])

    def entries(self) -> list[WorkingOrder]:
        """Orders that may still open a position."""
        return list(self._opening.values())

    def protected_quantity(self, symbol: str) -> float:
        """Shares covered by a working stop, trailing stop or stop-limit exit."""
        covered = self._covered.get(symbol)
        if covered is None:
            stops = (w.quantity for w in self._of_symbol.get(symbol, ()) if w.protects)
            covered = self._covered[symbol] = sum(stops, 0.0)
        return covered

    def _orders_changed(self, symbol: str) -> None:
        """What working stops cover is summed anew after any change of a symbol's orders."""
        self._covered.pop(symbol, None)
        self._with_changed_orders.add(symbol)

    def note_protection(self) -> None:
        """Tell positions whose orders have changed what their working stops cover now."""
        for symbol in self._with_changed_orders:
            position, covered = self.ledger.positions.get(symbol), self.protected_quantity(symbol)
            if position is not None and position.protected_quantity != covered:
                self.ledger.change(symbol, protected_quantity=covered)
        self._with_changed_orders.clear()

    def renew_exits(self, before: datetime) -> None:
        """Replace exits that the venue would expire before ``before`` by fresh ones, as a desk does in time."""
        if self._first_expiry is None or self._first_expiry >= before:
            return
        for w in self._all.values():
            if w.exit and w.expires is not None and w.expires < before:
                w.expires = self.datetime + timedelta(days=GTC_DAYS)
        self._first_expiry = min((w.expires for w in self._all.values() if w.expires is not None), default=None)

    def order_id(self, symbol: str, role: str) -> str:
        """The next order's id: the same in every run, so that files compare and a restart finds its orders."""
        self._sequence += 1
        now = self.datetime
        time = f"{now.year:04}{now.month:02}{now.day:02}T{now.hour:02}{now.minute:02}"
        return f"{symbol}-{time}-{role}-{self._sequence}"

    def opened_today(self) -> float:
        """What fills of the present day opened, USD; an order that ends without a fill opens nothing."""
        day = self._days[min(self._next_row, len(self._days) - 1)]
        return self._opened_usd if day == self._opened_on else 0.0

    def _count_opened(self, usd: float) -> None:
        """Charge a fill to the day of the bar that is being matched."""
        day = self._days[self._next_row - 1]
        if day != self._opened_on:
            self._opened_on, self._opened_usd = day, 0.0
        self._opened_usd += usd

    def day_notional(self, without: WorkingOrder | None = None) -> float:
        """What this day opened and what waiting orders may still open, USD; ``without`` one of them."""
        entries = (w for w in self._opening.values() if w.symbol not in self._parked)
        waiting = sum(w.notional for w in entries if w is not without)
        return self.opened_today() + waiting
