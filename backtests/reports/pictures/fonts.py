"""Fonts that are read once: matplotlib goes back to the file dozens of times for each letter that it lays out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any


class _FontsInMemory(ModuleType):
    """Stands for ``matplotlib.ft2font`` where fonts are opened; everything but that is the module's own."""

    def __init__(self, real: ModuleType) -> None:
        super().__init__(real.__name__)
        self._real = real
        self._content = cache(lambda path: Path(path).read_bytes())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def FT2Font(self, file: Any, *args: Any, **named: Any) -> Any:  # noqa: N802  # the name of what it stands for
        # The last resort, a font of boxes, is opened with each other one and not read.
        if isinstance(file, str) and not named.get("_warn_if_used"):
            file = BytesIO(self._content(file))
        return self._real.FT2Font(file, *args, **named)


@contextmanager
def fonts_in_memory() -> Iterator[None]:
    """Draw PNG and SVG in it, which ask no font for its file's name as PDF does; a copy of the process does so too.

    A matplotlib that opens its fonts in another way does as it does.
    """
    from matplotlib import font_manager

    manager: Any = font_manager
    real: Any = getattr(manager, "ft2font", None)
    opened: Any = getattr(manager, "_get_font", None)
    if not hasattr(real, "FT2Font") or not hasattr(opened, "cache_clear"):
        yield
        return
    opened.cache_clear()
    manager.ft2font = _FontsInMemory(real)
    try:
        yield
    finally:
        manager.ft2font = real
        opened.cache_clear()
