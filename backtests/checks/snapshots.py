"""Reads what the iterations of a trader decided on."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from brokers.live_state.bar_changes import GrowingTable
from brokers.live_state.snapshot_log import FOLDER, SUFFIX, VERSION
from brokers.live_state.values_json import decoded
from config.errors import Refusal
from market.bars import BarTable
from risk.model import Book

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One iteration: ``plan`` is what was decided then, encoded. ``about`` tells settings and program of its run."""

    about: Json
    number: int
    seen_at: datetime
    bars: BarTable
    book: Book
    plan: Json


@dataclass(slots=True)
class Damage:
    """What of a record cannot be used: lines that are cut off, iterations that are missing."""

    lines: int = 0
    missing: int = 0


def snapshot_files(place: Path) -> list[Path]:
    """The files of a state folder, of its folder of snapshots, or the one that is named, oldest first.

    Raises
    ------
    Refusal
        There is none.
    """
    if place.is_file():
        return [place]
    found = sorted(place.glob(f"*{SUFFIX}")) or sorted((place / FOLDER).glob(f"*{SUFFIX}"))
    found = found or sorted((place / "state" / FOLDER).glob(f"*{SUFFIX}"))
    if not found:
        raise Refusal(f"{place}: no trader has recorded its iterations here; name the state folder of one, or a file")
    return found


def read_snapshots(path: Path, damage: Damage) -> Iterator[Snapshot]:
    """The iterations of a file in order; what is damaged is counted and left out.

    Raises
    ------
    Refusal
        The file cannot be read, or is of another version.
    """
    about: Json | None = None
    table, last = GrowingTable(), 0
    for line in _lines(path, damage):
        try:
            raw = json.loads(line)
            if "settings" in raw:
                if raw["version"] != VERSION:
                    raise Refusal(f"{path}: is of another version of this program; read it with that one")
                # A file may hold several runs of a day, and a run begins anew after a failure of the disk.
                last = last if about is not None and about["began"] == raw["began"] else 0
                about, table = raw, GrowingTable()
                continue
            if about is None:
                raise ValueError("the beginning of the file is missing")
            bars = table.apply(raw["bars"])
            snapshot = Snapshot(
                about,
                int(raw["number"]),
                decoded(datetime, raw["seen_at"]),
                bars,
                decoded(Book, raw["book"]),
                raw["plan"],
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            damage.lines += 1
            continue
        if last and snapshot.number > last + 1:
            damage.missing += snapshot.number - last - 1
        last = snapshot.number
        yield snapshot


def _lines(path: Path, damage: Damage) -> Iterator[str]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from file
    except (EOFError, zlib.error, UnicodeDecodeError, gzip.BadGzipFile):
        damage.lines += 1
    except OSError as error:
        raise Refusal(f"{path}: cannot be read ({error.strerror}); make it readable") from None
