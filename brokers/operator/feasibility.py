"""What an account can do at a venue before it does it: minimums, fees, and how often it would have to be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.venue_values import TradeTerms
from config import Settings
from config.balance_profiles import dollars

DAYS = 30
WITHOUT_FEES = "without_fees"
AS_TRADED = "maker_entry_taker_target"
SEED_TRADES, SEED_WIN_RATE, SEED_USD = 8, 0.5, 20.0
"""A sample month that is often shown for small accounts: eight trades of 20 USD a day, half of them won.

It is told of the account's own orders, where one is possible.
"""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One way of paying fees: what a won and a lost trade bring, fractions of the position, and where they balance."""

    name: str
    win: float
    loss: float

    @property
    def break_even(self) -> float | None:
        """The win rate at which nothing is won or lost; None where even winning loses."""
        return None if self.win <= 0 else self.loss / (self.win + self.loss)

    def a_month(self, usd: float = SEED_USD, trades: int = SEED_TRADES, win_rate: float = SEED_WIN_RATE) -> float:
        """What so many trades a day bring in a month, USD."""
        return DAYS * trades * usd * (win_rate * self.win - (1 - win_rate) * self.loss)


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """Whether a symbol can be traded by this account; ``reason`` says why not."""

    terms: TradeTerms
    order_usd: float
    round_trip_usd: float
    reason: str

    @property
    def feasible(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class Feasibility:
    """The report: ``reasons`` are what the account cannot do, or should know before it does."""

    venue: str
    profile: str
    balance: float
    expectations: tuple[Expectation, ...]
    pairs: tuple[PairVerdict, ...]
    reasons: tuple[str, ...]

    @property
    def possible(self) -> bool:
        """Whether at least one symbol can be traded; also where none could be asked for."""
        return not self.pairs or any(pair.feasible for pair in self.pairs)

    def lines(self) -> list[str]:
        """The report in words."""
        told = [f"{self.venue}, balance {dollars(self.balance)}, profile {self.profile.upper()}"]
        for pair in self.pairs:
            terms = pair.terms
            verdict = "can be traded" if pair.feasible else f"cannot be traded: {pair.reason}"
            told.append(
                f"{terms.symbol}: {verdict}; order {pair.order_usd:.2f} USD, least {float(terms.least_usd):.2f} USD, "
                f"round trip {pair.round_trip_usd:.2f} USD"
            )
        told += [_in_words(expectation) for expectation in self.expectations]
        return [*told, *self.reasons]

    def document(self) -> dict[str, Any]:
        """The report for programs."""
        # As the trader trades: its entries rest, its targets are taken.
        main = next((e for e in self.expectations if e.name == AS_TRADED), self.expectations[0])
        return {
            "venue": self.venue,
            "balance": self.balance,
            "profile": self.profile,
            "feasible": self.possible,
            "reasons": list(self.reasons),
            "break_even_win_rate": main.break_even,
            "break_even": {e.name: e.break_even for e in self.expectations},
            "month_of_the_sample_usd": {e.name: round(e.a_month(), 2) for e in self.expectations},
            "pairs": [
                {
                    "symbol": pair.terms.symbol,
                    "feasible": pair.feasible,
                    "reason": pair.reason,
                    "price": float(pair.terms.price),
                    "least_quantity": float(pair.terms.least),
                    "least_usd": float(pair.terms.least_usd),
                    "order_usd": pair.order_usd,
                    "maker_frac": float(pair.terms.maker),
                    "taker_frac": float(pair.terms.taker),
                    "round_trip_usd": pair.round_trip_usd,
                }
                for pair in self.pairs
            ],
        }


def expectations(stop_frac: float, target_frac: float, maker: Decimal, taker: Decimal) -> tuple[Expectation, ...]:
    """Ways of paying: none, limits that rest, a resting entry with a target that is taken, and taking always.

    A stop always takes.
    """
    m, t = float(maker), float(taker)
    return (
        Expectation(WITHOUT_FEES, target_frac, stop_frac),
        Expectation("maker_entry_and_target", target_frac - 2 * m, stop_frac + m + t),
        Expectation(AS_TRADED, target_frac - m - t, stop_frac + m + t),
        Expectation("all_taker", target_frac - 2 * t, stop_frac + 2 * t),
    )


def feasibility(
    venue: str,
    settings: Settings,
    balance: float,
    terms: Sequence[TradeTerms],
    fees: tuple[Decimal, Decimal],
    profile: str,
    notes: Iterable[str] = (),
) -> Feasibility:
    """The report of one account.

    Parameters
    ----------
    venue : str
    settings : Settings
        Of the profile.
    balance : float
        USD.
    terms : sequence of TradeTerms
        Of the universe, as far as the venue was asked.
    fees : (Decimal, Decimal)
        Maker and taker, fractions of 1, that the win rates are computed with.
    profile : str
    notes : iterable of str
        What else the reader must know.
    """
    maker, taker = fees
    exits = settings.exits.models[settings.exits.model]
    stop, target = float(exits.get("stop_frac", 0)), float(exits.get("target_frac", 0))
    reasons = list(notes)
    ways = expectations(stop, target, maker, taker) if stop and target else ()
    if not ways:
        reasons.append(f"exits.model {settings.exits.model} has no fixed distances, so no win rate can be told")
    verdicts = tuple(_judged(term, settings, balance) for term in terms)
    if terms and not any(verdict.feasible for verdict in verdicts):
        reasons.append("no symbol of the universe can be traded with this balance")
    if taker and ways:
        usd = _sample_usd(verdicts, settings, balance, taker)
        seed, taking = (way.a_month(usd) for way in ways if way.name in (WITHOUT_FEES, AS_TRADED))
        reasons.append(
            f"a month of {SEED_TRADES} trades of ${usd:g} a day, half of them won, is {seed:+.2f} USD without "
            f"fees and {taking:+.2f} USD with them"
        )
    return Feasibility(venue, profile, balance, ways or (Expectation("unknown", 0.0, 0.0),), verdicts, tuple(reasons))


def _sample_usd(verdicts: Sequence[PairVerdict], settings: Settings, balance: float, taker: Decimal) -> float:
    """What a trade of the sample month is worth: the account's own order, also where no venue told its minimums."""
    if not verdicts and balance >= _entered_from(settings):
        return round(order_usd(settings, balance, taker), 2)
    return max((verdict.order_usd for verdict in verdicts if verdict.feasible), default=SEED_USD)


def order_usd(settings: Settings, balance: float, taker: Decimal) -> float:
    """What an entry is worth at most: the profile's size, and never more than the balance pays with both fees.

    What the rule entry_gates keeps for fees counts where it runs, the account's own taker fees where they are more.
    """
    size = balance * settings.sizing.max_notional_frac
    if settings.sizing.notional_usd is not None:
        size = min(size, settings.sizing.notional_usd)
    kept = float(_entry_gates(settings).get("fee_frac", 0))
    return min(size, balance / (1 + max(kept, 2 * float(taker))))


def _judged(terms: TradeTerms, settings: Settings, balance: float) -> PairVerdict:
    usd = order_usd(settings, balance, terms.taker)
    least = float(terms.least_usd)
    trip = usd * float(terms.maker + terms.taker)
    reason = terms.closed
    if not reason and not terms.price:
        reason = "it has no price now"
    elif not reason and balance < (needed := _entered_from(settings)):
        reason = f"entry_gates enters nothing below {dollars(needed)} of equity"
    elif not reason and usd < least:
        reason = f"an order of {usd:.2f} USD is below the venue's least, {least:.2f} USD"
    return PairVerdict(terms, round(usd, 2), round(trip, 4), reason)


def _entered_from(settings: Settings) -> float:
    """The equity below which the profile's own rules enter nothing, USD."""
    return float(_entry_gates(settings).get("min_equity_usd", 0))


def _entry_gates(settings: Settings) -> Mapping[str, Any]:
    """The settings of the rule entry_gates; empty where it does not run."""
    return settings.risk.modules.get("entry_gates", {}) if "entry_gates" in settings.risk.chain else {}


def _in_words(way: Expectation) -> str:
    name = way.name.replace("_", " ")
    if way.break_even is None:
        return f"{name}: a won trade brings {way.win:+.2%}, so that no win rate is enough"
    return f"{name}: won {way.win:+.2%}, lost {-way.loss:+.2%}, break-even at {way.break_even:.1%} of trades won"
