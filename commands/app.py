"""``risk-first``: which commands there are and where each is; a command is imported when it is asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from commands.composition import HELP_OPTIONS, Command, invoked
from commands.options import show_version
from commands.usage import near, refused
from config.errors import Refusal, exit_status
from config.reading.former_names import FORMER_COMMANDS

PROGRAM = "risk-first"

RUNS, OPERATING, VIEWS, RESEARCH = "commands.runs", "commands.operator", "commands.views", "commands.research"
SERVICE = "commands.service"
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("commands.demo", "Show the problems this was built against, tried again."),
    "backtest": (f"{RUNS}.backtest", "Run the strategy on historical bars."),
    "rehearse": (f"{RUNS}.rehearse", "Rehearse trading against a local exchange."),
    "trade": (f"{RUNS}.trade", "Trade on paper, or real money at Alpaca or Kraken."),
    "scan": (f"{RUNS}.scan", "Decide once, say why, and send nothing."),
    "once": (f"{RUNS}.once", "Run one iteration, say why, and send its orders."),
    "lookahead": (f"{RUNS}.lookahead", "Check that no decision depends on later data."),
    "rerun": (f"{RUNS}.rerun", "Repeat a run from its folder, byte for byte."),
    "compare": (f"{RUNS}.compare", "Compare the decisions of a live run and a backtest."),
    "replay-then-paper": (f"{RUNS}.replay_then_paper", "Replay a window, then trade on paper alike."),
    "show-config": (f"{RUNS}.show_config", "Print the merged settings, secrets masked."),
    "feasibility": (f"{OPERATING}.feasibility", "Tell what an account can do before it does it."),
    "size": (f"{OPERATING}.size", "Compute how many shares an entry may have."),
    "positions": (f"{OPERATING}.positions", "Show each position, its exits, what protects it."),
    "explain": (f"{VIEWS}.explain", "Say why something was sent, resized or refused."),
    "scoreboard": (f"{VIEWS}.scoreboard", "Measure every day of a trader beside its goals."),
    "status": (f"{VIEWS}.status", "Say what is held, what may be bought, what is halted."),
    "whatif": (f"{VIEWS}.whatif", "Show the book after a shock: what exits, what halts."),
    "dashboard": (f"{VIEWS}.dashboard", "Show the trader in a browser on this machine."),
    "reconcile": (f"{OPERATING}.reconcile", "Compare the journal with the broker's account."),
    "cleanup": (f"{OPERATING}.cleanup", "Cancel all orders, sell dust, purge symbols."),
    "kill": (f"{OPERATING}.kill", "Stop entries, or sell everything: the kill switch."),
    "doctor": (f"{SERVICE}.doctor", "Check keys, account, clock, data, disk and journal."),
    "monitor": (f"{SERVICE}.monitor", "Watch sockets, threads and files of a trader."),
    "notify": (f"{SERVICE}.notify", "Show where notifications go, and try them."),
    "mcp": (f"{SERVICE}.mcp", "Let an assistant read: an MCP server over stdio."),
    "verify": (f"{OPERATING}.verify", "Check that a journal or a bundle is what was written."),
    "export": (f"{OPERATING}.export", "Write a journal as a bundle that others can check."),
    "overfit": (f"{RESEARCH}.overfit", "Judge the best of many backtests by the returns of all."),
    "optimise": (f"{RESEARCH}.optimise", "Search parameters, and say how much of the best is luck."),
    "walk-forward": (f"{RESEARCH}.walk_forward", "Choose on the past, trade the next window, and so on."),
    "monte-carlo": (f"{RESEARCH}.monte_carlo", "Compare a run with random strategies."),
    "risk-bill": (f"{RESEARCH}.risk_bill", "What each risk module cost and saved."),
    "band": (f"{RESEARCH}.band", "The result over several fill assumptions."),
    "shadow": (f"{RESEARCH}.shadow", "Follow what was refused on paper."),
    "parity": (f"{RESEARCH}.parity", "Decide again on what a live session recorded."),
    "shock": (f"{RESEARCH}.shock", "Play falls of the past on the present book."),
    "data": ("commands.data", "Fetch bars into a file, and show what a file holds."),
    "new": ("commands.developer.new", "Begin a new risk rule: its files, tests and defaults."),
}
"""Command: the module that has it under its own name (or, as a typer of its own, ``app``), and the line of the help."""


def load(name: str) -> Any:
    """The click command of that name; imports its module."""
    module = import_module(COMMANDS[name][0])
    found = getattr(module, name.replace("-", "_"), None)
    return found.click if isinstance(found, Command) else typer.main.get_command(module.app)


@cache
def available() -> tuple[str, ...]:
    """Names of the commands whose modules are there, in the order of the help."""
    return tuple(name for name, (module, _) in COMMANDS.items() if find_spec(module) is not None)


class _Deferred(TyperCommand):
    """Stands for a command in lists; the command itself is imported when it is run or completed."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        assert self.name is not None
        return load(self.name).make_context(info_name, args, parent=parent, **extra)


class _Group(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return list(available())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in available():
            return None
        return _Deferred(cmd_name, help=COMMANDS[cmd_name][1], rich_markup_mode=None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0] if args else ""
        if not ctx.resilient_parsing and name not in available():
            hint = FORMER_COMMANDS.get(name) or near(name, available())
            raise Refusal(f"{name} is not a command; {hint}")
        return super().resolve_command(ctx, args)


_app = typer.Typer(
    cls=_Group,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings=HELP_OPTIONS,
    epilog="\b\nExamples:\n  risk-first backtest\n  risk-first rehearse --profile intraday --speed 120\n"
    "  risk-first trade --scan\n  risk-first COMMAND --help",
)


@_app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=show_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Trade with the risk rules in charge: backtest, rehearse, trade and look after it.

    Each command says more with --help. Exit status: 0 done, 1 ran and failed, 2 refused the input, 3 stopped by
    the kill switch.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    group = typer.main.get_command(_app)
    if f"_{PROGRAM.upper().replace('-', '_')}_COMPLETE" in os.environ:
        # A shell asks what could be written next, or for its completion script.
        group.main([] if argv is None else list(argv), PROGRAM)
    return exit_status(lambda: refused(lambda: invoked(group, argv, PROGRAM)))


def script(name: str) -> Callable[[Sequence[str] | None], int]:
    """The ``main`` of a script that is the command ``name`` under another name."""

    def run(argv: Sequence[str] | None = None) -> int:
        return main([name, *(sys.argv[1:] if argv is None else argv)])

    return run
