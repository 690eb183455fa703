"""Where each setting comes from."""

from __future__ import annotations

from collections.abc import Iterable

UNKNOWN = "settings"


class Provenance:
    """Remembers, per dotted key, the file or argument that set it last; ``defaults`` are files nobody asked for."""

    def __init__(self, defaults: Iterable[str] = ()) -> None:
        self._sources: dict[str, str] = {}
        self._parents: set[str] = set()
        """Keys below which something was set, now or before: few settings have any, and there are hundreds."""
        self._defaults = frozenset(defaults)
        self._before: dict[str, tuple[str, ...]] = {}
        self._as_shipped: frozenset[str] = frozenset()

    def note(self, dotted: str, source: str) -> None:
        """``source`` sets ``dotted`` and with it everything below."""
        if dotted in self._parents:
            for key in [key for key in self._sources if key.startswith(f"{dotted}.")]:
                del self._sources[key]
        # The order is that of the last say.
        self._sources.pop(dotted, None)
        self._sources[dotted] = source
        above = dotted
        while (above := above.rpartition(".")[0]) and above not in self._parents:
            self._parents.add(above)

    def note_before(self, dotted: str, names: Iterable[str]) -> None:
        """A list as it was before the user's first say."""
        self._before[dotted] = tuple(names)

    def before(self, dotted: str) -> tuple[str, ...]:
        """That list; empty for one that was not noted."""
        return self._before.get(dotted, ())

    def of(self, dotted: str) -> str:
        """The source of a key or of its nearest parent that has one."""
        return self._sources.get(self._nearest(dotted), UNKNOWN)

    def chosen(self, dotted: str) -> bool:
        """Whether a key was set by the user: in a file or argument of their own."""
        return self.of(dotted) not in {UNKNOWN, *self._defaults}

    def choices(self) -> list[tuple[str, str]]:
        """Every key that was set by the user, with its source, in the order of the last say."""
        return [(key, source) for key, source in self._sources.items() if source not in self._defaults]

    def note_as_shipped(self, keys: Iterable[str]) -> None:
        """Keys that the user set to what the profile has anyway."""
        self._as_shipped = frozenset(keys)

    def changes(self) -> list[str]:
        """Every key that the user set to another value than the profile's."""
        return [key for key, _ in self.choices() if key not in self._as_shipped]

    def newest(self, keys: Iterable[str]) -> str:
        """The source of whichever of several keys was set last: it made the conflict."""
        order = list(self._sources)
        nearest = [key for key in map(self._nearest, keys) if key]
        return self._sources[max(nearest, key=order.index)] if nearest else UNKNOWN

    def within(self, section: str) -> str:
        """The source of whatever was set last in a section."""
        inside = [key for key in self._sources if key == section or key.startswith(f"{section}.")]
        return self._sources[inside[-1]] if inside else self.of(section)

    def _nearest(self, dotted: str) -> str:
        while dotted and dotted not in self._sources:
            dotted = dotted.rpartition(".")[0]
        return dotted
