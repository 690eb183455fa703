"""From one market snapshot and one book to one plan. Pure: no clock, no network, no Lumibot.

Signals find candidates, sizing gives each a quantity, the risk chain may keep, shrink or refuse it, and
whatever is accepted counts against everything judged after it in the same scan.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from config.errors import Refusal
from config.schema import Gate
from config.values.markets import NEW_YORK_ZONE
from market.market import Market
from risk.brackets import BracketModel
from risk.equity_sizer import SizingConfig, size
from risk.interface import RiskModule
from risk.model import Adjustment, Book, Decision, Plan, Proposal, Verdict, floor_lot
from risk.policy_gate import review
from strategies.ensemble import Candidate, Ensemble, EnsembleConfig
from strategies.meta_model import MetaModel
from strategies.parking import Parking
from strategies.selection_words import beyond_watch_list
from strategies.signals.base import Signal

MINUTES_A_DAY = 24 * 60
ATR = "atr_14"
SESSION_BAR = "session_bar"
_SAME_STOP = 1e-6


@dataclass(frozen=True, slots=True)
class Selection:
    """Which candidates are looked at and how many are taken; scores run from 0 to 100.

    ``only_a_plus`` takes nothing below ``a_plus_score``; on intraday bars nothing is taken before the session has
    ``min_session_bars`` complete bars of its own.
    """

    min_score: float
    a_plus_score: float
    watch_list: int
    execute: int
    only_a_plus: bool = False
    min_session_bars: int = 0


@dataclass(slots=True)
class _Scan:
    """One iteration on its way to a plan; ``known`` is the book that counts what was accepted before the last entry."""

    market: Market
    known: Book
    decisions: list[Decision] = field(default_factory=list)
    accepted: list[Proposal] = field(default_factory=list)
    counted: int = 0

    @property
    def book(self) -> Book:
        """The book that counts what was accepted so far; most scans accept one entry and need no other after it."""
        while self.counted < len(self.accepted):
            self.known = self.known.accepting(self.accepted[self.counted])
            self.counted += 1
        return self.known

    def refuse(self, proposal: Proposal, *verdicts: Verdict) -> None:
        """Record a proposal that was not even sized."""
        self.decisions.append(Decision(self.book.time, proposal, 0, verdicts))


class Pipeline:
    """The strategy's decisions.

    Parameters
    ----------
    signals : sequence of Signal
        The signals that are switched on.
    chain : sequence of RiskModule
        In the order of the configuration.
    bracket : BracketModel
        Gives every entry its stop and target.
    sizing : SizingConfig
        The dual cap.
    selection : Selection
        Threshold, watch list and number of entries per scan.
    gate : Gate
        What the policy gate would refuse anyway is refused here, where it can be explained.
    universe : iterable of str
        The symbols that may be entered; gauges, funds and the benchmark are read but not entered.
    windows : sequence of str, optional
        New York times ("10:30") at which entries are looked for, on intraday bars; empty is always. What
        is held is looked after at every iteration.
    ensemble : EnsembleConfig, optional
        How the signals vote; by default the highest score speaks for a symbol and nobody objects.
    meta_model : MetaModel, optional
        Scales the size of an entry by what became of earlier ones.
    """

    def __init__(
        self,
        *,
        signals: Sequence[Signal],
        chain: Sequence[RiskModule],
        bracket: BracketModel,
        sizing: SizingConfig,
        selection: Selection,
        gate: Gate,
        universe: Iterable[str],
        windows: Sequence[str] = (),
        ensemble: EnsembleConfig | None = None,
        meta_model: MetaModel | None = None,
    ) -> None:
        self.ensemble = Ensemble(signals, ensemble or EnsembleConfig.model_validate({}), selection.min_score)
        self.chain = tuple(chain)
        self.bracket = bracket
        self.sizing = sizing
        self.selection = selection
        self.gate = gate
        self.universe = frozenset(universe)
        self.windows = tuple(int(w[:2]) * 60 + int(w[3:]) for w in windows)
        self.window_minutes = 0
        self.intraday = False
        self.brief = False
        """Leave out decisions on candidates that come after the scan's last entry; what is entered is the same."""
        self.parking = Parking(chain, gate)
        self.meta_model = meta_model
        self._reviewers = [m for m in chain if type(m).review is not RiskModule.review]
        self.halters = [m for m in chain if type(m).halts is not RiskModule.halts]
        self._managers = [m for m in chain if type(m).manage is not RiskModule.manage]
        self._proposers = [m for m in chain if type(m).propose is not RiskModule.propose]
        self._eligible: tuple[Sequence[str], np.ndarray] = ((), np.zeros(0, dtype=bool))

    @property
    def signals(self) -> tuple[Signal, ...]:
        """The signals that are on."""
        return self.ensemble.signals

    def needs(self) -> list[str]:
        """Feature columns that the snapshot must hold."""
        parts: list[Sequence[str]] = [(ATR,), self.bracket.needs(), self.ensemble.needs()]
        parts += [module.needs() for module in self.chain]
        if self.selection.min_session_bars:
            parts.append((SESSION_BAR,))
        if self.meta_model is not None:
            parts.append(self.meta_model.needs())
        return sorted({name for part in parts for name in part})

    def keep_daily_signals(self) -> list[str]:
        """Switch off signals that mean nothing on daily bars; returns their names.

        Raises
        ------
        Refusal
            If no signal is left, or too few for the quorum.
        """
        silent = [signal.name for signal in self.signals if signal.intraday_only]
        left = tuple(signal for signal in self.signals if not signal.intraday_only)
        if not left:
            raise Refusal(
                f"signals.enabled: {', '.join(silent)} needs intraday bars, the data are daily; enable another",
                key="signals.enabled",
            )
        try:
            self.ensemble = self.ensemble.among(left)
        except Refusal as refusal:
            told = f"{refusal}; the data are daily, {', '.join(silent)} needs intraday bars"
            raise Refusal(told, key=refusal.key) from None
        return silent

    def symbols(self) -> list[str]:
        """Every symbol whose bars are needed: the universe and what the modules watch or trade."""
        return sorted(self.universe.union(*(module.symbols() for module in self.chain)))

    def decide(self, market: Market, book: Book) -> Plan:
        """One iteration's plan."""
        if market.empty:
            return Plan(book.time)
        if not self.parking:
            return self._decided(market, book)
        return self.parking.funded(self._decided(market, self.parking.as_cash(book, market)), book, market)

    def _decided(self, market: Market, book: Book) -> Plan:
        """The plan of a book in which nothing is parked."""
        # Adjustments are changes to what is held: without positions nobody is asked for any.
        adjustments: list[Adjustment] = []
        if book.positions:
            changes = [a for m in self._managers for a in m.manage(book, market) if later(a, book, market)]
            adjustments = strictest(changes) if changes else changes
        scan = _Scan(market, book)
        for module in self._proposers:
            for proposal in module.propose(scan.book, market):
                if objection := _unfit(proposal, scan.book):
                    scan.refuse(proposal, objection)
                else:
                    self._judge(proposal, scan)
        if self.entries_now(book.time) and (found := self.candidates(market, scan.book)):
            self._enter(found, scan)
        return Plan(book.time, tuple(adjustments), tuple(scan.accepted), tuple(scan.decisions))

    def entries_now(self, time: datetime) -> bool:
        """Whether this iteration is the first one at or after the beginning of a scan window."""
        if not self.windows or not self.window_minutes:
            return True
        local = time.astimezone(NEW_YORK_ZONE)
        minute = local.hour * 60 + local.minute
        return any(self.inside(window, minute) for window in self.windows)

    def inside(self, window: int, minute: int) -> bool:
        """Whether an iteration at a minute of the day is the first one at or after the beginning of a window."""
        return (minute - window) % MINUTES_A_DAY < self.window_minutes

    def candidates(self, market: Market, book: Book) -> list[Candidate]:
        """Symbols not held whose best score reaches the threshold, best first; the vote may have refused some."""
        least = self.selection.min_session_bars if self.intraday else 0
        if least and not market.in_its_session:
            return []
        if self.ensemble.silent(market):
            return []
        # Whatever a signal says of a symbol without a sane newest bar, nothing is bought on it.
        eligible = self._eligible_columns(market) & market.values("usable")
        if least:
            eligible &= market.values(SESSION_BAR) >= least
        return self.ensemble.candidates(market, eligible, book.held)

    def _eligible_columns(self, market: Market) -> np.ndarray:
        if self._eligible[0] is not market.symbols:
            self._eligible = (market.symbols, np.array([s in self.universe for s in market.symbols], dtype=bool))
        return self._eligible[1]

    def _enter(self, candidates: list[Candidate], scan: _Scan) -> None:
        chosen = self.selection
        wanted: list[tuple[Candidate, Proposal]] = []
        sized: dict[str, Verdict] = {}
        # What is refused before it is judged, barred or too dear for a single lot takes no place and no part of the
        # budget.
        able: list[Candidate] = []
        for candidate in candidates:
            if self.brief and len(able) >= chosen.watch_list:
                break
            wish = self._scaled(self._proposal(candidate, scan.market), scan)
            if wish is None:
                continue
            wanted.append((candidate, wish))
            if not candidate.refusal:
                sized[candidate.symbol] = _barred(wish, scan.book) or size(wish, scan.book, self.sizing)
                if not self._too_weak(candidate) and sized[candidate.symbol].after > 0:
                    able.append(candidate)
        places = {c.symbol: place for place, c in enumerate(able, 1)}
        a_plus = sum(c.score >= chosen.a_plus_score for c in able[: chosen.watch_list])
        batch = max(1, min(chosen.execute, a_plus))
        taken = 0
        for candidate, wish in wanted:
            if self.brief and taken >= chosen.execute:
                break
            proposal, why = wish.placed(taken + 1, batch), ""
            if candidate.refusal:
                scan.refuse(proposal, *self.ensemble.verdicts(candidate))
                continue
            place = places.get(candidate.symbol)
            if self._too_weak(candidate):
                why = f"A_PLUS: score {candidate.score:.1f}, at least {chosen.a_plus_score:g}"
            elif place is None:
                scan.refuse(proposal, *self.ensemble.verdicts(candidate), sized[candidate.symbol])
                continue
            elif place > chosen.watch_list:
                why = beyond_watch_list(place, chosen.watch_list)
            elif taken >= chosen.execute:
                why = f"EXECUTE_LIMIT: {taken} of {chosen.execute} taken in this scan"
            if why:
                refusal = Verdict("selection", why, 0, 0, {"score": candidate.score})
                scan.refuse(proposal, *self.ensemble.verdicts(candidate), refusal)
                continue
            # What was taken before it has changed the book that it was sized on.
            taken += self._judge(proposal, scan, candidate, sized[candidate.symbol] if not taken else None)

    def _too_weak(self, candidate: Candidate) -> bool:
        return self.selection.only_a_plus and candidate.score < self.selection.a_plus_score

    def _proposal(self, candidate: Candidate, market: Market) -> Proposal | None:
        symbol, signal = candidate.symbol, candidate.signal
        price, atr = market.value("close", symbol), market.value(ATR, symbol)
        terms = self.bracket.terms(market, symbol, signal.side, price, atr, signal.config.stop_atr)
        if terms is None:
            return None
        stop, target = terms.at(price)
        return Proposal(
            symbol=symbol,
            side=signal.side,
            signal=signal.name,
            score=candidate.score,
            price=price,
            atr=atr,
            stop=stop,
            target=target,
            terms=terms,
            quantity=0,
            reason=f"{signal.reason(market, symbol)}; {terms.label}",
        )

    def can_bracket(self, market: Market, symbol: str, signal: str) -> bool:
        """Whether a stop and a target can be set for an entry by a signal now."""
        speaker = next(s for s in self.signals if s.name == signal)
        return self._proposal(Candidate(self.selection.a_plus_score, symbol, speaker), market) is not None

    def _scaled(self, wish: Proposal | None, scan: _Scan) -> Proposal | None:
        """The wish with the share of its size that the meta-model trusts it with."""
        if wish is None or self.meta_model is None:
            return wish
        return replace(wish, size_multiplier=self.meta_model.multiplier(scan.market, scan.book, wish.symbol))

    def hypothetical(self, market: Market, book: Book, symbol: str) -> Decision | None:
        """What sizing and chain would say now of an entry in a symbol that came alone; nothing is counted.

        None where no stop and target can be set. The first signal of the configuration gives side and stop.
        """
        book = self.parking.as_cash(book, market)
        speaker = self.signals[0]
        wish = self._proposal(Candidate(self.selection.a_plus_score, symbol, speaker), market)
        if wish is None:
            return None
        scan = _Scan(market, book)
        self._judge(wish, scan)
        return scan.decisions[-1]

    def _judge(
        self, proposal: Proposal, scan: _Scan, candidate: Candidate | None = None, sized: Verdict | None = None
    ) -> bool:
        """Size a proposal (unless it has been), run the chain over it, record why, and count it if anything is left."""
        book = scan.book
        may_short = proposal.side == "buy" or any(signal.side == "sell_short" for signal in self.signals)
        barred = _barred(proposal, book)
        first = barred or review(proposal, book, self.gate, may_short) or sized or size(proposal, book, self.sizing)
        votes = () if candidate is None else self.ensemble.verdicts(candidate, first.before)
        verdicts = [*votes, first]
        proposed = first.after
        # A module's own proposal may come with the room that it leaves; a signal's has none yet.
        proposal = proposal.changed(room_usd=proposal.room_usd or math.inf).judged(first)
        for module in self._reviewers:
            if proposal.quantity <= 0:
                break
            verdict = module.review(proposal, book, scan.market)
            # Whatever a rule says: never more than before, whole lots, and what is no number is nothing.
            after = min(floor_lot(verdict.after, self.sizing.lot), proposal.quantity)
            if after != verdict.after:
                verdict = replace(verdict, after=after)
            verdicts.append(verdict)
            proposal = proposal.judged(verdict)
        scan.decisions.append(Decision(book.time, proposal, proposed, tuple(verdicts)))
        if proposal.quantity <= 0:
            return False
        scan.accepted.append(proposal)
        return True


def _barred(proposal: Proposal, book: Book) -> Verdict | None:
    """Why the desk enters nothing in the symbol of a proposal now; None where it may."""
    if not book.barred or not (why := book.why_barred(proposal.symbol, proposal.price)):
        return None
    return Verdict("desk", f"DESK_BARRED: {why}", 0, 0)


def _unfit(proposal: Proposal, book: Book) -> Verdict | None:
    """Why a module's own proposal is not even sized; None where it may be.

    The caps measure one order a symbol: a second one would pass them beside the first. A quantity of
    0 means "as large as allowed" for signals alone. Size follows from ``stop``, the order from ``terms``.
    """
    if book.held(proposal.symbol):
        code = f"PIPELINE_HELD: {proposal.symbol} is held or on its way"
    elif not (math.isfinite(proposal.quantity) and proposal.quantity > 0):
        code = f"PIPELINE_QUANTITY: {proposal.quantity:g} is not a positive quantity"
    elif not math.isclose(proposal.stop, stop := proposal.terms.at(proposal.price)[0], rel_tol=_SAME_STOP):
        code = f"PIPELINE_STOP: stop {proposal.stop:g} is not {stop:g}, what its terms give at {proposal.price:g}"
    else:
        return None
    return Verdict("pipeline", code, 0, 0)


def later(adjustment: Adjustment, book: Book, market: Market) -> bool:
    """Whether the newest bar closed after the position was entered: one before it says nothing about the position."""
    position = book.positions.get(adjustment.symbol)
    return position is None or market.closed_since(position.entry_time)


def strictest(adjustments: Iterable[Adjustment]) -> list[Adjustment]:
    """One selling adjustment per symbol, an exit before the largest trim, and the tightest stop."""
    chosen: dict[tuple[str, bool], Adjustment] = {}
    for adjustment in adjustments:
        key = (adjustment.symbol, adjustment.kind == "tighten")
        known = chosen.get(key)
        if known is None or _stricter(adjustment, known):
            chosen[key] = adjustment
    exits = {a.symbol for a in chosen.values() if a.kind == "exit"}
    return [a for a in chosen.values() if a.kind == "exit" or a.symbol not in exits]


def _stricter(one: Adjustment, other: Adjustment) -> bool:
    if one.kind == "tighten":
        # For a short the tighter stop is the lower one; modules state which side they tighten.
        return (one.stop or 0) < (other.stop or 0) if one.short else (one.stop or 0) > (other.stop or 0)
    return (one.kind == "exit", one.quantity) > (other.kind == "exit", other.quantity)
