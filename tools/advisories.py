#!/usr/bin/env python
"""Known advisories of every package in the locks, by a database that lies on this machine; nobody is asked.

    python tools/advisories.py DATABASE [LOCK ...]

``DATABASE`` is a folder or a zip of OSV's records (``PyPI/all.zip`` of its bucket), or the ``insecure_full.json``
of the package safety-db. Without locks all three of this project are looked at. Prints a line for each advisory that
holds for a version of a lock, then when the newest record is of, and ends with status 1 where there is one.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.licences import ROOT, pins

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-slim.lock")


@dataclass(frozen=True, slots=True)
class Advisory:
    """One advisory for one package: versions by name, and ranges, each a specifier."""

    number: str
    package: str
    told: str
    versions: frozenset[str]
    ranges: tuple[str, ...]

    def holds(self, version: str) -> bool:
        """Whether it is of that version."""
        return version in self.versions or any(_within(version, each) for each in self.ranges)


def of_osv(record: dict[str, Any]) -> Iterator[Advisory]:
    """The advisories of one OSV record, one for each package of PyPI that it names."""
    if record.get("withdrawn"):
        return
    for affected in record.get("affected", ()):
        package = affected.get("package", {})
        if package.get("ecosystem") != "PyPI":
            continue
        ranges: list[str] = []
        for each in affected.get("ranges", ()):
            if each.get("type") == "ECOSYSTEM":
                ranges += _spans(each.get("events", ()))
        told = str(record.get("summary") or record.get("details") or "")
        versions = frozenset(map(str, affected.get("versions", ())))
        yield Advisory(record["id"], canonicalize_name(package["name"]), told, versions, tuple(ranges))


def of_safety(database: dict[str, Any]) -> Iterator[Advisory]:
    """The advisories of safety-db."""
    for name, records in database.items():
        for record in () if name.startswith("$") else records:
            number = str(record.get("cve") or record["id"])
            yield Advisory(number, canonicalize_name(name), record["advisory"], frozenset(), tuple(record["specs"]))


def read(place: Path) -> tuple[list[Advisory], str]:
    """All advisories of a database, and when its newest record was changed; empty where it does not say."""
    if place.is_file() and place.suffix == ".json":
        database = json.loads(place.read_text(encoding="utf-8"))
        return list(of_safety(database)), datetime.fromtimestamp(database["$meta"]["timestamp"], UTC).isoformat()
    records = list(_records(place))
    newest = max((str(record.get("modified", "")) for record in records), default="")
    return [advisory for record in records for advisory in of_osv(record)], newest


def held(advisories: Iterable[Advisory], locked: Iterable[tuple[str, str]]) -> list[tuple[str, str, Advisory]]:
    """Package, version and advisory, where one holds."""
    by_package: dict[str, list[Advisory]] = {}
    for advisory in advisories:
        by_package.setdefault(advisory.package, []).append(advisory)
    return [
        (name, version, advisory)
        for name, version in sorted(set(locked))
        for advisory in by_package.get(canonicalize_name(name), ())
        if advisory.holds(version)
    ]


def _records(place: Path) -> Iterator[dict[str, Any]]:
    if place.is_dir():
        for path in sorted(place.rglob("*.json")):
            yield json.loads(path.read_text(encoding="utf-8"))
        return
    with zipfile.ZipFile(place) as archive:
        for name in archive.namelist():
            if name.endswith(".json"):
                yield json.loads(archive.read(name))


def _spans(events: Iterable[dict[str, str]]) -> Iterator[str]:
    """The events of a range as specifiers; what was introduced and never fixed has no end."""
    begin = ""
    for event in events:
        if "introduced" in event:
            begin = event["introduced"]
        elif "fixed" in event:
            yield f">={begin or '0'},<{event['fixed']}"
            begin = ""
        elif "last_affected" in event:
            yield f">={begin or '0'},<={event['last_affected']}"
            begin = ""
    if begin:
        yield f">={begin}"


def _within(version: str, specifier: str) -> bool:
    try:
        return SpecifierSet(specifier).contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False


def main(arguments: list[str]) -> int:
    if not arguments or not Path(arguments[0]).exists():
        sys.stderr.write(f"{arguments[0] if arguments else 'DATABASE'}: there is no such database; see the docstring\n")
        return 2
    advisories, newest = read(Path(arguments[0]))
    locks = [Path(each) for each in arguments[1:]] or [ROOT / name for name in LOCKS]
    locked = [pin for lock in locks for pin in pins(lock)]
    found = held(advisories, locked)
    for name, version, advisory in found:
        print(f"{name} {version}: {advisory.number}: {' '.join(advisory.told.split())[:120]}")
    print(
        f"{len(set(locked))} versions, {len(advisories)} advisories (the newest of {newest[:10] or 'an unknown day'}): "
        f"{len(found)} to look at"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
