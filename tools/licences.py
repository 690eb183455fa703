#!/usr/bin/env python
"""Licences of every package in the lock, by what the installed package says of itself, beside GPL-3.0-or-later.

    python tools/licences.py [requirements.lock]

Prints one line for each package, and ends with status 1 where a licence is not known to be compatible or a package is
not installed in the version of the lock. It asks nobody: known advisories are not looked up here.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)([^\\]*)")
FAMILIES = (
    ("LGPL", r"\bLGPL|lesser general public"),
    ("AGPL-3.0", r"\bAGPL|affero"),
    ("GPL-3.0-or-later", r"\bGPL-?v?3(\.0)?(-or-later|\+| or later)|GPLv3\+|GPL-3\.0-or-later"),
    ("GPL-3.0", r"\bGPL-?v?3|GNU General Public License v3"),
    ("GPL-2.0-or-later", r"GPL-?v?2(\.0)?(-or-later|\+| or later)|GPLv2\+"),
    ("GPL-2.0-only", r"\bGPL-?v?2|GNU General Public License v2"),
    ("MPL-2.0", r"\bMPL|mozilla public"),
    ("Apache-2.0", r"apache"),
    ("BSD", r"\bBSD\b|BSD-\d|0BSD|redistribution and use in source and binary forms"),
    ("MIT", r"\bMIT\b|permission is hereby granted, free of charge|expat"),
    ("ISC", r"\bISC\b|permission to use, copy, modify, and(/or)? distribute"),
    ("PSF-2.0", r"\bPSF|python software foundation|CNRI-Python"),
    ("HPND", r"\bHPND|historical permission"),
    ("Unlicense", r"unlicense|public domain|\bCC0"),
    ("Zlib", r"\bzlib"),
    ("NCSA", r"\bNCSA"),
    ("BSL-1.0", r"boost|\bBSL-1"),
    ("Unicode", r"unicode"),
    ("EPL", r"eclipse public"),
    ("proprietary", r"proprietary|all rights reserved\.?$"),
)
COMPATIBLE = frozenset(
    {
        "LGPL",
        "GPL-3.0-or-later",
        "GPL-3.0",
        "AGPL-3.0",
        "GPL-2.0-or-later",
        "MPL-2.0",
        "Apache-2.0",
        "BSD",
        "MIT",
        "ISC",
        "PSF-2.0",
        "HPND",
        "Unlicense",
        "Zlib",
        "NCSA",
        "BSL-1.0",
        "Unicode",
    }
)
"""With GPL-3.0-or-later, by the Free Software Foundation's list; GPL-2.0 alone and the EPL are not."""

NOTED = {
    "crewai": "MIT in its repository",
    "crewai-cli": "MIT in its repository",
    "crewai-core": "MIT in its repository",
    "crewai-tools": "MIT in its repository",
    "ibapi": "Interactive Brokers' own licence: Lumibot asks for it, nothing here imports it, leave it out of what you "
    "pass on",
}
"""Packages that say nothing, or nothing compatible, of themselves, and what is known of them."""


@dataclass(frozen=True, slots=True)
class Found:
    """One package: what it says, the family of that, and what is wrong, empty where nothing is."""

    name: str
    version: str
    said: str
    family: str
    wrong: str = ""


def pins(lock: Path) -> list[tuple[str, str]]:
    """Names and versions of a lock that hold on this machine."""
    from packaging.markers import Marker

    found = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        if not (pin := _PIN.match(line)):
            continue
        marker = pin[3].partition(";")[2].strip()
        if not marker or Marker(marker).evaluate():
            found.append((pin[1], pin[2]))
    return found


def family_of(text: str) -> str:
    """The first family that a licence's text names; empty for none."""
    return next((name for name, pattern in FAMILIES if re.search(pattern, text, re.IGNORECASE)), "")


def said_by(package: Distribution) -> str:
    """What a package says of its licence: expression, classifiers, field, or the text that lies beside it."""
    meta = package.metadata
    if expression := meta.get("License-Expression"):
        return str(expression)
    classifiers = [
        c.rpartition("::")[2].strip() for c in meta.get_all("Classifier") or () if c.startswith("License ::")
    ]
    named = [c for c in classifiers if c != "OSI Approved"]
    if named:
        return "; ".join(named)
    field = str(meta.get("License") or "").strip()
    if field and family_of(field):
        return field.splitlines()[0][:60]
    for file in package.files or ():
        if re.search(r"licen[cs]e|copying", file.name, re.IGNORECASE):
            path = Path(str(package.locate_file(file)))
            text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
            if family_of(text):
                return f"{file.name}: {family_of(text)}"
    return field[:60]


def look(name: str, version: str) -> Found:
    """One package of the lock."""
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return Found(name, version, "", "", "not installed")
    said = said_by(package)
    family = family_of(said)
    if package.version != version:
        return Found(name, version, said, family, f"installed is {package.version}")
    if family not in COMPATIBLE and not any(part in COMPATIBLE for part in map(family_of, re.split(r"\bOR\b", said))):
        return Found(name, version, said, family, "" if name in NOTED else "not known to be compatible")
    return Found(name, version, said, family)


def main(arguments: list[str]) -> int:
    lock = Path(arguments[0]) if arguments else ROOT / "requirements.lock"
    found = [look(*pin) for pin in pins(lock)]
    for package in found:
        wrong = f"  <- {package.wrong}" if package.wrong else ""
        noted = f" ({NOTED[package.name]})" if package.name in NOTED else ""
        print(f"{package.name} {package.version}: {' '.join(package.said.split()) or 'says nothing'}{noted}{wrong}")
    counts = Counter(package.family or "none" for package in found)
    bad = [package for package in found if package.wrong]
    told = ", ".join(f"{family} {count}" for family, count in counts.most_common())
    print(f"\n{len(found)} packages: {told}; {len(bad)} to look at")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
