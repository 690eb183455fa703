"""A live run and a backtest of the same days, decision by decision, each difference with its cause."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pandas as pd

from backtests.checks.comparison_result import Cause, Comparison, Difference
from backtests.checks.decision_figures import (
    figures_differ,
    quote,
    result_of,
    ruling,
    same_value,
    told_of,
    why_of,
)
from backtests.checks.missing_bars import MissingBars
from backtests.run_folder import Holding, Json, RunFolder, read_run
from config.errors import Refusal
from risk.model import OPENING_ROLES

SEEN_LATE = pd.Timedelta(minutes=4)
"""How old the venue's word may be in a decision: two local seconds of a rehearsal at 120 times real time."""
STRADDLES = pd.Timedelta(minutes=1)
"""A decision carries the time of its book; so long after it, a bar may close and its market still be read."""
MARKET_MODULES = frozenset({"trend_confirmation", "volume_profile", "ensemble"})
"""Rules that read bars and nothing of the book."""
SATURDAY = 5
CENT = 0.01
ROUNDED = "the venue's prices are in cents, the backtest's file has fractions of them: lay it on the cent grid first"
REMEMBERED = 48
"""So many bars a bar that was seen differently is in the averages, enough to move a decision."""
FORGOTTEN = 350
"""After so many bars the slowest average, of 50, has forgotten one as far as figures count as the same."""
NOTHING = pd.Timedelta(0)
Key = tuple[pd.Timestamp, str, str, str]


def compare(live: Path, backtest: Path) -> Comparison:
    """Compare the folders of two runs.

    Raises
    ------
    Refusal
        One of them is not the complete folder of a run, or they have no day in common.
    """
    return _Comparer(read_run(live), read_run(backtest)).run()


class _Comparer:
    def __init__(self, live: RunFolder, backtest: RunFolder) -> None:
        self.live, self.backtest = live, backtest
        closes = backtest.iterations
        # Who trades at weekends trades around the clock: no session that bars are counted from.
        self._always_open = any(close.weekday() >= SATURDAY for close in closes)
        gaps = pd.Series(closes[1:] - closes[:-1])
        self.length = gaps.median() if len(gaps) else pd.Timedelta(minutes=5)
        self._missing = MissingBars(backtest.path)
        self._apart: dict[str, list[tuple[pd.Timestamp, str]]] = {}
        """By symbol the bars in which both decided on other figures."""
        # A backtest's equity is of the close of each bar that it decided at the opening of.
        self.bars = [self.bar(close - pd.Timedelta(microseconds=1)) for close in closes]
        self._known = {self._key(decision): decision for decision in backtest.decisions}
        moved = {d["time"]: self._seen(d)[0] for d in live.decisions if self._seen(d) != self._key(d)}
        self.scans: dict[pd.Timestamp, list[pd.Timestamp]] = {}
        for time in live.iterations:
            self.scans.setdefault(moved.get(time, self.bar(time)), []).append(time)
        self._refuse_other_days()

    def _refuse_other_days(self) -> None:
        ours, theirs = ({bar.date() for bar in bars} for bars in (self.scans, self.bars))
        if not ours & theirs:
            told = [f"{min(days)} to {max(days)}" if days else "no iteration" for days in (ours, theirs)]
            raise Refusal(
                f"{self.live.path} ({told[0]}) and {self.backtest.path} ({told[1]}) have no day in common, so there is "
                "nothing to compare; give a backtest of the live run's days"
            )

    def bar(self, time: pd.Timestamp) -> pd.Timestamp:
        """The opening of the bar in which ``time`` lies; its predecessor is the last closed one."""
        if self._always_open:
            midnight = time.tz_convert("UTC").normalize()
            return (midnight + (time - midnight) // self.length * self.length).tz_convert(time.tz)
        if self.length >= pd.Timedelta(hours=20):
            return time.normalize()
        begins = time.normalize() + pd.Timedelta(hours=9, minutes=30)
        return begins + (time - begins) // self.length * self.length

    def run(self) -> Comparison:
        result = Comparison(self.live.path, self.backtest.path)
        ours, theirs = self._by_key(self.live), self._by_key(self.backtest)
        for key in sorted(ours.keys() & theirs.keys()):
            if name := figures_differ(ours[key][0], theirs[key][0]):
                self._apart.setdefault(key[1], []).append((key[0], name))
        for key in sorted(ours.keys() | theirs.keys()):
            if key in ours and key in theirs:
                result.pairs += 1
                result.repeated += len(ours[key]) - 1
                found = self._of_pair(key[0], ours[key], theirs[key][0])
                result.same += found is None
            elif key in ours:
                result.repeated += len(ours[key]) - 1
                found = self._only_in_live(key, ours[key][0])
            else:
                found = self._only_in_backtest(key)
            if found is not None:
                result.differences.append(Difference(key[0], key[1], key[3], *found))
            again = self._entered_again(key[0], ours.get(key, []))
            result.differences += [Difference(key[0], key[1], key[3], *more) for more in again]
        return result

    def _entered_again(self, bar: pd.Timestamp, scans: list[Json]) -> Iterator[tuple[Cause, str]]:
        """Entries of live after the first of their bar: a backtest, which decides once a bar, cannot have them."""
        taken = [d for d in scans if d["final_quantity"] and self.live.order_of(d) is not None]
        for before, decision in pairwise(taken):
            symbol, first, time = decision["symbol"], before["time"], decision["time"]
            out = [h for h in self.live.holdings if h.symbol == symbol and h.until and first < h.until <= time]
            unfilled = self.live.filled(before)[0] == 0
            if out:
                yield Cause.ENTERED_AGAIN, f"at {time:%H:%M:%S}, live was out inside the bar: {out[-1].told()}"
            elif unfilled:
                yield Cause.ENTERED_AGAIN, f"at {time:%H:%M:%S}, the entry of {first:%H:%M:%S} was not filled"
            else:
                yield Cause.UNEXPLAINED, f"entered at {first:%H:%M:%S} and again at {time:%H:%M:%S}"

    def _by_key(self, run: RunFolder) -> dict[Key, list[Json]]:
        found: dict[Key, list[Json]] = {}
        for decision in run.decisions:
            key = self._seen(decision) if run is self.live else self._key(decision)
            found.setdefault(key, []).append(decision)
        return found

    def _key(self, decision: Json, later: pd.Timedelta = NOTHING) -> Key:
        bar = self.bar(decision["time"] + later)
        return bar, decision["symbol"], decision["side"], decision["signal"]

    def _seen(self, decision: Json) -> Key:
        """Where a live decision belongs: the next bar if it has its figures, and this one's are others."""
        key, after = self._key(decision), self._key(decision, STRADDLES)
        # After a session's last bar comes the first one of the next session.
        following = bisect_left(self.bars, after[0])
        if following < len(self.bars):
            after = (self.bars[following], *after[1:])
        if key != after and after in self._known and not figures_differ(decision, self._known[after]):
            there = self._known.get(key)
            return after if there is None or figures_differ(decision, there) else key
        return key

    # Decisions that both made.

    def _of_pair(self, bar: pd.Timestamp, scans: list[Json], theirs: Json) -> tuple[Cause, str] | None:
        ours = scans[0]
        if name := figures_differ(ours, theirs):
            told = f"{name} {ours[name]} live, {theirs[name]} backtest"
            if _in_cents_alone(ours["price"], theirs["price"]):
                told += f"; {ROUNDED}"
            return Cause.BARS, f"{told}{self._lacking(bar, ours['symbol'], FORGOTTEN)}"
        found = self._of_verdicts(bar, ours, theirs) or self._of_orders(ours, theirs)
        if found is not None:
            return found
        taken = [d for d in scans[1:] if d["final_quantity"]]
        if taken and not ours["final_quantity"]:
            return Cause.DECIDED_AGAIN, f"{why_of(ours)} first, taken at {taken[0]['time']:%H:%M:%S}"
        return None

    def _of_verdicts(self, bar: pd.Timestamp, ours: Json, theirs: Json) -> tuple[Cause, str] | None:
        if result_of(ours) == result_of(theirs):
            return None
        told = f"live {told_of(ours)}, backtest {told_of(theirs)}"
        for one, two in zip(ours["verdicts"], theirs["verdicts"], strict=False):
            if ruling(one) == ruling(two) and one["module"] == two["module"]:
                continue
            module = str(one["module"])
            trade = self._earlier(bar, ours["symbol"])
            if "halt" in module or "HALT" in one["code"] + two["code"]:
                return Cause.HALTED, f"{told}; {trade}" if trade else told
            differing = [n for n in one["inputs"] if not same_value(one["inputs"][n], two["inputs"].get(n))]
            if one["module"] == two["module"] and module in MARKET_MODULES:
                return (Cause.BARS if differing else Cause.UNEXPLAINED), told
            if one["after"] < one["before"] and self._held_by_hand(ours, one):
                free, cash = one["inputs"]["free_cash"], self.live.cash[ours["time"]]
                return Cause.HAND, f"{told}; {free:.2f} of {cash:.2f} USD were free, and no entry of ours waited"
            if trade:
                seen = ", ".join(differing) or "what had been taken before"
                return Cause.BOOK, f"{told}; {module} read another book ({seen}); {trade}"
            return Cause.UNEXPLAINED, told
        return Cause.UNEXPLAINED, told

    def _held_by_hand(self, ours: Json, verdict: Json) -> bool:
        """Whether less of live's cash was free in a verdict than the account had, and no entry of its own waited."""
        time, free = ours["time"], verdict["inputs"].get("free_cash")
        entries = [o for o in self.live.orders if o["role"] in OPENING_ROLES and not o["filled_quantity"]]
        waits = any(NOTHING <= time - o["time"] <= SEEN_LATE for o in entries)
        return free is not None and time in self.live.cash and free < self.live.cash[time] - CENT and not waits

    def _of_orders(self, ours: Json, theirs: Json) -> tuple[Cause, str] | None:
        if not ours["final_quantity"]:
            return None
        one, two = self.live.order_of(ours), self.backtest.order_of(theirs)
        if one is None or two is None:
            return None if one is two else (Cause.UNEXPLAINED, f"no order in {'live' if one is None else 'backtest'}")
        refused = [o["status"] == "rejected" for o in (one, two)]
        if refused[0] != refused[1]:
            why = one["reason"] if refused[0] else two["reason"]
            return (Cause.HALTED if why.startswith("DESK_STOPPED") else Cause.VENUE), why
        if one["quantity"] != two["quantity"]:
            quotes = [quote(o) for o in (one, two)]
            if quotes[0] == quotes[1]:
                return Cause.UNEXPLAINED, f"{one['quantity']:g} live, {two['quantity']:g} backtest at the same quote"
            sizes = f"{one['quantity']:g} at {quotes[0]} live, {two['quantity']:g} at {quotes[1]} backtest"
            return Cause.QUOTE, sizes
        (shares, price), (others, other) = self.live.filled(ours), self.backtest.filled(theirs)
        if shares != others or not same_value(price, other):
            return Cause.FILL, f"{shares:g} at {price:.4f} live, {others:g} at {other:.4f} backtest"
        return None

    # Decisions that one of them made.

    def _only_in_live(self, key: Key, decision: Json) -> tuple[Cause, str]:
        bar, symbol, _, signal = key
        if not self.bars or not self.bars[0] <= bar <= self.bars[-1]:
            return Cause.EDGE_LIVE, ""
        for held in self.live.holdings:
            if held.symbol == symbol and held.since < bar <= (held.until or bar) <= decision["time"]:
                return Cause.DECIDED_EARLIER, f"live was out inside the bar: {held.told()}"
        for held in self._like(self.backtest, symbol, signal):
            # Its fills carry the time at which their bar opens.
            if held.since < bar and (held.until is None or self.bar(held.until) >= bar):
                return Cause.BOOK, f"the backtest held {held.told()}; {self._earlier(bar, symbol)}"
        return self._other_signal(bar, key, self.backtest)

    def _only_in_backtest(self, key: Key) -> tuple[Cause, str]:
        bar, symbol, _, signal = key
        scans = self.scans.get(bar, [])
        if not scans:
            times = self.live.iterations
            edge = not len(times) or bar < self.bar(times[0]) or bar > self.bar(times[-1])
            return (Cause.EDGE_BACKTEST, "") if edge else (Cause.NO_ITERATION, "no live iteration in that bar")
        spans = self._like(self.live, symbol, signal) + self.live.waiting(symbol, SEEN_LATE)
        why = [next((s for s in spans if _spans(s, scan)), None) for scan in scans]
        if why[0] is not None and all(s is not None for s in why):
            return Cause.BOOK, f"live held {why[0].told()}; {self._earlier(bar, symbol)}"
        return self._other_signal(bar, key, self.live)

    def _other_signal(self, bar: pd.Timestamp, key: Key, run: RunFolder) -> tuple[Cause, str]:
        for decision in run.decisions:
            if decision["symbol"] == key[1] and self.bar(decision["time"]) == bar:
                return Cause.BARS, f"there {decision['signal']} spoke for it, with {decision['score']}"
        if lacking := self._lacking(bar, key[1], REMEMBERED):
            for other, name in self._apart.get(key[1], ()):
                if NOTHING <= other - bar <= REMEMBERED * self.length:
                    return Cause.BARS, f"not decided there; {name} of {other:%m-%d %H:%M} differs too{lacking}"
        return Cause.UNEXPLAINED, "not held there, and no decision"

    def _lacking(self, bar: pd.Timestamp, symbol: str, count: int) -> str:
        """The last of ``count`` bars before ``bar`` that the backtest's data lack, in words; empty without."""
        if self._always_open:
            return self._missing.told(symbol, (bar - back * self.length for back in range(1, count + 1)))
        at = bisect_left(self.bars, bar)
        return self._missing.told(symbol, reversed(self.bars[max(at - count, 0) : at]))

    def _like(self, run: RunFolder, symbol: str, signal: str) -> list[Holding]:
        """Positions that keep ``signal`` from proposing ``symbol``: of it, or of the same proposing module's."""
        modules = {h.signal for h in run.holdings if h.signal.endswith("_hedge")}
        return [h for h in run.holdings if h.symbol == symbol or (h.signal == signal and signal in modules)]

    def _earlier(self, bar: pd.Timestamp, symbol: str) -> str:
        """The first trade before a bar that went differently, of the same symbol if there is one; empty without."""
        live = {self._trade(h, bar): h for h in self.live.holdings if h.since < bar}
        back = {self._trade(h, bar): h for h in self.backtest.holdings if h.since < bar}
        changed = sorted(live.keys() ^ back.keys())
        for trade in [t for t in changed if t[1] == symbol] or changed:
            run = "live" if trade in live else "backtest"
            return f"earlier trade, {run}: {(live if trade in live else back)[trade].told()}"
        return ""

    def _trade(self, held: Holding, bar: pd.Timestamp) -> tuple[pd.Timestamp, str, float, str]:
        over = held.until is not None and held.until < bar
        ended = f"{self.bar(held.until)} {held.exit_price:.4f} {held.how}" if over and held.until else ""
        return self.bar(held.since), held.symbol, round(held.entry_price, 4), ended


def _in_cents_alone(live: float, backtest: float) -> bool:
    """Whether two prices differ by no more than the rounding of one to cents."""
    return not same_value(live, backtest) and same_value(live, round(backtest, 2))


def _spans(held: Holding, scan: pd.Timestamp) -> bool:
    """Whether a live scan may have seen a position: news of its end may be as old as the scan's view."""
    return held.since < scan and (held.until is None or held.until > scan - SEEN_LATE)
