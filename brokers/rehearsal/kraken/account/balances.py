"""Balances as Kraken splits them: what is at hand, what earns and can be spent all the same, what is locked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from brokers.rehearsal.core.ledger import Holding
from brokers.rehearsal.core.model import ZERO
from brokers.rehearsal.core.state import State
from brokers.rehearsal.kraken.account.funds import Funds
from brokers.rehearsal.kraken.errors import UNKNOWN_ASSET, KrakenError
from brokers.rehearsal.kraken.reference.listings import Coin, Listings, Pair
from brokers.rehearsal.kraken.settings import KrakenSettings


@dataclass(frozen=True, slots=True)
class Balance:
    """One line of BalanceEx: all there is, and the part that orders hold."""

    coin: Coin
    amount: Decimal
    held: Decimal

    def text(self, amount: Decimal) -> str:
        """With the asset's decimals; what is finer is not shown."""
        return format(amount.quantize(Decimal(1).scaleb(-self.coin.decimals), ROUND_DOWN), "f")


class Balances:
    """Puts the opening balances into the account, and tells how they stand.

    Money and the coins of traded pairs are in the venue's ledger, flexible balances included; what of them is still
    flexible falls as it is spent and never rises. All other balances are only shown.

    Parameters
    ----------
    state : State
    funds : Funds
    listed : Listings
    settings : KrakenSettings
    """

    def __init__(self, state: State, funds: Funds, listed: Listings, settings: KrakenSettings) -> None:
        self._state, self._funds, self._listed = state, funds, listed
        self._pairs: dict[str, Pair] = {pair.base.key: pair for pair in listed.pairs.values()}
        self._flexible: dict[str, tuple[Coin, Decimal]] = {}
        self._locked: dict[str, tuple[Coin, Decimal]] = {}
        self._money = next(coin for coin in listed.coins.values() if coin.code == "USD")
        self._seen = {self._money.key}
        for name, amount in settings.balances.items():
            coin = listed.coin(name)
            if coin is None:
                raise KrakenError(f"{UNKNOWN_ASSET}: {name}")
            self._open(coin, listed.spent_from(coin), amount)

    def _open(self, coin: Coin, spent_as: Coin | None, amount: Decimal) -> None:
        ledger, target = self._state.ledger, spent_as or coin
        pair = self._pairs.get(target.key)
        if pair is None and target.key != self._money.key:
            self._locked[coin.key] = coin, amount
            return
        if spent_as is not None:
            self._flexible[target.key] = coin, amount
        if pair is None:
            ledger.cash += amount
            return
        self._seen.add(target.key)
        holding = ledger.holdings.get(pair.symbol)
        if holding is None:
            ledger.holdings[pair.symbol] = Holding(self._state.assets[pair.symbol], amount, ZERO, self._state.now)
        else:
            holding.qty += amount

    def move(self, name: str, amount: Decimal) -> None:
        """A deposit, or a withdrawal of a negative amount, whatever orders hold; KrakenError for what is not there."""
        coin = self._listed.coin(name)
        if coin is None or (amount < 0 and self.total(coin.key) + amount < 0):
            raise KrakenError(f"{UNKNOWN_ASSET}: {name}")
        pair, ledger = self._pairs.get(coin.key), self._state.ledger
        if pair is None and coin.key != self._money.key:
            raise KrakenError(f"{UNKNOWN_ASSET}: {name}")
        self._open(coin, None, amount)
        if pair is not None and not ledger.quantity(pair.symbol):
            del ledger.holdings[pair.symbol]
        self.settle()

    def total(self, key: str) -> Decimal:
        """All there is of money or of a traded coin, flexible or not."""
        pair = self._pairs.get(key)
        return self._state.ledger.cash if pair is None else self._state.ledger.quantity(pair.symbol)

    def held(self, key: str) -> Decimal:
        """What open orders hold of it."""
        pair = self._pairs.get(key)
        return self._funds.cash_held() if pair is None else self._funds.units_held(pair.symbol)

    def settle(self) -> None:
        """What has been spent, or is held, is flexible no longer."""
        for key, (coin, amount) in self._flexible.items():
            self._flexible[key] = coin, max(min(amount, self.total(key) - self.held(key)), ZERO)
        for symbol in self._state.ledger.holdings:
            self._seen.update(key for key, pair in self._pairs.items() if pair.symbol == symbol)

    def lines(self) -> Iterator[Balance]:
        """Every balance that the account has or has had."""
        self.settle()
        for key in sorted(self._seen, key=lambda k: (k != self._money.key, k)):
            flexible = self._flexible.get(key)
            earning = flexible[1] if flexible else ZERO
            yield Balance(self._listed.coins[key], self.total(key) - earning, self.held(key))
        for coin, amount in (*self._flexible.values(), *self._locked.values()):
            yield Balance(coin, amount, ZERO)

    def worth(self) -> Decimal:
        """Money and traded coins at the last prices, USD."""
        prices = self._state.ledger.prices
        coins = ((pair, self.total(key)) for key, pair in self._pairs.items())
        return self.total(self._money.key) + sum((prices.get(p.symbol, ZERO) * qty for p, qty in coins), ZERO)
