"""Which venue and, at Kraken, which profile is meant: by name, or picked by the account's balance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from config.errors import NoAnswer, Refusal
from config.reading.arguments import DEFAULT_PROFILE

if TYPE_CHECKING:
    from brokers.venue_values import VenueAccount, VenuePositions
    from config import Settings

VENUES = ("alpaca", "kraken")
KRAKEN = "kraken"


@dataclass(frozen=True, slots=True)
class Choice:
    """A profile, and the sentence that tells of it where it was picked by balance."""

    profile: str
    told: str = ""


@dataclass(frozen=True, slots=True)
class Funds:
    """What an account at Kraken has: equity and cash in USD, whether coins that can be sold are held, other money.

    ``unreadable`` says why equity cannot be read, empty where it can.
    """

    equity: float
    cash: float
    coins: bool = False
    foreign: tuple[str, ...] = ()
    unreadable: str = ""


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
        funds = _funds(_first_that_loads(sorted(bounds, key=lambda name: bounds[name]), settings_of))
        # What is held has to keep its stop and its target, whatever can be entered.
        if funds.unreadable and funds.coins:
            return Choice(smallest, f"{funds.unreadable}; nothing is entered, and what is held is looked after")
        if funds.unreadable:
            raise NoAnswer(f"{funds.unreadable}; try again when it can")
        balance = funds.equity
        if balance < bounds[smallest] and funds.coins:
            return Choice(
                smallest, f"{dollars(balance)} are too little to enter anything; what is held is looked after"
            )
        if funds.cash < bounds[smallest] and funds.foreign and not funds.coins:
            raise Refusal(
                f"the account holds {', '.join(funds.foreign)} and {dollars(funds.cash)}; only USD is traded: exchange "
                "it for USD at Kraken"
            )
    name = profile_of(balance, bounds)
    return Choice(name, selected(name, balance))


def _first_that_loads(profiles: Sequence[str], settings_of: Callable[[str], Settings]) -> Settings:
    """The settings that tell address and keys, with any of the profiles: which one is meant is not known yet.

    What the user has set may contradict one profile and suit another; the one that is picked is checked later.
    """
    refused: Refusal | None = None
    for name in profiles:
        try:
            return settings_of(name)
        except Refusal as refusal:
            refused = refused or refusal
    assert refused is not None
    raise refused


def _funds(settings: Settings) -> Funds:
    """What the account has by Kraken's word, asked for until it answers."""
    from brokers.desk.lifecycle.session import account_at_start
    from brokers.operator.account import account_of, silent
    from brokers.venue_errors import VenueError
    from brokers.venues import open_venue

    venue = open_venue(settings, paper=False)
    account_at_start(venue, paper=False, wait_s=settings.live.start_wait_s)
    try:
        account, unreadable = account_of(venue)
        held = venue.positions()
    except VenueError as error:
        raise NoAnswer(str(silent(venue, error))) from None
    return funds_of(account, held, unreadable)


def funds_of(account: VenueAccount, held: VenuePositions, unreadable: str = "") -> Funds:
    """What the account has, as the venue tells it."""
    return Funds(
        equity=float(account.equity),
        cash=float(account.cash),
        coins=bool(held.by_symbol),
        foreign=tuple(f"{there.normalize():f} {name}" for name, there in held.other_money.items()),
        unreadable=unreadable,
    )
