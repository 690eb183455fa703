"""``mcp``: an assistant may ask about a trader."""

from __future__ import annotations

from pathlib import Path

from commands.composition import command
from commands.operator.account import settings_of
from commands.operator.places import journal_of
from commands.options import KeyOptions, ScreenOptions, SettingsOptions, StateOptions


@command("risk-first mcp --state-dir state", "risk-first mcp --state-dir runs/rehearse-active-2022-05-06/state")
def mcp(state: StateOptions, chosen: SettingsOptions, keys: KeyOptions, screen: ScreenOptions) -> int:
    """Let an assistant read: an MCP server over stdio.

    Tools: status, positions, explain, decisions, trades, scoreboard, whatif. All of them read the state folder and the
    journal; none sends an order, and the process has no broker to send one with. It needs no keys: start it without
    them. The assistant starts it by itself, with this command line in its settings.

    Exit status: 0 the assistant has gone, 2 refused the input.
    """
    import warnings

    from commands.service.mcp_server import TraderTools, server_of
    from config.values.masker import Masker

    settings = settings_of(chosen, state, keys, screen=screen)
    folder, journal = Path(settings.live.state_dir), journal_of(settings)
    with warnings.catch_warnings():
        # The library's own settings warn of themselves.
        warnings.simplefilter("ignore")
        server = server_of(TraderTools(folder, journal, Masker.of(settings.secrets)))
    server.run("stdio")
    return 0
