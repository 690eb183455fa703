"""The signals' scores of a whole table at once: the same numbers as bar by bar, at a fraction of the time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from market.features import FeatureTable
from market.market import Market
from strategies.ensemble import Candidate, Ensemble, refuse_beyond
from strategies.signals.base import Signal


class _WholeTable(Market):
    """Every bar of a table as one market: a column where a market at one moment has a row.

    It is taken at the close of each bar on intraday data, and at the opening of the next session on daily ones.
    """

    __slots__ = ("_in_session",)

    def __init__(self, features: FeatureTable) -> None:
        super().__init__(
            time=features.bars.opens_at[0],
            row=len(features.bars) - 1,
            symbols=features.bars.symbols,
            index=features.index,
            columns=features.columns,
            sectors={},
        )
        self._in_session = not features.bars.daily

    @property
    def in_its_session(self) -> bool:
        return self._in_session

    def values(self, name: str) -> np.ndarray:
        return self._columns[name]


def scored_at_once(signal: Signal) -> bool:
    """Whether the class that defines the signal's ``scores`` states that they are elementwise."""
    owner = next(cls for cls in type(signal).__mro__ if "scores" in vars(cls))
    return bool(vars(owner).get("elementwise", False))


class TableEnsemble(Ensemble):
    """An ensemble that looks its signals' scores up by row.

    Signals that do not state that their scores are elementwise are asked bar by bar.

    Parameters
    ----------
    ensemble : Ensemble
        Whose signals and rules are taken.
    features : FeatureTable
        The markets it will be asked about are views of this table.
    eligible : ndarray of bool, shape (symbols,)
        Symbols that may be entered.
    """

    def __init__(self, ensemble: Ensemble, features: FeatureTable, eligible: np.ndarray) -> None:
        super().__init__(ensemble.signals, ensemble.config, ensemble.min_score)
        whole = _WholeTable(features)
        self._in_session = whole.in_its_session
        self._tables = [signal.scores(whole) if scored_at_once(signal) else None for signal in self.signals]
        self._found: list[list[Candidate]] | None = None
        tables = [table for table in self._tables if table is not None]
        if not self.voting and len(tables) == len(self.signals):
            self._found = self._best(np.stack(tables), eligible, features)

    def _best(self, scores: np.ndarray, eligible: np.ndarray, features: FeatureTable) -> list[list[Candidate]]:
        """By row what ``candidates`` finds where nothing is voted on and nothing is held, best first."""
        symbols, price, volume = (features.bars.symbols, features.columns["close"], features.columns["volume"])
        may = eligible & features.columns["usable"]
        with np.errstate(invalid="ignore"):
            scores = np.where((scores >= self.min_score) & may, scores, -np.inf)
        # Of equal scores the first signal's counts.
        speaker, best = scores.argmax(axis=0), scores.max(axis=0)
        rows, columns = np.nonzero(best > -np.inf)
        if len(rows):
            row, k = np.unravel_index(best.argmax(), best.shape)
            refuse_beyond(self.signals[speaker[row, k]], symbols[k], float(best[row, k]))
        # Of equal scores the order is the ensemble's: by what was traded, by price, by the alphabet.
        alphabet = np.argsort(np.argsort(np.array(symbols)))
        traded = price[rows, columns] * volume[rows, columns]
        traded = np.where(traded > 0, traded, 0.0)
        order = np.lexsort((alphabet[columns], price[rows, columns], -traded, -best[rows, columns], rows))
        rows, columns = rows[order], columns[order]
        found: list[list[Candidate]] = [[] for _ in range(len(best))]
        spoken = zip(
            rows.tolist(), columns.tolist(), best[rows, columns].tolist(), speaker[rows, columns].tolist(), strict=True
        )
        for row, k, score, which in spoken:
            found[row].append(Candidate(score, symbols[k], self.signals[which]))
        return found

    def _knows(self, market: Market) -> bool:
        """Whether the tables hold for a market: not for the first moment of a session, whose last bar is of another."""
        return not market.empty and market.in_its_session is self._in_session

    def silent(self, market: Market) -> bool:
        """Whether no symbol reached the threshold at the market's row."""
        return self._found is not None and self._knows(market) and not self._found[market.row]

    def scores(self, market: Market) -> list[np.ndarray]:
        """The scores of every signal at the market's row."""
        known = self._knows(market)
        return [
            table[market.row] if known and table is not None else signal.scores(market)
            for signal, table in zip(self.signals, self._tables, strict=True)
        ]

    def candidates(self, market: Market, eligible: np.ndarray, held: Callable[[str], bool]) -> list[Candidate]:
        """What the ensemble finds; see ``Ensemble.candidates``."""
        if self._found is None or not self._knows(market):
            return super().candidates(market, eligible, held)
        index = market.index
        return [c for c in self._found[market.row] if eligible[index[c.symbol]] and not held(c.symbol)]
