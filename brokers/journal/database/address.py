"""Where a journal is: a SQLite file or a PostgreSQL database, and its name without user and password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from config.errors import Refusal
from config.values.secrets import Secrets

DEFAULT_FILE = Path("state") / "journal.sqlite3"
_LIKE_A_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|(?:postgres|sqlite)", re.IGNORECASE)
_FORM = "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with / @ : ? # % of a password percent-encoded"


@dataclass(frozen=True, slots=True)
class Address:
    """Exactly one of ``path`` and ``url`` is set; ``name`` is what messages may say."""

    name: str
    path: Path | None = None
    url: URL | None = None


def journal_address(secrets: Secrets) -> str:
    """``DATABASE_URL`` where it is set, else the file ``state/journal.sqlite3``."""
    url = secrets.DATABASE_URL
    return str(DEFAULT_FILE) if url is None else url.get_secret_value()


def parse_address(address: str | Path) -> Address:
    """A path, ``sqlite:///path`` or ``postgresql://…``.

    Raises
    ------
    Refusal
        It is something else. The address is not repeated: a part of the password may be anywhere in it.
    """
    if isinstance(address, Path):
        return _file(address)
    if "://" not in address:
        # A mistyped address would become a file that is named with its password.
        if "@" in address or _LIKE_A_SCHEME.match(address):
            raise Refusal(f"journal address (DATABASE_URL): is neither an address nor a plain path; {_FORM}")
        return _file(Path(address))
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise Refusal(f"journal address (DATABASE_URL): it cannot be read; {_FORM}") from None
    kind = url.drivername.partition("+")[0]
    if kind == "sqlite":
        if not url.database or url.database == ":memory:":
            raise Refusal("journal address (DATABASE_URL): a journal in memory is lost on exit; name a file")
        return _file(Path(url.database))
    if kind not in {"postgresql", "postgres"}:
        raise Refusal(f"journal address (DATABASE_URL): only sqlite and postgresql are known; {_FORM}")
    # An unencoded @ or / of a password ends up in the host or the database.
    if not re.fullmatch(r"[\w.:%-]*", url.host or "") or not re.fullmatch(r"[\w.-]+", url.database or ""):
        raise Refusal(f"journal address (DATABASE_URL): host or database has odd characters; {_FORM}")
    if not url.query.keys() <= {"host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey"}:
        raise Refusal(f"journal address (DATABASE_URL): of options, only host, port and sslmode are taken; {_FORM}")
    host = url.host or url.query.get("host") or "localhost"
    port = f":{url.port}" if url.port else ""
    return Address(f"postgresql://{host}{port}/{url.database}", url=url.set(drivername="postgresql+psycopg2"))


def _file(path: Path) -> Address:
    return Address(str(path), path=path)
