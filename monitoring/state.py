"""The state file: what a running trader says of itself, replaced as a whole each beat.

It holds no secret and no account number. Everything in it may be lost: the journal and the broker have what counts.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from config.errors import Refusal
from config.process.secret_guard import without_known
from config.values.evidence import told_evidence
from config.values.masker import masked

STATE_FILE, JOURNAL_FILE = "trader.json", "journal.sqlite3"
STOP_FILE, FLATTEN_FILE = "STOP", "FLATTEN"
"""The kill switch: files beside it that anybody may set or take away, with a trader or without one."""
VERSION = 2
BACKTEST = "backtest"
"""The mode of a state that no trader wrote: the end of a backtest."""
MISSED_BEATS = 3
"""So many beats without a new file mean that the trader hangs or is gone."""


@dataclass(frozen=True, slots=True)
class StopState:
    """A working stop: its price in USD, and the shares that it is for."""

    price: float
    quantity: float


@dataclass(frozen=True, slots=True)
class RemainderState:
    """Coins below the venue's minimum, and what they are worth in USD: no position, and nothing can sell them."""

    symbol: str
    quantity: float
    usd: float


@dataclass(frozen=True, slots=True)
class DifferenceState:
    """Shares more (positive) or fewer at the broker than in the books, which wait to be counted; since by its clock."""

    symbol: str
    quantity: float
    since: datetime


@dataclass(frozen=True, slots=True)
class PositionState:
    """One position; prices in USD, None where not known. ``owner`` is ``ours`` or ``manual``.

    ``stop`` is the working stop nearest to the market, or the last one where none works; ``stops`` are all that work.
    ``fees`` are what the venue charged for buying what is held, USD; ``exit_fee_frac`` is what it charges where a stop
    fires, as a fraction of its value.
    """

    symbol: str
    quantity: float
    entry_price: float | None
    price: float | None
    stop: float | None
    target: float | None
    initial_stop: float | None
    protected: float
    entry_time: datetime
    sector: str
    role: str
    signal: str
    owner: str
    fees: float
    exit_fee_frac: float = 0.0
    stops: tuple[StopState, ...] = ()

    @property
    def sign(self) -> int:
        return 1 if self.quantity >= 0 else -1

    @property
    def value(self) -> float:
        """USD at the present price, negative for a short."""
        return self.quantity * (self.price or self.entry_price or 0.0)

    @property
    def profit(self) -> float | None:
        """USD since the entry, less the fees of the entry."""
        if self.price is None or self.entry_price is None:
            return None
        return self.quantity * (self.price - self.entry_price) - self.fees

    @property
    def unrealised_r(self) -> float | None:
        """Profit so far, in multiples of the risk taken at entry."""
        if self.initial_stop is None or self.entry_price is None or self.profit is None:
            return None
        risk = abs(self.quantity * (self.entry_price - self.initial_stop))
        return self.profit / risk if risk > 0 else None

    @property
    def bare(self) -> float:
        """Shares without a working stop."""
        return max(0.0, abs(self.quantity) - self.protected)

    @property
    def stop_parts(self) -> list[StopState]:
        """The protected shares by the stop that sells them, the one nearest to the market first.

        What no stop that was seen accounts for is at ``stop``; a trader of an older release wrote no other.
        """
        left, parts = min(self.protected, abs(self.quantity)), []
        for stop in sorted(self.stops, key=lambda stop: -self.sign * stop.price):
            if (sold := min(left, stop.quantity)) > 0:
                parts.append(StopState(stop.price, sold))
                left -= sold
        if left > 0 and self.stop is not None:
            parts.append(StopState(self.stop, left))
        return parts

    @property
    def lost_at_stop(self) -> float | None:
        """USD that equity falls from now if each stop sells its shares at its level, with the venue's fee.

        None without a stop.
        """
        if self.stop is None or self.price is None:
            return None
        return sum(
            (max(0.0, self.sign * (self.price - part.price)) + part.price * self.exit_fee_frac) * part.quantity
            for part in self.stop_parts
        )


@dataclass(frozen=True, slots=True)
class PendingState:
    """An entry on its way."""

    symbol: str
    quantity: float
    price: float
    stop: float
    target: float
    sector: str
    role: str


@dataclass(frozen=True, slots=True)
class HaltState:
    """A halt in force: whose, why, since when and until when (None where only a person ends it)."""

    name: str
    reason: str
    began: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConditionState:
    """Trouble that lasts: ``unprotected`` or a kind of ``monitoring.signs.CONDITIONS``, of what, why, since when."""

    kind: str
    subject: str
    why: str
    since: datetime


@dataclass(frozen=True, slots=True)
class LimitState:
    """A ``risk.limit_usage.Limit`` as it was at the last iteration."""

    module: str
    name: str
    used: float
    most: float
    unit: str
    frees: str
    halts: bool
    scope: str

    @property
    def left(self) -> float:
        return max(0.0, self.most - self.used)

    @property
    def share(self) -> float:
        """Part of it that is used, 0 to 1."""
        return min(1.0, self.used / self.most) if self.most > 0 else float(self.used > 0)


@dataclass(frozen=True, slots=True)
class TraderState:
    """What a trader says of itself.

    ``written``, ``last_*`` and ``started`` are this machine's time, ``time`` the venue's; ``speed`` is how many seconds
    of the venue pass in one of ours. ``busy`` tells that an entry or a close is under way, ``resting`` how many orders
    were open at the last look (None before one), ``unseen`` why the looks since then failed, ``remainders`` what is too
    little for the venue to sell, ``differences`` what is not counted yet, ``closing`` by symbol what a sale waits for.
    ``account_time`` is when equity and cash were told, by the venue's clock, where positions are known as of later,
    else None. ``settings`` are the parts of the merged settings that the answers need, ``beside_evidence`` those that
    decide and are not the profile's, so that its evidence was not found with them.
    """

    written: datetime
    time: datetime
    started: datetime
    beat_s: float
    pace_s: float
    speed: float
    mode: str
    profile: str
    strategy: str
    pid: int
    ended: str = ""
    iterations: int = 0
    last_iteration: datetime | None = None
    last_look: datetime | None = None
    last_tick: datetime | None = None
    in_session: bool = False
    listening: bool = False
    streamed: bool = True
    busy: bool = False
    resting: int | None = None
    unseen: str = ""
    equity: float | None = None
    cash: float | None = None
    account_time: datetime | None = None
    free_cash: float | None = None
    session_open_equity: float | None = None
    equity_peak: float | None = None
    book_time: datetime | None = None
    positions: tuple[PositionState, ...] = ()
    remainders: tuple[RemainderState, ...] = ()
    differences: tuple[DifferenceState, ...] = ()
    pending: tuple[PendingState, ...] = ()
    halts: tuple[HaltState, ...] = ()
    kill: str = "off"
    stopped_by: tuple[str, ...] = ()
    closing: Mapping[str, str] = field(default_factory=dict)
    unprotected: Mapping[str, float] = field(default_factory=dict)
    conditions: tuple[ConditionState, ...] = ()
    limits: tuple[LimitState, ...] = ()
    last_halts: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    beside_evidence: tuple[str, ...] = ()

    @property
    def of_backtest(self) -> bool:
        """Whether it is the end of a backtest: it has no age, no broker and no kill switch."""
        return self.mode == BACKTEST

    def age_s(self, now: datetime | None = None) -> float:
        """Seconds since it was written."""
        return ((now or datetime.now(UTC)) - self.written).total_seconds()

    def stale(self, now: datetime | None = None) -> bool:
        """Whether the trader should have written since, and did not end in order.

        A clock that was put back behind what it wrote last hides no trader that is gone: one that lives writes anew.
        """
        return not self.ended and abs(self.age_s(now)) > MISSED_BEATS * self.beat_s

    @property
    def look_time(self) -> datetime | None:
        """When the broker was last looked at, by the venue's clock."""
        if self.last_look is None:
            return None
        return self.time - (self.written - self.last_look) * self.speed

    @property
    def evidence(self) -> str:
        """What is known of its profile's edge; empty where the trader did not write it."""
        known = self.settings.get("evidence") or {}
        if not known:
            return ""
        return told_evidence(self.profile, known["verdict"], known["sentence"], self.beside_evidence)

    @property
    def day_result(self) -> float | None:
        """USD since the session's opening."""
        if self.equity is None or self.session_open_equity is None:
            return None
        return self.equity - self.session_open_equity


_PARTS = {
    "positions": PositionState,
    "stops": StopState,
    "pending": PendingState,
    "remainders": RemainderState,
    "differences": DifferenceState,
    "halts": HaltState,
    "limits": LimitState,
    "conditions": ConditionState,
}
_WORDS = {"reason", "why", "stopped_by", "ended", "unseen"}
"""Texts that may repeat what a venue said: they are masked as they are read."""
_TIMES = {
    "written",
    "time",
    "started",
    "last_iteration",
    "last_look",
    "last_tick",
    "account_time",
    "book_time",
    "entry_time",
    "began",
    "until",
    "since",
}


class StateWriter:
    """Writes the states of one trader; its settings, most of the text, are spelled and masked once.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path, self._fresh = path, path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._settings: Mapping[str, Any] | None = None
        self._settings_text = ""

    def write(self, state: TraderState) -> None:
        """Replace the file, whole or not at all; it is not forced to the disk, as the next beat brings another.

        Raises
        ------
        OSError
        """
        values = {"version": VERSION, **_by_name(state)}
        settings = values.pop("settings")
        if settings is not self._settings:
            self._settings, self._settings_text = settings, without_known(_text(settings))
        text = without_known(_text(values))
        handle = os.open(self._fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f'{text[:-1]},"settings":{self._settings_text}}}')
        self._fresh.replace(self._path)


def write_state(path: Path, state: TraderState) -> None:
    """Replace the file once; raises like ``StateWriter.write``."""
    StateWriter(path).write(state)


def read_state(path: Path) -> TraderState | None:
    """What the trader wrote last; None where there is no such file.

    Raises
    ------
    Refusal
        The file cannot be read or is of another version.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(raw, dict) or raw.pop("version", None) != VERSION:
            raise Refusal(f"{path}: is of another version of this program; start the trader again with this one")
        found: TraderState = _of(TraderState, raw)
        # One that has ended tells no more of what the switch was set to since.
        return replace(found, kill=_kill_of(path.parent)) if found.ended else found
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refusal(f"{path}: cannot be read ({error.strerror}); make it readable") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, Refusal):
            raise
        raise Refusal(f"{path}: is damaged; delete it, a running trader writes it anew") from None


def _kill_of(folder: Path) -> str:
    levels = {"flatten": FLATTEN_FILE, "stop": STOP_FILE}
    return next((level for level, name in levels.items() if os.path.lexists(folder / name)), "off")


def _of(kind: type[Any], raw: Mapping[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for item in fields(kind):
        if item.name not in raw and _optional(item):
            # A trader of an older release did not write it.
            continue
        value = raw[item.name]
        if item.name in _TIMES and value is not None:
            value = datetime.fromisoformat(value)
        elif item.name in _PARTS and isinstance(value, list):
            value = tuple(_of(_PARTS[item.name], part) for part in value)
        elif item.name in _WORDS:
            value = masked(value) if isinstance(value, str) else tuple(map(masked, value))
        elif isinstance(value, list):
            value = tuple(value)
        values[item.name] = value
    return kind(**values)


def _optional(item: Field[Any]) -> bool:
    return item.default is not MISSING or item.default_factory is not MISSING


def _text(values: Mapping[str, Any]) -> str:
    # A state is written every other second: what JSON knows is not copied first. It knows no figure that is none.
    try:
        return json.dumps(values, default=_for_json, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_plain(values), separators=(",", ":"))


def _by_name(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in _names(value.__class__)}


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))


def _for_json(value: Any) -> Any:
    if is_dataclass(value):
        return _by_name(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else list(value)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return _plain(_by_name(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value
