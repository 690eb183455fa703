"""Which of a shock's own names a trader knows: its symbols, those of its universe, and their sectors."""

from __future__ import annotations

from collections.abc import Iterable

from config.errors import Refusal
from config.reading.error_messages import nearest, some
from market.sectors import UNCLASSIFIED
from monitoring.state import TraderState
from monitoring.whatif import Shock


def unheld(state: TraderState, shock: Shock, sectors: Iterable[str]) -> tuple[str, ...]:
    """What is known and moves, but moves nothing that is held, in words.

    Parameters
    ----------
    state : TraderState
    shock : Shock
    sectors : iterable of str
        Those that somebody wrote; a named shock moves sectors of its own, whether anything is held in them or not.

    Raises
    ------
    Refusal
        A name is of no symbol or sector that the trader knows.
    """
    universe = state.settings.get("universe", {})
    of_symbols: dict[str, str] = dict(universe.get("sectors", {}))
    held, held_sectors = {p.symbol for p in state.positions}, {p.sector for p in state.positions}
    known = {*held, *of_symbols, *universe.get("symbols", ()), str(universe.get("benchmark", ""))} - {""}
    found = []
    for symbol in shock.symbols:
        _refuse_unknown("--symbol", symbol, known, held, "held")
        if symbol not in held:
            found.append(f"{symbol} is not held, so its move changes nothing")
    for sector in sectors:
        _refuse_unknown(
            "--sector", sector, {*held_sectors, *of_symbols.values(), UNCLASSIFIED}, held_sectors, "held in"
        )
        if sector not in held_sectors:
            found.append(f"nothing is held in the sector {sector}, so its move changes nothing")
    return tuple(found)


def _refuse_unknown(option: str, name: str, known: Iterable[str], held: Iterable[str], how: str) -> None:
    names = {each.casefold(): each for each in known}
    if name in names.values():
        return
    if near := nearest(name.casefold(), names):
        raise Refusal(f"{option} {name}: is not known; did you mean {names[near]}?")
    told = f"{how} {'are' if len(set(held)) > 1 else 'is'} {some(sorted(held))}" if held else "nothing is held"
    raise Refusal(f"{option} {name}: is not known; {told}")
