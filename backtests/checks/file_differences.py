"""Two folders of the same run, file by file: which differ, and where in the file the difference begins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from config.reading.error_messages import some

SUMMARY = "summary.json"
SECONDS, VERSIONS = "seconds", "versions"
"""Of the summary: how long a run took, and which programs made it. Neither is a result of it."""
LINES = (".csv", ".jsonl", ".yaml", ".html")


def differences(first: Path, second: Path) -> dict[str, str]:
    """The files that differ, or that only one of the folders has, each with what differs in it."""
    found = {
        path.relative_to(folder).as_posix()
        for folder in (first, second)
        for path in folder.rglob("*")
        if path.is_file()
    }
    told = {name: _difference(first / name, second / name) for name in sorted(found)}
    return {name: what for name, what in told.items() if what}


def other_versions(first: Path, second: Path) -> dict[str, tuple[str, str]]:
    """By program the versions that the two runs were made with, where they differ."""
    one, two = (json.loads((folder / SUMMARY).read_bytes()).get(VERSIONS, {}) for folder in (first, second))
    names = sorted(one.keys() | two.keys())
    return {
        name: (str(one.get(name, "none")), str(two.get(name, "none")))
        for name in names
        if one.get(name) != two.get(name)
    }


def _difference(first: Path, second: Path) -> str:
    """What differs between two files, in words; empty for nothing."""
    for path, other in ((first, second), (second, first)):
        if not path.is_file():
            return f"only in {other.parent}"
    one, two = first.read_bytes(), second.read_bytes()
    if one == two:
        return ""
    if first.suffix == ".json":
        return _of_documents(*({**json.loads(content), SECONDS: None, VERSIONS: None} for content in (one, two)))
    if first.suffix in LINES:
        pairs = enumerate(zip_longest(one.splitlines(keepends=True), two.splitlines(keepends=True)), 1)
        return f"line {next(number for number, (ours, theirs) in pairs if ours != theirs)}"
    return "other bytes"


def _of_documents(one: Any, two: Any) -> str:
    return some(list(_keys(one, two)))


def _keys(one: Any, two: Any, above: str = "") -> Iterator[str]:
    """Dotted keys of the values that differ."""
    if not isinstance(one, dict) or not isinstance(two, dict):
        yield above.removesuffix(".")
        return
    for key in dict.fromkeys((*one, *two)):
        if one.get(key) != two.get(key):
            yield from _keys(one.get(key), two.get(key), f"{above}{key}.")
