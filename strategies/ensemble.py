"""The signals as rivals that vote: which symbols become candidates, on whose word and against whose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from pydantic import Field

from config.defaults import with_defaults
from config.errors import Refusal
from market.market import Market
from risk.interface import ModuleConfig
from risk.model import Side, Verdict
from strategies.signals.base import Score, Signal


class EnsembleConfig(ModuleConfig):
    """Settings of ``Ensemble``; by default every signal may enter on its own and nothing is voted on.

    Parameters
    ----------
    quorum : int
        Votes that an entry needs, the best signal's included.
    veto : tuple of str
        Signals that block an entry which their readings oppose.
    min_vote_score : float
        Score from which a signal votes, 0 to 100. Below the threshold of an entry it lets a signal support
        an entry that it would not make itself.
    """

    quorum: Annotated[int, Field(ge=1, description="votes that an entry needs")]
    veto: Annotated[tuple[str, ...], Field(description="signals that may block an entry")]
    min_vote_score: Score


with_defaults(EnsembleConfig, "signals.ensemble")
MOST_SCORE, ROUNDING = 100.0, 1e-9
"""The strongest score, and by how much rounding may carry it beyond."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A symbol that a signal wants, before anything was asked about risk.

    ``votes`` are the scores of the signals for it, ``vetoes`` the names of those against; both are empty
    where nothing is voted on. ``refusal`` is why the vote failed, empty where it didn't.
    """

    score: float
    symbol: str
    signal: Signal
    votes: Mapping[str, float] = field(default_factory=dict)
    vetoes: tuple[str, ...] = ()
    refusal: str = ""


class Ensemble:
    """Lets the signals of a side vote on a symbol; the highest score speaks for it, the first of equals.

    Parameters
    ----------
    signals : sequence of Signal
    config : EnsembleConfig
    min_score : float
        Threshold of an entry, 0 to 100.

    Raises
    ------
    Refusal
        A quorum that can't come together, or a veto of a signal that is off or opposes nothing.
    """

    def __init__(self, signals: Sequence[Signal], config: EnsembleConfig, min_score: float) -> None:
        self.signals = tuple(signals)
        self.config = config
        self.min_score = min_score
        self.voting = config.quorum > 1 or bool(config.veto) or config.min_vote_score > min_score
        names = [signal.name for signal in signals]
        most = max(Counter(signal.side for signal in signals).values(), default=1)
        if config.quorum > most:
            raise Refusal(
                f"signals.ensemble.quorum: {config.quorum} votes can never come together, at most {most} of the "
                f"signals that are on ({', '.join(names)}) look for the same side; lower it or enable more",
                key="signals.ensemble.quorum",
            )
        for name in config.veto:
            if name not in names:
                raise Refusal(
                    f"signals.ensemble.veto: {name} is not among the signals that are on; enable it",
                    key="signals.ensemble.veto",
                )
        self._vetoing = [signal for signal in signals if signal.name in config.veto]
        for signal in self._vetoing:
            if type(signal).opposes is Signal.opposes:
                raise Refusal(
                    f"signals.ensemble.veto: {signal.name} never opposes an entry; take it out of the list",
                    key="signals.ensemble.veto",
                )

    @property
    def counts_from(self) -> tuple[float, str]:
        """Score from which a signal enters or votes, and the setting that wants it; below it one has no effect."""
        if self.voting and self.config.min_vote_score < self.min_score:
            return self.config.min_vote_score, "signals.ensemble.min_vote_score"
        return self.min_score, "selection.min_confidence"

    def needs(self) -> list[str]:
        """Feature columns that scores and vetoes read."""
        names = [name for signal in self.signals for name in signal.needs()]
        return names + [name for signal in self._vetoing for name in signal.needs_to_oppose()]

    def among(self, signals: Sequence[Signal]) -> Ensemble:
        """The same rules among fewer signals; a veto goes with its signal."""
        names = {signal.name for signal in signals}
        veto = tuple(name for name in self.config.veto if name in names)
        return Ensemble(signals, self.config.model_copy(update={"veto": veto}), self.min_score)

    def candidates(self, market: Market, eligible: np.ndarray, held: Callable[[str], bool]) -> list[Candidate]:
        """Symbols whose best score reaches the threshold, best first, with those that the vote refused.

        Parameters
        ----------
        market : Market
        eligible : ndarray of bool, shape (symbols,)
            Symbols that may be entered.
        held : callable
            Whether a symbol is held: it is left out.
        """
        scores = self.scores(market)
        ballot = _Ballot(self.config, market, self.signals, scores, self._vetoing) if self.voting else None
        best: dict[int, tuple[bool, float, Signal]] = {}
        for signal, score in zip(self.signals, scores, strict=True):
            passed = None if ballot is None else ballot.passed[signal.side]
            for k in np.flatnonzero((score >= self.min_score) & eligible).tolist():
                # Of two sides the one whose vote passes speaks, whatever the other one's score.
                rank = (passed is None or bool(passed[k]), float(score[k]))
                refuse_beyond(signal, market.symbols[k], rank[1])
                known = best.get(k)
                if (known is None or rank > known[:2]) and not held(market.symbols[k]):
                    best[k] = (*rank, signal)
        found = [
            Candidate(score, market.symbols[k], signal) if ballot is None else ballot.candidate(k, score, signal)
            for k, (_, score, signal) in best.items()
        ]
        if len(found) < 2:
            return found
        # Of equal scores the one goes first of which more was traded, then the cheaper lot, then the alphabet.
        price = dict(zip(market.symbols, market.values("close").tolist(), strict=True))
        volume = dict(zip(market.symbols, market.values("volume").tolist(), strict=True))

        def place(c: Candidate) -> tuple[float, float, float, str]:
            traded = price[c.symbol] * volume[c.symbol]
            return -c.score, -traded if traded > 0 else 0.0, price[c.symbol], c.symbol

        return sorted(found, key=place)

    def silent(self, market: Market) -> bool:
        """Whether it is known without a look at the scores that there is no candidate."""
        return False

    def scores(self, market: Market) -> list[np.ndarray]:
        """The scores of every signal, in their order."""
        return [signal.scores(market) for signal in self.signals]

    def verdicts(self, candidate: Candidate, quantity: float = 0) -> tuple[Verdict, ...]:
        """The vote on a candidate for the record, about ``quantity``; nothing where nothing is voted on."""
        if not self.voting:
            return ()
        inputs = {"votes": candidate.votes, "quorum": self.config.quorum, "vetoes": candidate.vetoes}
        after = 0 if candidate.refusal else quantity
        return (Verdict("ensemble", candidate.refusal or "OK", quantity, after, inputs),)


def refuse_beyond(signal: Signal, symbol: str, score: float) -> None:
    """Refuse a score above 100: it would come before every entry of the others and pass every threshold."""
    if score > MOST_SCORE + ROUNDING:
        raise Refusal(
            f"signal {signal.name}: gives {symbol} a score of {score:g}; give 50 where its condition is just met, "
            f"and {MOST_SCORE:g} at its strongest"
        )


class _Ballot:
    """The votes on all symbols at one moment.

    ``passed`` tells for each side where the vote lets an entry through, shape ``(symbols,)``.
    """

    def __init__(
        self,
        config: EnsembleConfig,
        market: Market,
        signals: Sequence[Signal],
        scores: Sequence[np.ndarray],
        vetoing: Sequence[Signal],
    ) -> None:
        self._symbols = market.symbols
        self._quorum = config.quorum
        self._votes = [(s, score, score >= config.min_vote_score) for s, score in zip(signals, scores, strict=True)]
        self._vetoes = [(signal, signal.opposes(market)) for signal in vetoing]
        self.passed: dict[Side, np.ndarray] = {}
        for side in {signal.side for signal in signals}:
            count = np.sum([votes for signal, _, votes in self._votes if signal.side == side], axis=0)
            blocked = [against for signal, against in self._vetoes if signal.side == side]
            self.passed[side] = (count >= self._quorum) & ~np.any([np.zeros(len(count), bool), *blocked], axis=0)

    def candidate(self, k: int, score: float, speaker: Signal) -> Candidate:
        """Column ``k`` as a candidate, with the votes of its speaker's side."""
        side = speaker.side
        votes = {s.name: float(value[k]) for s, value, voted in self._votes if s.side == side and voted[k]}
        vetoes = tuple(s.name for s, against in self._vetoes if s.side == side and against[k])
        refusal = ""
        if vetoes:
            refusal = f"ENSEMBLE: vetoed by {', '.join(vetoes)}"
        elif len(votes) < self._quorum:
            told = ", ".join(f"{name} {value:.0f}" for name, value in votes.items()) or "none"
            refusal = f"ENSEMBLE: {len(votes)} of {self._quorum} votes ({told})"
        return Candidate(score, self._symbols[k], speaker, votes, vetoes, refusal)
