"""Codes of verdicts in words: above all that of a candidate which is not among the best of its scan."""

from __future__ import annotations

import re

_BEYOND = re.compile(r"WATCH_LIST: place (\d+) of (\d+)")

_ONE_SHARE = re.compile(r"(?<![\d.,])1 shares\b")


def beyond_watch_list(place: int, places: int) -> str:
    """The code of a candidate whose place by score is beyond the watch list's last one."""
    return f"WATCH_LIST: place {place} of {places}"


def code_in_words(code: str) -> str:
    """A verdict's code for a reader. Records keep the code as it is: runs and journals are compared by it."""
    found = _BEYOND.fullmatch(code)
    return (
        _ONE_SHARE.sub("1 share", code)
        if found is None
        else f"WATCH_LIST: number {found[1]} by score, only the best {found[2]} are considered"
    )
