"""Lists that are edited by name: ``risk.chain+=trailing_stop`` adds one, ``risk.chain-=stale_exit`` takes one out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from config.errors import Refusal
from config.reading.error_messages import closest

EDITABLE = ("risk.chain", "signals.enabled", "universe.symbols", "gate.restricted", "live.adopt")
"""Dotted keys of the lists that can be edited."""
LAST = ("cash_buffer",)
"""Rules that see what the others left: what is added to the chain goes before the first of them."""


def split(key: str) -> tuple[str, str]:
    """A key and the edit that it asks for, ``+`` or ``-``; empty for a plain key."""
    return (key[:-1].rstrip(), key[-1]) if key.endswith(("+", "-")) else (key, "")


def edited(key: str, edit: str, present: Any, value: Any, source: str) -> list[Any]:
    """The list after an edit.

    Parameters
    ----------
    key : str
        Dotted key of the list.
    edit : {"+", "-"}
    present : list
        What the settings below say.
    value : str or list of str
        What is added, or taken out.
    source : str
        Who asks for it, for the message.

    Raises
    ------
    Refusal
        The key is no list that can be edited, a name is there already, or is not there.
    """
    if key not in EDITABLE or not isinstance(present, list):
        raise Refusal(f"{source}: {key}{edit}= edits no list; {closest(key, EDITABLE)}")
    names: Sequence[Any] = value if isinstance(value, list) else [value]
    result = list(present)
    for name in names:
        if edit == "+":
            if name in result:
                raise Refusal(f"{source}: {key}+= {name}: it is there already; take the addition out")
            place = next((n for n, known in enumerate(result) if known in LAST), len(result))
            result.insert(place if key == "risk.chain" else len(result), name)
        elif name in result:
            result.remove(name)
        else:
            raise Refusal(f"{source}: {key}-= {name}: it is not there; {closest(str(name), map(str, result))}")
    return result
