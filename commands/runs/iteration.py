"""What ``scan`` and ``once`` share: one iteration on the data, or on an account, that is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.composition import gathered
from commands.options import money_of
from commands.runs.request import RunArguments, start
from config.errors import Refusal

if TYPE_CHECKING:
    from backtests.request import Mode


@dataclass(frozen=True, kw_only=True)
class WhereOptions:
    """Where the iteration takes place."""

    backtest: Annotated[bool, typer.Option("--backtest", help="On historical bars (default).")] = False
    rehearse: Annotated[bool, typer.Option("--rehearse", help="On the exchange of this machine.")] = False
    paper: Annotated[bool, typer.Option("--paper", help="On the paper account.")] = False
    live: Annotated[bool, typer.Option("--live", help="On the account with real money.")] = False


def iterate(where: WhereOptions, *groups: Any, scan: bool) -> int:
    """Run one iteration; returns the exit status."""
    named: list[Mode] = []
    if where.backtest:
        named.append("backtest")
    if where.rehearse:
        named.append("rehearse")
    if len(named) > 1 or (named and (where.paper or where.live)):
        raise Refusal("argument --backtest: one place only; give one of --backtest, --rehearse, --paper and --live")
    if where.paper or where.live:
        named.append(money_of(where))
    mode: Mode = named[0] if named else "backtest"
    return start(RunArguments(**gathered(*groups), mode=mode, once=not scan, scan=scan))
