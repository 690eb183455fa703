"""A console on which text from outside is text: no markup, no escapes, nothing that is not seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment

from config.values.printable import printable


class PlainConsole(Console):
    """Reads no markup in what it is given, save in rich's own texts, and writes hidden characters as their codes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render(self, *given: Any, **options: Any) -> Iterable[Segment]:
        """What is drawn, each part of it printable; rich's own movements of the cursor stay."""
        for segment in super().render(*given, **options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))
