"""Text from outside as it may be shown: in one line, without what moves a cursor, hides or turns round what is read.

A venue, a file and its name can hold terminal escapes, line breaks, marks that turn the direction of writing, and
characters that nobody sees. In a log they forge lines, on a screen they paint over others. Each is written as its code.
"""

from __future__ import annotations

import re

_HIDDEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff"
)
_OF_A_TEXT = re.compile(f"[{_HIDDEN}]")
_OF_A_LINE = re.compile(f"[{_HIDDEN}\t\n]")


def one_line(text: str) -> str:
    """A text without line breaks, terminal escapes and characters that are not seen: each is written as its code."""
    return _OF_A_LINE.sub(_code, text)


def printable(text: str) -> str:
    """The same, with tabs and line breaks left: for texts that are laid out by whoever shows them."""
    return _OF_A_TEXT.sub(_code, text)


def _code(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode("ascii")


def shown(value: object) -> object:
    """What a page shows of a value: for the ``finalize`` of an environment of templates that escapes markup."""
    return one_line(value) if type(value) is str else value
