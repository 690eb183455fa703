"""What a run was made of, kept in its folder: the whole settings, and how it was asked for. ``rerun`` reads it."""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from backtests.data.reading.options import DateOrder, Decimal, Labels
from backtests.request import Engine, Mode, RunRequest
from config import Settings
from config.errors import Refusal

SETTINGS_FILE = "settings.yaml"
INPUTS_FILE = "run.json"
INPUT_FILES = (SETTINGS_FILE, INPUTS_FILE)


@dataclass(frozen=True, slots=True)
class RunInputs:
    """How a run was asked for; what the settings hold is in the settings' file.

    ``date_order``, ``timezone``, ``decimal`` and ``labels`` settled what a file left open.
    ``symbol`` is that of a file of one symbol that does not name it. ``chosen`` is the source of each setting that the
    user had set, by dotted key: the settings' file names all settings.
    ``data`` is a source or a path as it was given, ``data_hash`` identifies the bars (empty where the venue had them).
    """

    mode: Mode
    profile: str
    data: str
    data_hash: str
    start: date | None
    end: date | None
    seed: int
    draw_all: bool
    report: bool
    date_order: DateOrder | None
    timezone: str | None
    decimal: Decimal | None
    symbol: str | None
    speed: float | None
    engine: Engine
    chosen: dict[str, str]
    labels: Labels | None = None


def write_inputs(folder: Path, request: RunRequest, data_hash: str) -> None:
    """Write both files into a run's folder; there are no secrets among them."""
    # Imported here: it brings pandas, and a command line that names no run is refused without.
    from backtests.reports.formatting import to_json_indented, write_text

    write_text(folder / SETTINGS_FILE, settings_text(request.settings))
    inputs = {
        "mode": request.mode,
        "profile": request.profile,
        "data": request.data,
        "data_hash": data_hash,
        "start": request.start,
        "end": request.end,
        "seed": request.seed,
        "draw_all": request.draw_all,
        "report": request.report,
        "date_order": request.reading.date_order,
        "timezone": request.reading.timezone,
        "decimal": request.reading.decimal,
        "labels": request.reading.labels,
        "symbol": request.reading.symbol,
        "speed": request.speed,
        "engine": request.engine,
        "chosen": dict(request.settings.provenance.choices()),
    }
    write_text(folder / INPUTS_FILE, to_json_indented(inputs) + "\n")


def settings_text(settings: Settings) -> str:
    """All settings as YAML that ``--config`` reads."""
    text: str = yaml.safe_dump(settings.as_dict(), sort_keys=False, allow_unicode=True, width=110)
    return text


def read_inputs(folder: Path) -> RunInputs:
    """Read how a run was asked for.

    Raises
    ------
    Refusal
        The folder holds no such files, or they cannot be read.
    """
    try:
        raw: dict[str, Any] = json.loads((folder / INPUTS_FILE).read_text(encoding="utf-8"))
        if lacking := [field.name for field in fields(RunInputs) if field.name not in raw and field.default is MISSING]:
            raise ValueError(f"{INPUTS_FILE} lacks {', '.join(lacking)}, as an earlier version's does")
        days = {name: date.fromisoformat(raw[name]) if raw[name] else None for name in ("start", "end")}
        inputs = RunInputs(**{**raw, **days})
        if not (folder / SETTINGS_FILE).is_file():
            raise ValueError(f"{SETTINGS_FILE} is missing")
    except (OSError, ValueError, TypeError, KeyError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Refusal(
            f"{folder}: does not hold what a run was made of ({why}); give the folder of a run, with {INPUTS_FILE} "
            f"and {SETTINGS_FILE}"
        ) from None
    return inputs
