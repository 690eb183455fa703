"""``size``: how many shares an entry may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.composition import command
from commands.operator.account import settings_of, signed_in
from commands.options import (
    MoneyOptions,
    ScreenOptions,
    SettingsOptions,
    StateOptions,
    VenueOptions,
    a_number,
    an_amount,
    money_of,
)
from config.errors import Refusal

if TYPE_CHECKING:
    from risk.equity_sizer import PositionSize, SizingConfig


@command(
    "risk-first size --entry 170 --stop 163 --equity 105000",
    "risk-first size --entry 170 --stop 163",
    "risk-first size --entry 170 --stop 163 --multiplier 0.5 --json",
)
def size(
    entry: Annotated[float, typer.Option(parser=a_number, metavar="USD", help="Price of the entry.")],
    stop: Annotated[float, typer.Option(parser=a_number, metavar="USD", help="Price of the stop.")],
    money: MoneyOptions,
    venue: VenueOptions,
    state: StateOptions,
    chosen: SettingsOptions,
    screen: ScreenOptions,
    equity: Annotated[
        float | None,
        typer.Option(parser=an_amount, metavar="USD", help="Value of the account (default: the account's own)."),
    ] = None,
    multiplier: Annotated[
        float | None,
        typer.Option(
            "--multiplier",
            "--cognitive-multiplier",
            "--cognitive_multiplier",
            parser=a_number,
            metavar="0..1",
            help="Scales the result down, as the meta-model does.",
        ),
    ] = None,
) -> int:
    """Compute how many shares an entry may have.

    The smaller of what may be lost at the stop (sizing.risk_frac of equity, 2%) and what the position may be worth
    (sizing.max_notional_frac, 10%, or sizing.notional_usd where that is less). A chain of risk rules can only allow
    less. The entry is a purchase, whose stop lies below it.
    """
    if stop > entry:
        # The sizer itself takes it for a short, and would count as lost what a purchase gains there.
        raise Refusal(
            f"--stop {stop:g} lies above --entry {entry:g}: the stop of a purchase lies below it; give the lower price "
            "as --stop"
        )
    from commands.screen import console, show_json
    from risk.equity_sizer import SizingConfig, calculate_position_size, notional_frac

    if equity is None:
        at, settings = signed_in(money, venue, state, chosen, screen)
        equity = float(at.account().equity)
        source = f"the {money_of(money)} account"
    else:
        settings, source = settings_of(chosen, state, venue, screen=screen), "--equity"
    limits = SizingConfig.model_validate(settings.sizing.model_dump())
    most = notional_frac(limits, equity)
    try:
        found = calculate_position_size(
            entry,
            stop,
            equity,
            limits.risk_frac,
            most,
            size_multiplier=1.0 if multiplier is None else multiplier,
            lot=limits.lot,
        )
    except ValueError as error:
        raise Refusal(_named(str(error))) from None
    if screen.json:
        show_json(_document(found, entry, stop, equity, limits))
        return 0
    printer = console(json=False)
    share = found.notional / equity
    unit = "share" if found.shares == 1 else "shares"
    printer.print(
        f"{found.shares:g} {unit} at {entry:,.2f}: {found.notional:,.2f} USD, {share:.1%} of {equity:,.2f} USD "
        f"({source}); {found.risk_dollars:,.2f} USD are lost at {stop:,.2f}",
        highlight=False,
        soft_wrap=True,
    )
    cap = f"{most:.1%}" if most == limits.max_notional_frac else f"{limits.notional_usd:,.2f} USD"
    printer.print(
        f"by risk ({limits.risk_frac:.1%}) {found.by_risk:g}, by notional ({cap}) "
        f"{found.by_notional:g}" + (f"; capped by {found.cap_reason}" if found.capped else ""),
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _named(problem: str) -> str:
    """What is wrong, under the names of the command line."""
    names = {
        "entry_price": "--entry",
        "stop_loss": "--stop",
        "account_equity": "--equity",
        "size_multiplier": "--multiplier",
    }
    for name, option in names.items():
        problem = problem.replace(name, option)
    return problem


def _document(found: PositionSize, entry: float, stop: float, equity: float, limits: SizingConfig) -> dict[str, Any]:
    return {
        "entry": entry,
        "stop": stop,
        "equity": equity,
        "risk_frac": limits.risk_frac,
        "max_notional_frac": limits.max_notional_frac,
        "notional_usd": limits.notional_usd,
        "shares": found.shares,
        "notional": found.notional,
        "risk_dollars": found.risk_dollars,
        "capped": found.capped,
        "cap_reason": found.cap_reason,
        "by_risk": found.by_risk,
        "by_notional": found.by_notional,
    }
