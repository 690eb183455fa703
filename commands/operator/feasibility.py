"""``feasibility``: what an account of a balance can trade, what it costs, and how often it has to be right."""

from __future__ import annotations

import math
import os
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from commands.composition import command, gathered
from commands.options import KeyOptions, ScreenOptions, SettingsOptions
from commands.venue_choice import KRAKEN, VENUES, override
from config.errors import Refusal
from config.reading.arguments import DEFAULT_PROFILE

if TYPE_CHECKING:
    from brokers.kraken.answers.fees import Fees
    from brokers.venue_values import TradeTerms
    from config import Settings

HUNDRED = Decimal(100)
SMALLEST_PERCENT = Decimal("0.01")


@command(
    "risk-first feasibility --venue kraken --balance 50",
    "risk-first feasibility --venue kraken --balance 200 --fees 0.25,0.40 --json",
)
def feasibility(
    balance: Annotated[float, typer.Option(metavar="USD", help="What the account is worth.")],
    chosen: SettingsOptions,
    keys: KeyOptions,
    screen: ScreenOptions,
    fees: Annotated[
        str | None, typer.Option(metavar="MAKER,TAKER", help="Fees in percent, e.g. 0.25,0.40 (default: asked for).")
    ] = None,
) -> int:
    """Tell what an account can do before it does it.

    Minimums come from the venue, and the fees of this account too, which needs its keys; --fees stands in for them.
    No fee is ever assumed.

    Exit status: 0 done, 2 refused the input, or the balance is below the smallest profile or all minimums.
    """
    from brokers.operator.feasibility import feasibility as report
    from commands.screen import show_json
    from config.reading.loader import load

    if not math.isfinite(balance):
        raise Refusal(f"--balance {balance}: write an amount in USD, e.g. 50")
    venue = chosen.venue or VENUES[0]
    stated, options = override(venue), gathered(chosen, keys)
    given = None if fees is None else fees_of(fees)
    profile, notes = chosen.profile, list[str]()
    if venue == KRAKEN and profile == DEFAULT_PROFILE:
        from config.balance_profiles import profile_of

        profile = profile_of(balance, load().broker.kraken.profiles)
    environment = _environment(options)
    settings = load(profile, options["config"], options["set_"], arguments=stated, environment=environment)
    terms, told = _terms(settings, given, notes)
    result = report(venue, settings, balance, terms, told, profile, notes)
    if screen.json:
        show_json(result.document())
    else:
        for line in result.lines():
            typer.echo(line)
    return 0 if result.possible else 2


def fees_of(text: str) -> tuple[Decimal, Decimal]:
    """Maker and taker as fractions of 1, from percent as venues state them."""
    try:
        maker, taker = (Decimal(part.strip()) for part in text.split(","))
    except (ValueError, InvalidOperation):
        raise Refusal(f"--fees {text}: write MAKER,TAKER in percent, e.g. 0.25,0.40") from None
    if not all(0 <= fee < 10 for fee in (maker, taker)) or 0 < taker < SMALLEST_PERCENT:
        raise Refusal(f"--fees {text}: write percent, e.g. 0.40 for a fee of 0.40%")
    return maker / HUNDRED, taker / HUNDRED


def _environment(options: dict[str, object]) -> dict[str, str]:
    from config.reading.dotenv import with_keys
    from config.values.secrets import Secrets

    return dict(with_keys(os.environ, options.get("dotenv"), frozenset(Secrets.model_fields)))  # type: ignore[arg-type]  # a path


def _terms(
    settings: Settings, fees: tuple[Decimal, Decimal] | None, notes: list[str]
) -> tuple[list[TradeTerms], tuple[Decimal, Decimal]]:
    """Terms of the universe, and the fees that win rates are computed with."""
    from brokers.venue_errors import VenueError
    from brokers.venues import open_venue, public_kraken

    symbols = settings.universe.traded
    try:
        if settings.broker.venue == KRAKEN and fees is not None:
            terms = public_kraken(settings).terms(symbols, _as_fees(fees))
        else:
            terms = open_venue(settings, paper=settings.broker.venue != KRAKEN).terms(symbols)
    except VenueError as error:
        if fees is None:
            raise Refusal(f"the venue does not tell minimums and fees ({error}); give --fees, or try again") from None
        notes.append(f"minimums are not known, the venue does not answer ({error})")
        return [], fees
    dearest = max(((term.maker, term.taker) for term in terms), key=lambda pair: pair[1], default=(Decimal(0),) * 2)
    return terms, fees or dearest


def _as_fees(fees: tuple[Decimal, Decimal]) -> Fees:
    from brokers.kraken.answers.fees import Fees

    return Fees(*fees)
