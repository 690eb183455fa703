"""Output for terminals that cannot show every character: the nearest plain one instead of an error."""

from __future__ import annotations

import codecs
import io
import os
import sys

PLAIN = "plain"
_INSTEAD = {
    "×": "x",
    "–": "-",
    "—": "-",
    "−": "-",
    "→": "->",
    "≥": ">=",
    "≤": "<=",
    "…": "...",
    "·": "-",
    "•": "*",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "±": "+-",
    "≈": "~",
}


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(_INSTEAD.get(c, "?") for c in error.object[error.start : error.end]), error.end


codecs.register_error(PLAIN, _plain)


def plain_output() -> None:
    """Let standard output and error replace what their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAIN)


def draws() -> bool:
    """Whether the terminal can move its cursor, so that a bar may be drawn over itself."""
    return os.environ.get("TERM") != "dumb"
