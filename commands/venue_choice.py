"""Which venue and, at Kraken, which profile is meant: by name, or picked by the account's balance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from config.errors import Refusal
from config.reading.arguments import DEFAULT_PROFILE

if TYPE_CHECKING:
    from brokers.ports import Venue
    from config import Settings

VENUES = ("alpaca", "kraken")
KRAKEN = "kraken"


@dataclass(frozen=True, slots=True)
class Choice:
    """A profile, and the sentence that tells of it where it was picked by balance."""

    profile: str
    told: str = ""


def override(venue: str | None) -> list[tuple[str, str, Any]]:
    """What ``--venue`` stands for, as overrides for ``config.load``; Refusal for one that is not known."""
    if venue is None:
        return []
    if venue not in VENUES:
        raise Refusal(f"--venue {venue}: is not known here; write {' or '.join(VENUES)}")
    return [("--venue", "broker.venue", venue)]


def chosen_profile(
    profile: str,
    venue: str | None,
    strategy: str | None,
    budget: float | None,
    *,
    live: bool,
    settings_of: Callable[[str], Settings],
) -> Choice:
    """The profile of a run.

    A profile of the small accounts may be named as strategy too: it is the same strategy under other settings. At
    Kraken the balance picks one where none is named: ``budget`` in a rehearsal or backtest, what Kraken says when live,
    at the address and with the keys of ``settings_of`` a profile, which reads all that the user has set.

    Raises
    ------
    Refusal
        The balance is too small and nothing is held, or profile and strategy name different ones.
    """
    from config.reading.loader import load

    bounds = load().broker.kraken.profiles
    if strategy in bounds:
        if profile not in (DEFAULT_PROFILE, strategy):
            raise Refusal(f"--strategy {strategy}: is a profile, and --profile names {profile}; leave one of them out")
        return Choice(strategy)
    if venue != KRAKEN or profile != DEFAULT_PROFILE:
        return Choice(profile)
    from config.balance_profiles import dollars, profile_of, selected

    smallest = min(bounds, key=lambda name: bounds[name])
    balance = load(smallest).account.budget_usd if budget is None else budget
    if live:
        settings = settings_of(smallest)
        balance = _balance(settings)
        if balance < bounds[smallest] and _holds(settings):
            # What is held has to keep its stop and its target, whatever can be entered.
            return Choice(
                smallest, f"{dollars(balance)} are too little to enter anything; what is held is looked after"
            )
    name = profile_of(balance, bounds)
    return Choice(name, selected(name, balance))


def _balance(settings: Settings) -> float:
    """What the account is worth by Kraken's word, USD."""
    return float(_signed_in(settings).account().equity)


def _holds(settings: Settings) -> bool:
    """Whether the account has positions by Kraken's word; dust is none."""
    return bool(_signed_in(settings).positions().by_symbol)


def _signed_in(settings: Settings) -> Venue:
    from brokers.operator.account import sign_in
    from brokers.venues import open_venue

    account = open_venue(settings, paper=False)
    sign_in(account, paper=False)
    return account
