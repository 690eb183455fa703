"""A track record as a folder that anybody can check: the chain's rows, what follows from them, and a manifest.

``rows.jsonl`` holds the chain's lines, one a row; the hash of each follows from the lines before it, and the last one
stands in the manifest. ``derived.jsonl`` holds orders, trades and positions as they follow. Every file is written in
one way only, so that no byte of it can be another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from brokers.atomic_files import put_in_place
from brokers.journal.database import chain
from brokers.journal.database.integrity import Damaged
from brokers.operator.track_record import Period, TrackRecord, derive, read, unsigned_zeros
from config.errors import Refusal
from config.process.secret_guard import secret_among
from config.values.masking import redacted

FORMAT = 2
ROWS, DERIVED, MANIFEST = "rows.jsonl", "derived.jsonl", "manifest.json"


def export(address: str | Path, folder: Path, adopted: Collection[str] = ()) -> TrackRecord:
    """Verify a journal and write it as a bundle.

    Parameters
    ----------
    address : str or Path
        Another process may be writing it.
    folder : Path
        New or empty.
    adopted : collection of str
        Symbols whose manual positions the trader manages like its own (``live.adopt``).

    Raises
    ------
    Refusal
        The journal is not what was written or holds a secret of the environment, or the folder holds something or
        cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refusal(f"{folder}: holds something already; name a new folder")
    record, lines, genesis = read(address, None, adopted)
    if variable := secret_among([*lines, *record.lines]):
        raise Refusal(
            f"{redacted(str(address))}: a row holds the secret of {variable}, and a bundle is made to be handed on: "
            "make that secret invalid where it was made, then take it out of the environment"
        )
    files = {ROWS: _text(lines), DERIVED: _text(record.lines)}
    link, _, digest = record.head.partition(" ")
    manifest = {
        "format": FORMAT,
        "begins_with": genesis,
        "head": {"link": int(link), "hash": digest},
        "adopted": sorted(adopted),
        "upgraded": record.upgraded,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    files[MANIFEST] = _signed(manifest)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            fresh = folder / f".{name}.new"
            fresh.write_bytes(data)
            put_in_place(fresh, folder / name)
    except OSError as error:
        raise Refusal(f"{folder}: cannot be written ({error.strerror}); name another folder") from error
    return record


def verify_bundle(folder: Path, period: Period | None = None) -> TrackRecord:
    """Check a bundle: every byte by its hashes, and everything derived by deriving it again.

    Raises
    ------
    Refusal
        In one sentence what is wrong with it.
    """
    if folder.is_file():
        raise Refusal(f"{folder}: is a file, a bundle is a folder; a journal is verified with --journal {folder}")
    try:
        return _verified(folder, period)
    except OSError as error:
        raise Refusal(f"{folder}: {error.filename}: {error.strerror}; name the folder of a bundle") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refusal(f"{folder}: is not what was exported ({_clause(error)}); ask for another copy") from None


def _verified(folder: Path, period: Period | None) -> TrackRecord:
    data = (folder / MANIFEST).read_bytes()
    manifest: dict[str, Any] = json.loads(data)
    told = {key: value for key, value in manifest.items() if key != "sha256"}
    if data != _signed(told):
        raise Damaged(f"{MANIFEST} does not have its own hash")
    if told["format"] != FORMAT:
        raise Damaged(f"its format is {told['format']}, known here is {FORMAT}")
    files = {name: (folder / name).read_bytes() for name in (ROWS, DERIVED)}
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != told["files"][name]:
            raise Damaged(f"{name} does not have the hash of {MANIFEST}")
    lines = files[ROWS].decode("ascii").splitlines()
    rows, digest = [], told["begins_with"]
    for number, line in enumerate(lines, 1):
        digest = chain.next_hash(digest, line)
        row = json.loads(line)
        if row["link"] != number or chain.line(number, row["table"], row) != line:
            raise Damaged(f"{ROWS}, line {number}: it is not as a journal writes it")
        rows.append(row)
    if {"link": len(lines), "hash": digest} != told["head"]:
        raise Damaged(f"{ROWS} does not end with the head of {MANIFEST}")
    record = derive(rows, None, told["adopted"])
    if _text(record.lines) != unsigned_zeros(files[DERIVED].decode("ascii")).encode("ascii"):
        raise Damaged(f"{DERIVED} does not follow from {ROWS}")
    record = record if period is None else derive(rows, period, told["adopted"])
    record.head, record.upgraded = f"{len(lines)} {digest}", told["upgraded"]
    return record


def _signed(manifest: dict[str, Any]) -> bytes:
    own = hashlib.sha256(_dumps(manifest)).hexdigest()
    return _dumps(manifest | {"sha256": own}) + b"\n"


def _dumps(values: dict[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, indent=1).encode("ascii")


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def _clause(error: Exception) -> str:
    text = str(error) if isinstance(error, Damaged) else f"{type(error).__name__}: {error}"
    return text.encode("ascii", "backslashreplace").decode().replace("\n", " ")[:200]
