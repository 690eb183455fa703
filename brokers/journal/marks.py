"""Small texts by name in the journal's table ``meta``: what the next start has to know. They are in no hash."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from brokers.journal.database.schema import meta

RUNNING, UNDELIVERED, MADE_WAY = "running", "undelivered", "made way"
"""When the present run began, while it lasts; notices that nobody has received; the venue's id of the order that was
cancelled last for another to take its place.
"""


NEAREST = "nearest stop"
"""The reason of exits at the nearest prices that the venue took, as the market had passed those of their position: they
tell no level."""


def read(connection: Connection, name: str) -> str | None:
    """The text of a name; None if there is none."""
    return connection.scalar(select(meta.c.value).where(meta.c.key == name))


def keep(connection: Connection, name: str, value: str | None) -> None:
    """Replace the text of a name; None takes it away."""
    if name not in (RUNNING, UNDELIVERED, MADE_WAY):
        raise ValueError(f"{name} is no mark")
    connection.execute(delete(meta).where(meta.c.key == name))
    if value is not None:
        connection.execute(insert(meta).values(key=name, value=value))
