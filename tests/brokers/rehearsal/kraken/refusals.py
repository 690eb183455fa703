"""How each of Kraken's refusals is met."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.brokers.rehearsal.kraken.account import UUID, Account

Scene = Callable[[], tuple[Account, Callable[[], Any]]]


def _adding(prepare: Callable[[Account], Any] | None = None, settings: Any = None, **given: Any) -> Scene:
    def scene() -> tuple[Account, Callable[[], Any]]:
        account = Account(**(settings or {}))
        if prepare is not None:
            prepare(account)
        return account, lambda: account.answer(**given)

    return scene


def _many(count: int, tier: str = "starter") -> Scene:
    """So many orders at once, in one pair."""

    def scene() -> tuple[Account, Callable[[], Any]]:
        account = Account(tier=tier, cash_usd=Decimal(100_000))

        def ask() -> None:
            for _ in range(count):
                account.add("buy", "limit", "0.0001", price="50000")

        return account, ask

    return scene


def _slowly(account: Account) -> None:
    """As many open orders as a Starter may have in a pair, without haste."""
    for _ in range(60):
        account.add("buy", "limit", "0.0001", price="50000")
        account.wait(5)


STOP = {"side": "sell", "ordertype": "stop-loss"}
LIMIT = {"side": "buy", "ordertype": "limit"}
ERRORS: dict[str, Scene] = {
    "EOrder:Insufficient funds": _adding(**LIMIT, volume="1", price="80000"),
    "EOrder:Order minimum not met": _adding(volume="0.00001"),
    "EOrder:Cost minimum not met": _adding(**LIMIT, volume="0.0001", price="100"),
    "EOrder:Tick size check failed": _adding(
        lambda account: account.coarse_ticks(), **LIMIT, volume="0.001", price="80000.1"
    ),
    "EOrder:Invalid price": _adding(**LIMIT, price="88110.04"),
    "EOrder:Post only order": _adding(**LIMIT, price="90000.1", oflags="post"),
    "EOrder:Rate limit exceeded": _many(61),
    "EOrder:Orders limit exceeded": _adding(
        _slowly, {"tier": "starter", "cash_usd": Decimal(100_000)}, **LIMIT, price="50000"
    ),
    "EOrder:Unknown order": lambda: ((a := Account()), lambda: a.cancel("OAAAAA-BBBBB-CCCCCC")),
    "EQuery:Unknown asset pair": _adding(pair="NOSUCH"),
    "EGeneral:Invalid arguments": lambda: ((a := Account()), lambda: a.trading.cancel_order({})),
    "EGeneral:Invalid arguments:volume": _adding(volume="0.000000001"),
    "EGeneral:Invalid arguments:ordertype": _adding(ordertype="trailing_stop"),
    "EGeneral:Invalid arguments:price": _adding(**STOP),
    "EGeneral:Invalid arguments:price2": _adding(side="sell", ordertype="stop-loss-limit", price="80000"),
    "EGeneral:Invalid arguments:type": _adding(side="hold"),
    "EGeneral:Invalid arguments:oflags": _adding(oflags="fcib,fciq"),
    "EGeneral:Invalid arguments:viqc": _adding(**LIMIT, price="80000", oflags="viqc"),
    "EGeneral:Invalid arguments:timeinforce": _adding(**LIMIT, price="80000", timeinforce="DAY"),
    "EGeneral:Invalid arguments:expiretm": _adding(**LIMIT, price="80000", timeinforce="GTD"),
    "EGeneral:Invalid arguments:reduce_only": _adding(reduce_only="true"),
    "EGeneral:Invalid arguments:leverage": _adding(leverage="2:1"),
    "EGeneral:Invalid arguments:userref": _adding(userref="4294967296"),
    "EGeneral:Invalid arguments:trigger": _adding(**STOP, price="80000", trigger="mark"),
    "EGeneral:Invalid arguments:cl_ord_id": _adding(cl_ord_id="longer-than-eighteen-characters"),
    "EGeneral:Invalid arguments:cl_ord_id not unique": _adding(
        lambda account: account.add(**LIMIT, price="80000", cl_ord_id=UUID), **LIMIT, price="80000", cl_ord_id=UUID
    ),
    "EGeneral:Invalid arguments:close[price]": _adding(close={"ordertype": "stop-loss"}),
    "EGeneral:Invalid arguments:close[ordertype]": _adding(close={"ordertype": "market", "price": "80000"}),
    "EGeneral:Invalid arguments:deadline": _adding(deadline="2026-11-28T20:00:00Z"),
    "EService:Deadline elapsed": _adding(deadline="2026-11-28T18:59:59Z"),
    "EService:Unavailable": _adding(lambda account: account.exchange.set_status("maintenance")),
    "EService:Market in cancel_only mode": _adding(lambda account: account.exchange.set_status("cancel_only")),
    "EService:Market in post_only mode": _adding(lambda account: account.exchange.set_status("post_only")),
}
"""Texts, and scenes in which they are said."""
BY_WIRE = {"EAPI:Invalid key", "EAPI:Invalid signature", "EAPI:Invalid nonce", "EAPI:Rate limit exceeded"}
BY_FAULT = BY_WIRE | {
    "EGeneral:Permission denied", "EGeneral:Internal error", "EGeneral:Temporary lockout", "EService:Busy",
}  # fmt: skip
"""What is said over the wire alone, or in the words of a fault."""
