"""Our names of orders in the form that Kraken takes: a UUID that follows from the name."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable

NAMESPACE = uuid.UUID("6f6b7a1e-5c0b-5b0e-9d55-2f3a1c7d9b10")
"""Of this package: the same name gives the same UUID in every process, for ever."""


VERSION = 5
"""Of such a UUID; who draws them at random uses another."""


def uuid_of(name: str) -> str:
    """The ``cl_ord_id`` of an order of ours."""
    return str(uuid.uuid5(NAMESPACE, name))


class Names:
    """Finds our name of an order by its ``cl_ord_id``, for the names that it was told of."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.news: Callable[[], Iterable[str]] | None = None
        """Names of now, where the process that sends the orders is another one."""

    def tell(self, names: Iterable[str]) -> None:
        """Orders of these names may be listed."""
        for name in names:
            self._names.setdefault(uuid_of(name), name)

    def foreign(self, cl_ord_id: str) -> bool:
        """Whether an id has the form of ours and follows from no name that is known: another journal may know it."""
        try:
            ours = uuid.UUID(cl_ord_id).version == VERSION
        except ValueError:
            return False
        if ours and cl_ord_id.lower() not in self._names and self.news is not None:
            self.tell(self.news())
        return ours and cl_ord_id.lower() not in self._names

    def of(self, cl_ord_id: str) -> str:
        """Our name of an order; the id itself where it is none of ours, empty for none."""
        return self._names.get(cl_ord_id.lower(), cl_ord_id)
