"""Imports that wait until something of them is used: for packages that other people's modules import and hardly use."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


class Later(ModuleType):
    """Stands for a module that is imported at the first use of something in it."""

    def __getattr__(self, attribute: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), attribute)


@contextmanager
def standing_in(*groups: Mapping[str, ModuleType]) -> Iterator[None]:
    """Let modules stand where others are imported from, each group where nothing of it is loaded yet.

    After the context whoever imports them gets the real ones; what was imported in it keeps what it got.
    """
    put: dict[str, ModuleType] = {}
    for group in groups:
        if not group.keys() & sys.modules.keys():
            put |= group
    sys.modules.update(put)
    try:
        yield
    finally:
        for name, module in put.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
