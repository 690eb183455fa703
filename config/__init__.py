"""Typed settings: base.yaml, a profile, your own overlays, single values; see ``config.reading.loader.load``.

``load``, ``profiles`` and ``Settings`` are imported when they are first asked for: they bring pydantic with them, and
a command line that only prints its help should not wait for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from config.errors import Refusal

if TYPE_CHECKING:
    from config.reading.loader import load, profiles
    from config.settings import Settings

__all__ = ["Refusal", "Settings", "load", "profiles"]
_PLACES = {"load": "config.reading.loader", "profiles": "config.reading.loader", "Settings": "config.settings"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'config' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
