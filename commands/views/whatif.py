"""``whatif``: the book after a shock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.composition import command
from commands.operator.account import settings_of
from commands.options import KeyOptions, ScreenOptions, SettingsOptions, StateOptions
from commands.runs.replayed import EndOptions, end_of_run, refuse_beside_run
from config.errors import Refusal
from config.values.counting import plain_digits, signed
from config.values.markets import NEW_YORK_ZONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitoring.state import TraderState
    from monitoring.whatif import Shock, ShockedPosition, WhatIf

NAMED = "NAME=-20%"


@command(
    "risk-first whatif --market -10%",
    "risk-first whatif --shock pandemic_2020",
    "risk-first whatif --market -2% --sector semis=-15% --symbol NVDA=-25% --json",
    "risk-first whatif --market -10% --run runs/backtest-active-2013-01-02",
)
def whatif(
    state: StateOptions,
    chosen: SettingsOptions,
    keys: KeyOptions,
    screen: ScreenOptions,
    end: EndOptions,
    market: Annotated[
        str | None, typer.Option(metavar="PERCENT", help="Move of the market, e.g. -10%; each symbol by its beta.")
    ] = None,
    shock: Annotated[str | None, typer.Option(metavar="NAME", help="A named shock; --shock list shows them.")] = None,
    sector: Annotated[list[str], typer.Option(metavar=NAMED, help="A sector that moves on its own.")] = [],  # noqa: B006  # typer copies it
    symbol: Annotated[list[str], typer.Option(metavar=NAMED, help="A symbol that moves on its own.")] = [],  # noqa: B006  # typer copies it
) -> int:
    """Show the book after a shock: what exits, what halts.

    Of what the trader holds: each position moves by its beta to the benchmark, measured from the trader's own bars,
    inverse funds against it by their leverage. Equity is told twice: if the market falls step by step, so that stops
    fill at their levels, and if it opens there at once, so that they fill beyond. It reads the state folder alone.
    With --run it is what a backtest held at its end, and betas are those of its bars.

    Exit status: 0 done, 2 refused the input.
    """
    refuse_beside_run(end, state, chosen)
    from commands.screen import console, show_json
    from monitoring.shock_names import unheld
    from monitoring.whatif import named_shocks, what_if

    printer = console(screen.json)
    if shock == "list":
        for name, found in named_shocks().items():
            printer.print(f"{name}: market {found.market:+.2%}, {found.told}", highlight=False)
        return 0
    wanted = _shock(market, shock, sector, symbol)
    told = ""
    if end.run is None:
        held, closes = _of_trader(state, chosen, keys, screen)
    else:
        over = end_of_run(end, keys, screen)
        held, closes, told = over.state, over.closes, over.state.ended
    idle = unheld(held, wanted, [text.partition("=")[0] for text in sector])
    answer = what_if(held, wanted, closes)
    if screen.json:
        show_json({**document(answer), "moves_nothing": idle})
        return 0
    if told:
        printer.print(told, style="yellow", highlight=False)
    for words in idle:
        printer.print(words, style="yellow", highlight=False)
    _print(answer, printer)
    return 0


def _of_trader(
    state: StateOptions, chosen: SettingsOptions, keys: KeyOptions, screen: ScreenOptions
) -> tuple[TraderState, Mapping[str, Mapping[int, float]]]:
    """What a trader holds, and the closes of its bars."""
    from monitoring.market_view import VIEW_FILE, MarketView
    from monitoring.state import STATE_FILE, read_state
    from monitoring.whatif import BETA_BARS

    folder = Path(settings_of(chosen, state, keys, screen=screen).live.state_dir)
    held = read_state(folder / STATE_FILE)
    if held is None:
        raise Refusal(f"{folder}: no trader has written here; name the state folder of one with --state-dir, or --run")
    names = {p.symbol for p in held.positions} | {str(held.settings["universe"]["benchmark"])}
    return held, MarketView(folder / VIEW_FILE).closes(names, BETA_BARS + 1)


def document(answer: WhatIf) -> dict[str, Any]:
    """The answer for programs."""
    from dataclasses import asdict

    return {
        "shock": asdict(answer.shock),
        "equity": answer.equity,
        "equity_as_of": answer.equity_time,
        "equity_step_by_step": answer.equity_at_level,
        "equity_at_once": answer.equity_at_once,
        "positions": [asdict(p) for p in answer.positions],
        "fired": [p.symbol for p in answer.fired],
        "halts": answer.halts,
        "limits": [{**asdict(x), "left": x.left} for x in answer.limits],
    }


def _shock(market: str | None, name: str | None, sectors: list[str], symbols: list[str]) -> Shock:
    from dataclasses import replace

    from config.values.symbols import spelled
    from monitoring.whatif import Shock, named_shocks

    if name is not None and market is not None:
        raise Refusal("--market and --shock both say how far the market moves; give one of them")
    if name is None and market is None and not sectors and not symbols:
        raise Refusal(
            "whatif needs a shock: --market -10%, --shock NAME, --sector or --symbol; --shock list shows names"
        )
    if name is None:
        base = Shock("as given", 0.0 if market is None else fraction("--market", market))
    else:
        known = named_shocks()
        if name not in known:
            raise Refusal(f"--shock {name}: is not known; there are {', '.join(known)}")
        base = known[name]
    own = dict(_named("--sector", text) for text in sectors)
    single = {spelled(key): value for key, value in (_named("--symbol", text) for text in symbols)}
    return replace(base, sectors={**base.sectors, **own}, symbols=single)


def _named(option: str, text: str) -> tuple[str, float]:
    key, sign, value = text.partition("=")
    if not (key and sign):
        raise Refusal(f"{option} {text}: write {NAMED}")
    return key, fraction(f"{option} {key}", value)


def fraction(option: str, text: str) -> float:
    """A move as people write it: ``-10%``, ``-10`` is refused, ``-0.1`` is a fraction.

    Raises
    ------
    Refusal
    """
    raw = text.strip()
    try:
        value = float(raw.removesuffix("%")) / (100 if raw.endswith("%") else 1)
    except ValueError:
        raise Refusal(f"{option} {text}: is no move; write a percentage such as -10%") from None
    if not -1 < value <= 2:
        raise Refusal(f"{option} {text}: would be {value:+.0%}; write a percentage above -100%, such as -10%")
    return value


def _print(answer: WhatIf, printer: Any) -> None:
    from monitoring.record_table import Column, RecordTable

    shock = answer.shock
    printer.print(f"Market {signed(shock.market, '.2%')}" + (f" ({shock.told})" if shock.told else ""), highlight=False)
    table = RecordTable(
        [
            Column("symbol"),
            Column("quantity", right=True),
            Column("price", right=True),
            Column("moves", right=True),
            Column("because", prose=True),
            Column("price after", right=True),
            Column("exit"),
            Column("USD step by step", right=True),
            Column("USD at once", right=True),
        ]
    )
    for p in answer.positions:
        table.add(
            _named_position(p),
            plain_digits(p.quantity),
            f"{p.price:,.2f}",
            signed(p.moved, ".1%"),
            p.why,
            f"{p.price_after:,.2f}",
            _exit(p),
            signed(p.at_level, ",.2f"),
            signed(p.at_once, ",.2f"),
        )
    printer.print(table if answer.positions else "Nothing is held.")
    if answer.equity_time is not None:
        seen = f"{answer.equity_time.astimezone(NEW_YORK_ZONE):%H:%M:%S}"
        printer.print(f"Equity and cash are as of {seen}, positions of later.", highlight=False)
    for word, after in (
        ("step by step, stops fill at their levels", answer.equity_at_level),
        ("at once, stops fill beyond them", answer.equity_at_once),
    ):
        change = signed(after / answer.equity - 1 if answer.equity else 0.0, ".2%")
        printer.print(f"Equity {answer.equity:,.2f} → {after:,.2f} USD ({change}), {word}", highlight=False)
    fired = ", ".join(f"{_named_position(p)} ({_exit(p)})" for p in answer.fired) or "none"
    printer.print(f"Exits that fire: {fired}", highlight=False)
    printer.print(f"Halts that begin: {', '.join(answer.halts) or 'none'}", highlight=False)
    printer.print("Rules that trim or exit by indicators are not played; betas are of the past.", style="dim")


def _named_position(p: ShockedPosition) -> str:
    return f"{p.symbol} by hand" if p.owner == "manual" else p.symbol


def _exit(p: ShockedPosition) -> str:
    part = f", {plain_digits(p.sold)} of {plain_digits(abs(p.quantity))}" if p.left else ""
    return f"{p.exit}{part}" if p.exit else "stays"
