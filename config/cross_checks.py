"""Settings that are fine one by one and make no sense together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from config.schema import Sections
from config.values.addresses import on_loopback
from config.values.markets import NEW_YORK_EQUITY_MARKETS, NEW_YORK_HOURS, T_BILL_FUNDS
from config.values.symbols import in_other_money, is_money

ROUNDING = 1e-9
MOST_RISK_FRAC = 0.1
"""Of equity, that one position may lose at its stop. The profiles that trade risk 0.02, and never more than they put
into a position; 1 is how a percentage is written.
"""


class ImpossibleCombination(ValueError):
    """Settings that are fine one by one and contradict each other.

    Parameters
    ----------
    message : str
        What contradicts what, and the way out.
    keys : tuple of str
        The dotted keys involved, so that the loader can name where each was set.
    """

    def __init__(self, message: str, *keys: str) -> None:
        super().__init__(message)
        self.keys = keys


def contradictions(settings: Sections, trades: bool = True) -> Iterator[ImpossibleCombination]:
    """Every contradiction in the settings, the most basic first.

    Who does not trade by them has no venue of its own, so that any speed of a trader's is right.
    """
    yield from _repeated_names(settings)
    yield from _selection(settings)
    yield from _risk_of_a_percentage(settings)
    yield from _gate_below_sizing(settings)
    yield from _fractional_lots(settings)
    yield from _unreachable_windows(settings)
    if trades:
        yield from _faster_than_real_time(settings)
    yield from _parked_cash(settings)
    yield from _other_money(settings)


def _other_money(settings: Sections) -> Iterator[ImpossibleCombination]:
    """Coins at Kraken are bought for USD alone."""
    # Commands that look at Kraken with another profile have shares in theirs, which nobody asks it for.
    if settings.broker.venue != "kraken":
        return
    other = [symbol for symbol in settings.universe.symbols if in_other_money(symbol)]
    money = [symbol for symbol in settings.universe.symbols if is_money(symbol)]
    if money:
        yield ImpossibleCombination(
            f"{', '.join(money)}: what the account has in other money is no position at Kraken; leave "
            f"{'it' if len(money) == 1 else 'them'} out",
            "universe.symbols",
        )
    elif other:
        yield ImpossibleCombination(
            f"{', '.join(other)}: only pairs against USD are traded at Kraken; write {other[0].partition('/')[0]}/USD",
            "universe.symbols",
        )


def _repeated_names(settings: Sections) -> Iterator[ImpossibleCombination]:
    lists = {
        "universe.symbols": settings.universe.symbols,
        "signals.enabled": settings.signals.enabled,
        "risk.chain": settings.risk.chain,
        "pace.windows": settings.pace.windows,
    }
    for key, names in lists.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield ImpossibleCombination(f"{key} names {name} twice; name it once", key)


def _selection(settings: Sections) -> Iterator[ImpossibleCombination]:
    chosen = settings.selection
    if chosen.execute > chosen.watch_list:
        yield ImpossibleCombination(
            f"selection.execute is {chosen.execute} but selection.watch_list is only {chosen.watch_list}; "
            "the executed are picked from the watch list, so raise watch_list or lower execute",
            "selection.execute",
            "selection.watch_list",
        )
    if chosen.a_plus_score < chosen.min_confidence * 100 - ROUNDING:
        yield ImpossibleCombination(
            f"selection.a_plus_score is {chosen.a_plus_score:g}, below the entry threshold of "
            f"{chosen.min_confidence * 100:g} that selection.min_confidence {chosen.min_confidence:g} sets; "
            "raise a_plus_score or lower min_confidence",
            "selection.a_plus_score",
            "selection.min_confidence",
        )


def _risk_of_a_percentage(settings: Sections) -> Iterator[ImpossibleCombination]:
    """A cap on the loss at the stop that holds nothing; a smaller cap on the position's value may hold instead."""
    sizing = settings.sizing
    if sizing.risk_frac > MOST_RISK_FRAC <= sizing.max_notional_frac:
        yield ImpossibleCombination(
            f"sizing.risk_frac is {sizing.risk_frac:g}, so that one position might lose {sizing.risk_frac:.0%} of the "
            f"account at its stop; write {sizing.risk_frac / 100:g} for {sizing.risk_frac:g}%, at most "
            f"{MOST_RISK_FRAC:g} ({MOST_RISK_FRAC:.0%}), or let sizing.max_notional_frac be less than that",
            "sizing.risk_frac",
            "sizing.max_notional_frac",
        )


def _gate_below_sizing(settings: Sections) -> Iterator[ImpossibleCombination]:
    size = settings.sizing.max_notional_frac
    limits = {
        "gate.max_order_notional_frac": settings.gate.max_order_notional_frac,
        "gate.max_day_notional_frac": settings.gate.max_day_notional_frac,
    }
    for key, limit in limits.items():
        if limit < size:
            yield ImpossibleCombination(
                f"{key} is {limit:g}, below sizing.max_notional_frac {size:g}, so that full-size entries would "
                "all be refused; raise the first or lower the second",
                key,
                "sizing.max_notional_frac",
            )
    wanted = settings.sizing.notional_usd
    amounts = {
        "gate.max_order_notional_usd": settings.gate.max_order_notional_usd,
        "gate.max_day_notional_usd": settings.gate.max_day_notional_usd,
    }
    for key, amount in amounts.items():
        if wanted is not None and amount is not None and amount < wanted:
            yield ImpossibleCombination(
                f"{key} is {amount:g}, below sizing.notional_usd {wanted:g}, so that full-size entries would all be "
                "refused; raise the first or lower the second",
                key,
                "sizing.notional_usd",
            )


def _fractional_lots(settings: Sections) -> Iterator[ImpossibleCombination]:
    """A bracket needs whole shares: the venue takes fractions in plain day orders only, which protect nothing."""
    shares = [symbol for symbol in settings.universe.traded if "/" not in symbol]
    if settings.pace.market not in NEW_YORK_EQUITY_MARKETS or not shares:
        return
    lots: dict[str, object] = {"sizing.lot": settings.sizing.lot}
    rules = settings.risk.modules.items()
    lots |= {f"risk.modules.{name}.lot": section["lot"] for name, section in rules if "lot" in section}
    for key, lot in lots.items():
        if isinstance(lot, float) and lot % 1:
            yield ImpossibleCombination(
                f"{key} is {lot:g}, but {shares[0]} is a share, and brackets rest for whole shares only; write 1",
                key,
                "universe.symbols",
            )


def _unreachable_windows(settings: Sections) -> Iterator[ImpossibleCombination]:
    pace = settings.pace
    if pace.windows and pace.sleeptime.endswith("D"):
        yield ImpossibleCombination(
            f'pace.windows needs several iterations a day but pace.sleeptime is "{pace.sleeptime}"; '
            'write e.g. "5M" or empty the windows',
            "pace.windows",
            "pace.sleeptime",
        )
    opening, closing = NEW_YORK_HOURS
    if pace.market in NEW_YORK_EQUITY_MARKETS:
        for window in pace.windows:
            if not opening <= window < closing:
                yield ImpossibleCombination(
                    f'pace.windows has "{window}" but {pace.market} trades from {opening} to {closing} New York '
                    "time; choose a time in between",
                    "pace.windows",
                    "pace.market",
                )


def _faster_than_real_time(settings: Sections) -> Iterator[ImpossibleCombination]:
    alpaca, kraken = settings.broker.alpaca, settings.broker.kraken
    addresses: tuple[str | None, ...] = (alpaca.trading_url, alpaca.data_url, alpaca.stream_url)
    way, key = "--alpaca-url, at Kraken with broker.venue and broker.kraken.url", "broker.alpaca.trading_url"
    if settings.broker.venue == "kraken":
        addresses, way, key = (kraken.url,), "broker.kraken.url", "broker.kraken.url"
    if settings.pace.speed != 1 and not all(url is not None and on_loopback(url) for url in addresses):
        yield ImpossibleCombination(
            f"pace.speed is {settings.pace.speed:g}, but time passes faster only at a venue on loopback; give its "
            f"address with {way}, or leave pace.speed at 1",
            "pace.speed",
            key,
        )


def _parked_cash(settings: Sections) -> Iterator[ImpossibleCombination]:
    """A fund that counts as cash passes limits that hold entries: it can't be one."""
    funds = settings.policy_gate.cash_funds
    for fund in sorted(set(funds) - T_BILL_FUNDS):
        yield ImpossibleCombination(
            f"gate.cash_funds has {fund}, which is not known as a T-bill fund: it would be bought past the limits of "
            f"entries; name one of {', '.join(sorted(T_BILL_FUNDS))}",
            "gate.cash_funds",
        )
    for fund in funds:
        if fund in settings.universe.traded:
            yield ImpossibleCombination(
                f"gate.cash_funds has {fund}, which universe.symbols trades as well; take it out of one of them",
                "gate.cash_funds",
                "universe.symbols",
            )
    if "cash_sweep" not in settings.risk.chain:
        return
    parked = settings.risk.modules.get("cash_sweep", {}).get("funds", ())
    for fund in parked:
        if fund not in funds:
            yield ImpossibleCombination(
                f"risk.modules.cash_sweep.funds has {fund}, which gate.cash_funds lacks, so that the gate would refuse "
                "it; leave gate.cash_funds at null, or add it there",
                "gate.cash_funds",
                "risk.modules.cash_sweep.funds",
            )
