"""Keys from a file that the user names; none is ever looked for."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path

from config.errors import Refusal
from config.process.secret_guard import hide
from config.reading.files import read_ordinary

LONGEST_BYTES = 65_536
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)")
_QUOTED = re.compile(r"""(['"])(.*?)\1\s*(?:#.*)?""")
_COMMENT = re.compile(r"\s#.*")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def with_keys(environment: Mapping[str, str], path: Path | None, names: frozenset[str]) -> dict[str, str]:
    """The environment with those of ``names`` that a file sets.

    Parameters
    ----------
    environment : mapping
        Usually ``os.environ``, which is left as it is.
    path : Path or None
        Lines of ``NAME=value``, quoted or not; ``export`` before a name, empty lines, lines that begin with ``#`` and
        comments after a value are fine; a value in quotes may hold ``#``. Other names than ``names`` are passed over.
        None adds nothing.
    names : frozenset of str

    Raises
    ------
    Refusal
        The file cannot be read, others may read it, a line of it is something else, or it contradicts the
        environment: which account is meant is not to be guessed. No value is repeated.
    """
    merged = dict(environment)
    if path is None:
        return merged
    for name, value in _values(path).items():
        if name not in names or not value:
            continue
        if environment.get(name, value) != value and environment[name]:
            raise Refusal(
                f"--dotenv {path}: {name} is another one in the environment; unset it there, or leave --dotenv out"
            )
        merged[name] = value
    hide({name: merged[name] for name in names if name in merged})
    return merged


def _values(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(map(str.strip, _text(path).splitlines()), start=1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise Refusal(f"--dotenv {path}, line {number}: write NAME=value")
        found[match[1]] = _unquoted(match[2])
    return found


def _text(path: Path) -> str:
    way_out = "name a file of lines NAME=value"
    try:
        content = read_ordinary(path, LONGEST_BYTES)
        mode = path.stat().st_mode
    except OSError as error:
        raise Refusal(f"--dotenv {path}: cannot be read ({error.strerror}); {way_out}") from None
    if mode & _OTHERS:
        raise Refusal(f"--dotenv {path}: others may read it; keep keys to yourself with chmod 600 {path}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refusal(f"--dotenv {path}: is no text in UTF-8; {way_out}") from None


def _unquoted(value: str) -> str:
    """What stands in the quotes, or, without quotes, what stands before a comment."""
    quoted = _QUOTED.fullmatch(value.strip())
    return quoted[2] if quoted else _COMMENT.sub("", value).strip()
