"""The command line that starts a run anew, from what its folder tells of it."""

from __future__ import annotations

import json
import shlex
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import TYPE_CHECKING

from commands.options import EngineOptions
from config.reading.arguments import DEFAULT_PROFILE

if TYPE_CHECKING:
    from backtests.run_inputs import RunInputs

LONGEST_SETTINGS = 600
"""Characters of the chosen settings that a sentence can hold."""


def command_line(folder: Path, inputs: RunInputs) -> str:
    """The command line that starts a run anew, with what its user had chosen."""
    from backtests.run_inputs import SETTINGS_FILE

    options = {
        "--profile": inputs.profile if inputs.profile != DEFAULT_PROFILE else None,
        "--data": inputs.data,
        "--date-order": inputs.date_order,
        "--timezone": inputs.timezone,
        "--decimal": inputs.decimal,
        "--labels": inputs.labels,
        "--symbols": inputs.symbol,
        "--start": inputs.start,
        "--end": inputs.end,
        "--seed": inputs.seed or None,
        "--speed": f"{inputs.speed:g}" if inputs.speed else None,
        "--engine": inputs.engine if inputs.mode == "backtest" and inputs.engine != EngineOptions.engine else None,
    }
    flags = [*(["--draw-all"] if inputs.draw_all else []), *([] if inputs.report else ["--no-report"])]
    words = [word for name, value in options.items() if value is not None for word in (name, str(value))]
    command = ["risk-first", inputs.mode, *words, *(flags if inputs.mode == "backtest" else [])]
    chosen = _settings_chosen(folder / SETTINGS_FILE, inputs)
    if chosen is None or len(shlex.join(chosen)) > LONGEST_SETTINGS:
        # The file names all settings, those too that nobody chose.
        chosen = ["--config", str(folder / SETTINGS_FILE)]
    return shlex.join([*command, *chosen])


def _settings_chosen(path: Path, inputs: RunInputs) -> list[str] | None:
    """The settings that the run's user had set, each as an argument; None where one cannot be: the sector of BRK.B."""
    import yaml

    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    words: list[str] = []
    for key in inputs.chosen:
        # Of a file that names no symbol it is told by --symbols.
        if key != "universe.symbols" or inputs.symbol is None:
            try:
                value = reduce(getitem, key.split("."), settings)
            except (KeyError, TypeError):
                return None
            words += ["--set", f"{key}={json.dumps(value, ensure_ascii=False)}"]
    return words
