"""Lumibot's ``parameters`` of the strategy: which there are, and the settings they ask for."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from config import Refusal, Settings, load
from config.reading.error_messages import closest
from config.reading.former_names import former_setting

READ = ("profile", "config", "set", "settings", "submit")
"""What a user may pass."""
_ALSO_READ = {"session", "cash_financing"}
"""What our own command passes, and what Lumibot reads itself."""


def refuse_unknown(strategy: type[Any], names: Iterable[str], subclassed: bool) -> None:
    """Refuse parameters that nobody reads.

    A subclass may read whatever it likes. Of what it doesn't declare, in its class attribute ``parameters`` or as
    arguments of ``initialize``, only what looks as if it were meant for the package is refused.
    """
    declared = {name for cls in strategy.__mro__ for name in vars(cls).get("parameters") or ()}
    known = {*READ, *_ALSO_READ, *declared, *inspect.signature(strategy.initialize).parameters}
    for name in names:
        if name in known:
            continue
        keys = [key for key in _keys(load().as_dict()) if name in (key, key.rpartition(".")[2])]
        if subclassed and not keys and not difflib.get_close_matches(name, READ):
            continue
        hint = f"write {' or '.join(map(_as_setting, keys))}" if keys else closest(name, READ)
        own = "; a parameter of the subclass belongs into its class attribute parameters" if subclassed else ""
        raise Refusal(f"parameters: {name} is not read by {strategy.__name__}; {hint}{own}")


def settings_from(parameters: Mapping[str, Any]) -> Settings:
    """The settings a Lumibot user's ``parameters`` ask for."""
    settings = parameters.get("settings")
    if isinstance(settings, Settings):
        return settings
    files, overrides = parameters.get("config", ()), parameters.get("set", {})
    settings = load(
        profile=parameters.get("profile", "active"),
        files=[files] if isinstance(files, str | Path) else files,
        overrides=[overrides] if isinstance(overrides, str) else overrides,
    )
    if settings.provenance.chosen("account.budget_usd"):
        raise Refusal(
            f"{settings.source_of('account.budget_usd')}: account.budget_usd is not read in a script of your own; "
            "take it out and pass budget= to backtest()"
        )
    return settings


def _as_setting(key: str) -> str:
    return f'{{"set": {{"{key}": ...}}}}'


def _keys(section: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, value in section.items():
        yield f"{above}{name}"
        if isinstance(value, Mapping):
            yield from _keys(value, f"{above}{name}.")


def refuse_former_attributes(strategy: type[Any], base: type[Any]) -> None:
    """Refuse a subclass that sets what other programs have as class attributes, and nobody reads here.

    A constant of the subclass's own is its business, unless it is called like a setting.

    Raises
    ------
    Refusal
        Names the attribute and the setting to use.
    """
    for cls in strategy.__mro__[: strategy.__mro__.index(base)]:
        for name in vars(cls):
            if not name.isupper() or name.startswith("_"):
                continue
            if meant := former_setting(name) or _setting_called(name.lower()):
                raise Refusal(f"{cls.__name__}.{name}: is not read; set {meant} through parameters or --set")


def _setting_called(name: str) -> str:
    """The dotted key of the setting with that name; empty if there is none."""
    return next((key for key in _keys(load().as_dict()) if key.rpartition(".")[2] == name), "")
