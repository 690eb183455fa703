"""The weekly budget on disk: every state that was ever in the file is a whole one, and a doubtful one is refused.

A new state is written beside the file, forced to the disk and renamed over it, and the folder is forced to the
disk too, so that a kill, a crash or a full disk leaves the old state or the new one. One process writes; what
it did between its last save and a kill is not in here, so a desk that starts reconciles with the venue first.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from brokers.atomic_files import put_in_place
from config.errors import Refusal
from config.process.private_files import private_folder
from config.reading.files import read_ordinary
from risk.weekly_budget import WeeklyBudget

VERSION = 1
_BUDGET = TypeAdapter(WeeklyBudget)
_WAY_OUT = "restore it, or move it away to have it made again from the fills in the journal; no entries until then"

log = logging.getLogger(__name__)


def load(path: Path, account_id: str, today: date) -> WeeklyBudget:
    """The budget that was saved last; an empty one where there has never been one.

    Parameters
    ----------
    path : Path
        ``state/weekly_budget.json`` of the account.
    account_id : str
        The venue's name of the account that is about to trade.
    today : date
        The present session.

    Raises
    ------
    Refusal
        The file cannot be read, is damaged, or is of another account, another version or a later day. It is
        left as it is.
    """
    try:
        data = read_ordinary(path)
    except FileNotFoundError:
        log.info("%s is not there: account %s begins with an empty weekly budget", path, account_id)
        return WeeklyBudget(today)
    except OSError as error:
        raise Refusal(f"{path}: cannot be read ({error.strerror}); make it readable, no entries until then") from error
    try:
        return decode(data, account_id, today)
    except ValueError as error:
        raise Refusal(f"{path}: {error}") from error


def save(path: Path, budget: WeeklyBudget, account_id: str) -> None:
    """Replace the file; when this returns, the state is on the disk.

    Raises
    ------
    OSError
        It could not be written. The file holds the state before (or the new one, where only the folder could
        not be forced to the disk), and no entry may follow until a save succeeds.
    """
    private_folder(path.parent)
    # Of this process alone: a second trader, started by mistake, must not write into the same bytes.
    fresh = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _write(fresh, encode(budget, account_id))
        put_in_place(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def encode(budget: WeeklyBudget, account_id: str) -> bytes:
    """A budget as the bytes of its file: readable JSON with a checksum over the rest."""
    body = {"version": VERSION, "account_id": account_id, "budget": _BUDGET.dump_python(budget, mode="json")}
    return (json.dumps(body | {"sha256": _checksum(body)}, indent=1) + "\n").encode()


def decode(data: bytes, account_id: str, today: date) -> WeeklyBudget:
    """The budget in the bytes of a file.

    Raises
    ------
    ValueError
        What is wrong with them and the way out, in one clause.
    """
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is damaged, not complete JSON; {_WAY_OUT}") from error
    if not isinstance(body, dict):
        raise ValueError(f"is damaged, it holds no budget; {_WAY_OUT}")
    if body.get("version") != VERSION:
        raise ValueError(f"version is {body.get('version')!r}, known here is {VERSION}; {_WAY_OUT}")
    if body.get("account_id") != account_id:
        raise ValueError(
            f"account_id is {body.get('account_id')!r}, this is {account_id!r}; give each account a state folder of "
            "its own, no entries until then"
        )
    try:
        budget = _BUDGET.validate_json(json.dumps(body.get("budget")), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(["budget", *map(str, first["loc"])])
        problem = first.get("ctx", {}).get("error", first["msg"])
        raise ValueError(f"{key} is damaged ({problem}); {_WAY_OUT}") from error
    if budget.day > today:
        raise ValueError(
            f"budget.day {budget.day} is after today, {today}; set this machine's clock right, or {_WAY_OUT}"
        )
    if body.pop("sha256", None) != _checksum(body):
        raise ValueError(f"sha256 does not match, something changed in it since it was saved; {_WAY_OUT}")
    return budget


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)
    finally:
        os.close(handle)
