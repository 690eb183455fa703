"""The shipped defaults as the one place where a number stands: what ``config/base.yaml`` says of a section."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from config.reading import strict_yaml

BASE = Path(__file__).parent / "base.yaml"


@cache
def _base() -> Mapping[str, Any]:
    base: Mapping[str, Any] = strict_yaml.parse(BASE.read_text(encoding="utf-8"), "config/base.yaml")
    return base


def shipped(section: str) -> dict[str, Any]:
    """What ``config/base.yaml`` sets below a dotted key; empty for a section that it doesn't have."""
    found: Any = _base()
    for part in section.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def with_defaults(model: type[BaseModel], section: str) -> None:
    """Give the fields of a settings model the values of a section of ``config/base.yaml`` as their defaults.

    Parameters
    ----------
    model : type of BaseModel
        Its fields need no defaults of their own. ``lot`` is ``sizing.lot`` where the section has none.
    section : str
        Dotted key, e.g. ``risk.modules.sector_cap``. A section that is not in the file leaves the model as it is:
        a module of another package brings its own defaults.
    """
    values = shipped(section)
    # Another package's module may have the name of one of ours; the registry refuses it, not this.
    if not values or not values.keys() <= model.model_fields.keys():
        return
    if "lot" in model.model_fields:
        values = {"lot": shipped("sizing")["lot"], **values}

    @cache
    def stated() -> BaseModel:
        # Through JSON: there a list may stand for a tuple even where types are strict.
        return model.model_validate_json(json.dumps(values))

    def value_of(name: str) -> Callable[[], Any]:
        return lambda: getattr(stated(), name)

    for name in values:
        field = model.model_fields[name] = copy.copy(model.model_fields[name])
        # The values are read at the first use, by the one validator that is built then.
        field.default, field.default_factory = PydanticUndefined, value_of(name)
    if not model.model_config.get("defer_build"):
        model.model_rebuild(force=True)
