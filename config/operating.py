"""How a running trader is watched, from ``config/operating.yaml``; nothing in it changes a decision."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config.errors import Refusal
from config.reading import strict_yaml
from config.reading.files import read_ordinary

FILE = Path(__file__).with_name("operating.yaml")
VARIABLE = "RISK_FIRST_OPERATING"
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Log(_Section):
    max_bytes: Annotated[int, Field(ge=10_000)]
    kept: Count


class ScreenSettings(_Section):
    heartbeat_s: Seconds
    same_within_s: Annotated[float, Field(ge=0, le=86_400)]


class Page(_Section):
    """What the page's process keeps and waits for."""

    followers: Annotated[int, Field(ge=1, le=1_000)]
    answer_s: Seconds
    kept_answers: Annotated[int, Field(ge=1, le=1_000)]


class Alarms(_Section):
    """Local seconds until a condition is told as an error, and until one that lasts is told again."""

    unprotected_s: Seconds
    stream_down_s: Seconds
    venue_down_s: Seconds
    venue_unseen_s: Seconds
    again_s: Seconds


class Notifications(_Section):
    """When and how often notices are sent; times in local seconds."""

    batch_s: Annotated[float, Field(ge=0, le=600)]
    same_within_s: Annotated[float, Field(ge=0, le=86_400)]
    retry_s: Annotated[tuple[Seconds, ...], Field(min_length=1)]
    attempts: Count
    connect_timeout_s: Annotated[float, Field(gt=0, le=30)]
    read_timeout_s: Annotated[float, Field(gt=0, le=30)]
    close_s: Annotated[float, Field(ge=0, le=5)]
    kept: Annotated[int, Field(ge=10)]


class MonitorLevels(_Section):
    """Numbers above which ``risk-first monitor`` warns."""

    sockets: Count
    threads: Count
    files_frac: Annotated[float, Field(gt=0, le=1)]
    grown_by: Count


class Doctor(_Section):
    min_disk_gb: Annotated[float, Field(ge=0)]
    max_skew_s: Seconds
    max_answer_s: Seconds
    max_delay_s: Seconds


class Operating(_Section):
    """All sections of the file."""

    log: Log
    screen: ScreenSettings
    page: Page
    alarms: Alarms
    notifications: Notifications
    monitor: MonitorLevels
    doctor: Doctor


def operating(environment: Mapping[str, str] | None = None) -> Operating:
    """The defaults, with what the file named by ``RISK_FIRST_OPERATING`` says laid over them.

    Raises
    ------
    Refusal
        That file cannot be read, or something in it is wrong.
    """
    named = (os.environ if environment is None else environment).get(VARIABLE, "")
    values = _parsed(FILE)
    if named:
        over = _parsed(Path(named))
        for section, settings in over.items():
            both = isinstance(settings, dict) and isinstance(values.get(section), dict)
            values[section] = values[section] | settings if both else settings
    try:
        return Operating.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise Refusal(f"{named or FILE.name}: {key}: {first['msg']}; see config/operating.yaml") from None


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = read_ordinary(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text"
        raise Refusal(f"{path}: {reason}; correct the path in {VARIABLE} or unset it") from None
    found = strict_yaml.parse(text, str(path))
    if not isinstance(found, dict):
        raise Refusal(f"{path}: holds no settings; see config/operating.yaml")
    return found
