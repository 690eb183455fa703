"""Kraken's public methods: what is listed, and what the market did up to now."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from decimal import Decimal

import numpy as np

from brokers.rehearsal.core.bar_playback import DAY, MINUTE_NS, BarPlayback, PlayedBar, Timeframe, from_ns, to_ns
from brokers.rehearsal.kraken.errors import UNAVAILABLE, UNKNOWN_ASSET, UNKNOWN_PAIR, KrakenError, invalid
from brokers.rehearsal.kraken.exchange import KrakenExchange
from brokers.rehearsal.kraken.orders.arguments import count, text
from brokers.rehearsal.kraken.orders.bodies import Json, number
from brokers.rehearsal.kraken.reference.listings import Pair

Call = Mapping[str, object]
INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
"""Minutes."""
ROWS_MOST, TRADES_MOST, LEVELS, LEVELS_MOST = 720, 1_000, 100, 500
SINCE_MOST = 2**63
RECENT = timedelta(days=10)
"""What trades are looked for in where no time is given."""
PRICE, LOTS, VOLUME = 5, 3, 8
"""Decimals of prices, of sizes in the book, of volumes."""
MARGIN = {
    "leverage_buy": [2, 3, 4, 5],
    "leverage_sell": [2, 3, 4, 5],
    "margin_call": 80,
    "margin_stop": 40,
    "long_position_limit": 300,
    "short_position_limit": 240,
}
NANO = 1_000_000_000


class MarketData:
    """The methods by name.

    Parameters
    ----------
    playback : BarPlayback
    exchange : KrakenExchange
    """

    def __init__(self, playback: BarPlayback, exchange: KrakenExchange) -> None:
        self._playback, self._exchange = playback, exchange

    def methods(self) -> dict[str, Callable[[Call], object]]:
        """What each path below /0/public tells."""
        return {
            "Time": self.time,
            "SystemStatus": self.system_status,
            "Assets": self.assets,
            "AssetPairs": self.asset_pairs,
            "Ticker": self.ticker,
            "OHLC": self.ohlc,
            "Depth": self.depth,
            "Trades": self.trades,
        }

    def time(self, given: Call) -> Json:
        """The venue's time."""
        now = self._exchange.now
        return {"unixtime": int(now.timestamp()), "rfc1123": now.strftime("%a, %d %b %y %H:%M:%S +0000")}

    def system_status(self, given: Call) -> Json:
        """Whether the exchange trades."""
        return {"status": self._exchange.status, "timestamp": self._exchange.now.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def assets(self, given: Call) -> Json:
        """All assets, or those of ``asset``."""
        listed = self._exchange.listed
        names = [name for name in text(given, "asset").split(",") if name]
        coins = [listed.coin(name) for name in names] if names else list(listed.coins.values())
        told: Json = {}
        for coin in coins:
            if coin is None:
                raise KrakenError(UNKNOWN_ASSET)
            worth = {} if coin.collateral_value is None else {"collateral_value": coin.collateral_value}
            told[coin.key] = {
                "aclass": "currency",
                "altname": coin.altname,
                "decimals": coin.decimals,
                "display_decimals": coin.display_decimals,
                **worth,
                "status": "enabled",
            }
        return told

    def asset_pairs(self, given: Call) -> Json:
        """All pairs, or those of ``pair``."""
        return {pair.key: self._pair(pair) for pair in self._pairs(given)}

    def _pair(self, pair: Pair) -> Json:
        fees = self._exchange.listed.fees
        return {
            "altname": pair.altname,
            "wsname": pair.wsname,
            "aclass_base": "currency",
            "base": pair.base.key,
            "aclass_quote": "currency",
            "quote": pair.quote.key,
            "lot": "unit",
            "cost_decimals": pair.cost_decimals,
            "pair_decimals": pair.pair_decimals,
            "lot_decimals": VOLUME,
            "lot_multiplier": 1,
            "fees": [[int(tier.volume), float(tier.taker)] for tier in fees],
            "fees_maker": [[int(tier.volume), float(tier.maker)] for tier in fees],
            "fee_volume_currency": "ZUSD",
            **MARGIN,
            "ordermin": format(pair.ordermin, "f"),
            "costmin": format(pair.costmin, "f"),
            "tick_size": format(pair.tick, "f"),
            "status": self._exchange.status_of(pair),
        }

    def ticker(self, given: Call) -> Json:
        """Bid, ask, last trade, and what the day and the last 24 hours were like; no time of any of it."""
        told: Json = {}
        for pair in self._pairs(given):
            quotes = self._exchange.bid_ask(pair)
            if quotes is not None:
                told[pair.key] = self._ticker(pair, *quotes)
        if not told:
            raise KrakenError(UNAVAILABLE)
        return told

    def _ticker(self, pair: Pair, bid: Decimal, ask: Decimal) -> Json:
        now = self._exchange.now
        midnight = datetime.combine(now.date(), time(), now.tzinfo)
        times, prices, sizes = self._playback.columns(pair.symbol, now - timedelta(days=1), now)
        today = slice(int(np.searchsorted(times, to_ns(midnight))), None)
        last = self._playback.last(pair.symbol, now)
        price, size = self._exchange.last(pair) or Decimal(0), float(last[2]) if last else 0.0
        spans = [_Span(prices[part], sizes[part], float(price)) for part in (today, slice(None))]
        decimals = max(PRICE, pair.pair_decimals)
        lots = [str(max(math.floor(size), 1)), f"{size:.{LOTS}f}"]
        return {
            "a": [number(ask, decimals), *lots],
            "b": [number(bid, decimals), *lots],
            "c": [number(price, decimals), f"{size:.{VOLUME}f}"],
            "v": [f"{span.volume:.{VOLUME}f}" for span in spans],
            "p": [f"{span.average:.{decimals}f}" for span in spans],
            "t": [span.count for span in spans],
            "l": [f"{span.low:.{decimals}f}" for span in spans],
            "h": [f"{span.high:.{decimals}f}" for span in spans],
            "o": f"{spans[0].open:.{decimals}f}",
        }

    def ohlc(self, given: Call) -> Json:
        """Up to 720 bars, the newest, the forming one last; bars without trades repeat the price."""
        pair = self._one(given)
        minutes = count(given, "interval", 1, min(INTERVALS), max(INTERVALS))
        if minutes not in INTERVALS:
            raise invalid("interval")
        length = minutes * MINUTE_NS
        now = to_ns(self._exchange.now)
        forming = now // length * length
        first = forming - (ROWS_MOST - 1) * length
        if text(given, "since"):
            first = max(first, (count(given, "since", 0, 0, SINCE_MOST) * NANO // length + 1) * length)
        rows = self._rows(pair, length, first, forming) if first <= forming else []
        return {pair.key: rows, "last": (forming - length) // NANO}

    def _rows(self, pair: Pair, length: int, first: int, forming: int) -> list[list[object]]:
        present = self._exchange.now
        frame = Timeframe("intraday", length) if length < DAY.longest else None
        if frame is not None:
            bars = self._playback.bars(pair.symbol, frame, from_ns(first), from_ns(forming), present)
        else:
            bars = _joined(self._playback.bars(pair.symbol, DAY, from_ns(first), present, present), length)
        known = {bar.start: bar for bar in bars}
        before = self._playback.last(pair.symbol, from_ns(first))
        last = before[1] if before else None
        rows: list[list[object]] = []
        for start in range(first, forming + 1, length):
            bar = known.get(start)
            if bar is None and last is None:
                continue
            last = bar.close if bar is not None else last
            rows.append(_row(start, bar, last or 0.0, pair.pair_decimals))
        return rows

    def depth(self, given: Call) -> Json:
        """A book made up around bid and ask: levels a tick apart, each with what the last trade moved."""
        pair = self._one(given)
        levels = count(given, "count", LEVELS, 1, LEVELS_MOST)
        quotes, last = self._exchange.bid_ask(pair), self._playback.last(pair.symbol, self._exchange.now)
        if quotes is None:
            raise KrakenError(UNAVAILABLE)
        at, size = int(self._exchange.now.timestamp()), f"{float(last[2]) if last else 0.0:.{LOTS}f}"
        decimals = max(PRICE, pair.pair_decimals)

        def level(price: Decimal) -> list[object]:
            return [number(price, decimals), size, at]

        bid, ask = quotes
        bids = [bid - pair.tick * step for step in range(levels) if bid > pair.tick * step]
        return {pair.key: {"asks": [level(ask + pair.tick * n) for n in range(levels)], "bids": list(map(level, bids))}}

    def trades(self, given: Call) -> Json:
        """Up to 1,000 trades after ``since`` (nanoseconds, or seconds), oldest first; the newest without it."""
        pair = self._one(given)
        most, now = count(given, "count", TRADES_MOST, 1, TRADES_MOST), self._exchange.now
        since = text(given, "since")
        after = count(given, "since", 0, 0, SINCE_MOST) if since else to_ns(now - RECENT)
        after = min(after if after > NANO * NANO // 10 else after * NANO, to_ns(now))
        found = [t for t in self._playback.trades(pair.symbol, from_ns(after), now, now) if t[0] > after]
        part = found[:most] if since else found[-most:]
        decimals = max(PRICE, pair.pair_decimals)
        rows: list[list[object]] = [
            [f"{price:.{decimals}f}", f"{size:.{VOLUME}f}", at / NANO, "b" if n % 2 else "s", "m", "", at // MINUTE_NS]
            for n, (at, price, size) in enumerate(part)
        ]
        return {pair.key: rows, "last": str(part[-1][0] if part else after)}

    def _pairs(self, given: Call) -> list[Pair]:
        """The pairs that are named, by whatever names; all where none is."""
        listed, names = self._exchange.listed, [name for name in text(given, "pair").split(",") if name]
        found = [listed.pair(name) for name in names] if names else list(listed.pairs.values())
        pairs = [pair for pair in found if pair is not None]
        if len(pairs) < len(found):
            raise KrakenError(UNKNOWN_PAIR)
        return pairs

    def _one(self, given: Call) -> Pair:
        pairs = self._pairs(given) if text(given, "pair") else []
        if len(pairs) != 1:
            raise invalid("pair")
        return pairs[0]


class _Span:
    """What a stretch of trades was like; without trades all prices are the last one."""

    def __init__(self, prices: np.ndarray, sizes: np.ndarray, last: float) -> None:
        self.count, self.volume = len(prices), float(sizes.sum())
        self.average = float((prices * sizes).sum()) / self.volume if self.volume else last
        known = prices if len(prices) else np.array([last])
        self.open, self.high, self.low = float(known[0]), float(known.max()), float(known.min())


def _row(start: int, bar: PlayedBar | None, last: float, decimals: int) -> list[object]:
    prices = (last,) * 4 if bar is None else (bar.open, bar.high, bar.low, bar.close)
    average, volume, count = (0.0, 0.0, 0) if bar is None else (bar.vwap, bar.volume, bar.trades)
    told = [f"{price:.{decimals}f}" for price in (*prices, average)]
    return [start // NANO, *told, f"{volume:.{VOLUME}f}", count]


def _joined(days: list[PlayedBar], length: int) -> list[PlayedBar]:
    """Days put together to bars of several days, counted from 1970."""
    groups: dict[int, list[PlayedBar]] = {}
    for day in days:
        groups.setdefault(day.start // length * length, []).append(day)
    joined = []
    for start, part in groups.items():
        volume = math.fsum(day.volume for day in part)
        worth = math.fsum(day.vwap * day.volume for day in part)
        joined.append(
            PlayedBar(
                start,
                part[0].open,
                max(d.high for d in part),
                min(d.low for d in part),
                part[-1].close,
                volume,
                sum(d.trades for d in part),
                worth / volume if volume else part[-1].close,
            )
        )
    return joined
