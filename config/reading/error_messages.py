"""Turns what pydantic found wrong into one sentence: which file, which key, which value, what would be right."""

from __future__ import annotations

import difflib
import json
import types
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.reading.former_names import former_setting
from config.values.masking import redacted
from config.values.provenance import Provenance

LONGEST_VALUE = 60
NEAR = 0.75
"""Likeness, 0 to 1, from which on a name is offered instead of another."""
FRACTION_ENDINGS = ("_frac", "_confidence")
_WANTED = {
    "float_type": "write a number without quotes",
    "float_parsing": "write a number without quotes",
    "finite_number": "write a finite number",
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "string_type": "write text (in quotes if it looks like a number)",
    "string_too_short": "it must not be empty",
    "string_pattern_mismatch": "write it without characters that cannot be seen",
    "list_type": "write a list, e.g. [A, B]",
    "tuple_type": "write a list, e.g. [A, B]",
    "dict_type": "it is a section: write its keys below it",
    "model_type": "it is a section: write its keys below it",
    "model_attributes_type": "it is a section: write its keys below it",
    "too_short": "it must not be empty",
}
_BOUNDS = {
    "greater_than": ("gt", "it must be above"),
    "greater_than_equal": ("ge", "it must be at least"),
    "less_than": ("lt", "it must be below"),
    "less_than_equal": ("le", "it must be at most"),
}


def told(value: Any) -> str:
    """A value as YAML would have it, shortened, without a password in it."""
    text = redacted(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"


def no_file(path: Path) -> str:
    """Why a path is no file that could be read as a whole."""
    if not path.exists():
        return "there is no such file"
    return "is a folder" if path.is_dir() else "is no ordinary file"


def some(names: Sequence[str]) -> str:
    """Up to five of the names, and how many more there are."""
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def nearest(word: str, known: Iterable[str]) -> str:
    """The one that is really near; empty if none is."""
    return next(iter(difflib.get_close_matches(word, sorted(known), n=1, cutoff=NEAR)), "")


def closest(word: str, known: Iterable[str]) -> str:
    """``did you mean …?`` if one is really near, else the list of what is known: a far guess misleads."""
    names = sorted(known)
    if near := nearest(word, names):
        return f"did you mean {near}?"
    return f"known here: {', '.join(names)}" if names else "nothing is known here"


def sentence(error: ValidationError, model: type[BaseModel], provenance: Provenance, prefix: str = "") -> str:
    """The first error of a validation, told to whoever wrote the setting.

    Parameters
    ----------
    error : ValidationError
        What pydantic found.
    model : type of BaseModel
        The model that was validated: what else could have been written.
    provenance : Provenance
        Where each setting comes from.
    prefix : str, optional
        Dotted key of the section that was validated.
    """
    # An unknown key explains a missing one, so it is told first.
    first = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
    path = [part[:LONGEST_VALUE] if isinstance(part, str) else part for part in first["loc"] if part != "[key]"]
    dotted = ".".join([*([prefix] if prefix else []), *(str(part) for part in path)])
    contradiction = first.get("ctx", {}).get("error")
    keys = getattr(contradiction, "keys", ())
    if keys:
        return f"{provenance.newest(keys)}: {contradiction}"
    if first["type"] == "value_error" and isinstance(first["input"], Mapping):
        # A check over a whole section names its keys itself, and a dump of the section would help nobody.
        return f"{provenance.within(dotted)}: {dotted}: {contradiction}"
    return f"{provenance.of(dotted)}: {_problem(first, path, dotted, model)}"


def _problem(first: ErrorDetails, path: list[int | str], dotted: str, model: type[BaseModel]) -> str:
    kind, value, context = first["type"], first["input"], first.get("ctx", {})
    if kind == "extra_forbidden":
        known = _fields_at(model, path[:-1])
        parent = dotted.rpartition(".")[0]
        if meant := former_setting(dotted):
            # Several modules have a setting of that name: whoever wrote the section means its own.
            setting = meant.partition(",")[0].rpartition(".")[2]
            here = f"{parent}.{setting}" if parent and setting in known else meant
            return f"{dotted} is not a setting; here it is {here}"
        hint = closest(str(path[-1]), known)
        near = hint.removeprefix("did you mean ").removesuffix("?")
        return f"{dotted} is not a setting; " + (f"did you mean {parent}.{near}?" if parent and near in known else hint)
    if kind == "missing":
        return f"{dotted} is missing; set it"
    stated = f"{dotted} is {told(value)}"
    if percent := _percent(dotted, kind, value, context):
        return f"{stated}; it is a fraction of 1, {percent}"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{stated}; {words} {context[name]:g}"
    if kind == "literal_error":
        return f"{stated}; write one of {context['expected']}"
    if kind == "value_error":
        return f"{stated}; {context['error']}"
    return f"{stated}; {_WANTED.get(kind, first['msg'])}"


def _percent(dotted: str, kind: str, value: Any, context: Mapping[str, Any]) -> str:
    """What to write for a percentage where a fraction belongs; empty if that is not the mistake."""
    if not dotted.endswith(FRACTION_ENDINGS):
        return ""
    number = value
    if isinstance(value, str) and value.endswith("%"):
        try:
            number = float(value[:-1])
        except ValueError:
            return ""
    elif kind not in {"less_than", "less_than_equal"}:
        return ""
    if isinstance(number, bool) or not isinstance(number, int | float):
        return ""
    limit = context.get("le", context.get("lt", 1))
    if limit > 1 and number is value:
        # A number above such a limit is as likely a multiple as it is a percentage.
        return f"at most {limit:g} ({limit:.0%}); write {number / 100:g} if {number:g}% is meant"
    if not 0 <= number / 100 <= limit:
        return f"write a number from 0 to {limit:g}"
    return f"write {number / 100:g} for {number:g}%"


def _fields_at(model: type[BaseModel], path: list[int | str]) -> list[str]:
    """Names of the settings below ``path``."""
    for part in path:
        field = model.model_fields.get(str(part))
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType):
        return next((m for m in map(_model_in, get_args(annotation)) if m), None)
    return None
