#!/usr/bin/env python
"""Write docs/risk-modules.md: what every risk module, signal and bracket model does and how it is set.

Everything is read from the code: the first paragraph of a class, its settings with their bounds, the profiles
that run it, and what it says on the scenes of example_scenes.py. With --check nothing is written, and the exit
status is 1 if the file is not what would be written.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import numpy as np
from example_scenes import PRICES, Scene, book, pair_market, scenes, wish
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config import load
from config.reading.loader import profiles
from risk.brackets import BRACKETS
from risk.model import Adjustment
from strategies.registry import (
    RISK_MODULES,
    SIGNALS,
    Registry,
    build_bracket,
    build_risk_chain,
    build_signals,
    installed,
)

OUT = ROOT / "docs" / "risk-modules.md"
WIDTH = 118
UNITS = {
    "frac": "fraction of 1",
    "usd": "USD",
    "bps": "hundredths of a percent",
    "s": "seconds",
    "minutes": "minutes",
    "hour": "hour of the day",
    "days": "sessions",
    "sessions": "sessions",
    "bars": "bars",
    "period": "bars",
    "atr": "ATR",
    "r": "R",
    "lot": "shares or coins",
    "rsi": "RSI, 0–100",
    "overbought": "RSI, 0–100",
    "adx": "ADX, 0–100",
    "score": "score, 0–100",
    "correlation": "correlation",
    "ratio": "multiple",
    "multiple": "multiple",
    "factor": "multiple",
    "leverage": "multiple",
    "buckets": "price buckets",
    "positions": "positions",
    "trades": "trades",
    "gauges": "symbols",
    "funds": "symbols",
    "p": "probability",
    "z": "deviations",
    "sector": "yes or no",
    "gauge": "symbol",
    "symbol": "symbol",
    "restricted": "symbols",
    "minute": "a minute",
    "confidence": "fraction of 1",
}
"""Unit by a word of a setting's name; the last known word of the name counts."""
UNIT_FIRST = {"min_gauges": "number of gauges", "select_days": "days of the calendar"}
INTRODUCTION = """\
# Risk modules, signals and brackets

Written by `tools/document_risk_modules.py` from the code, so edit that instead. Each part is set in YAML under
the key that its section names; every value below is the default, and a value out of bounds is refused before
anything starts. What a profile sets differently is told with the profile. The examples are what the code really
says about an account of 100,000 USD; prices in them are made up.

R is the distance from the entry to the initial stop, ATR the average true range. A `lot` that is not set is
`sizing.lot`.
"""


def main(arguments: Sequence[str]) -> int:
    """Write the file, or compare with it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, and say whether the file is stale")
    asked = parser.parse_args(arguments)
    text = document()
    if not asked.check:
        OUT.write_text(text, encoding="utf-8")
    elif not OUT.is_file() or OUT.read_text(encoding="utf-8") != text:
        print(f"docs/{OUT.name} is stale: run tools/{Path(__file__).name} and commit what it writes")
        return 1
    return 0


def document() -> str:
    """The whole file."""
    risk = {name: RISK_MODULES.get(name, "docs") for name in built_in(RISK_MODULES)}
    signals = {name: SIGNALS.get(name, "docs") for name in built_in(SIGNALS)}
    chains = {p: {m.name: m.config for m in build_risk_chain(load(p))} for p in profiles()}
    enabled = {p: {s.name: s.config for s in build_signals(load(p))} for p in profiles()}
    models = {p: {(b := build_bracket(load(p))).name: b.config} for p in profiles()}
    parts = [INTRODUCTION, "## Risk modules\n\nThey run in the order of `risk.chain`."]
    parts += [section(cls, f"risk.modules.{name}", chains, said_by_module(cls)) for name, cls in risk.items()]
    parts += ["## Signals\n\n`signals.enabled` lists those that are on."]
    parts += [section(cls, f"signals.modules.{name}", enabled, said_by_signal(cls)) for name, cls in signals.items()]
    parts += ["## Bracket models\n\n`exits.model` chooses one."]
    parts += [section(cls, f"exits.models.{name}", models, said_by_bracket(cls)) for name, cls in BRACKETS.items()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def built_in(registry: Registry) -> list[str]:
    """Names without those of other packages that happen to be installed, in the registry's order."""
    return [name for name in registry.places() if name not in {entry.name for entry in installed(registry.group)}]


def section(cls: type[Any], key: str, used: Mapping[str, Mapping[str, BaseModel]], says: Iterable[str]) -> str:
    """Everything about one class; ``used`` holds by profile the configs of what is switched on."""
    doc = inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0]
    summary = textwrap.fill(f"{' '.join(plain(doc).split())} Settings: `{key}`.", WIDTH, break_on_hyphens=False)
    examples = "\n".join(f"- {line}" for line in says) or "- nothing on any of the example scenes"
    where = textwrap.fill(profiles_of(cls, used), WIDTH, break_on_hyphens=False)
    return f"### {cls.name}\n\n{summary}\n\n{where}\n\n{table(cls)}\n\nFor example:\n\n{examples}"


def profiles_of(cls: type[Any], used: Mapping[str, Mapping[str, BaseModel]]) -> str:
    """Which profiles run it, and with which settings of their own."""
    default = dict(leaves(cls.Config()))
    told = []
    for profile, configs in used.items():
        if cls.name in configs:
            own = [f"`{k}: {shown(v)}`" for k, v in leaves(configs[cls.name]) if v != default[k]]
            told.append(profile + (f" ({', '.join(own)})" if own else ""))
    return f"On in the profiles {', '.join(told)}." if told else "On in no profile."


def leaves(config: BaseModel, above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values."""
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def table(cls: type[Any]) -> str:
    """The settings as a markdown table."""
    rows: list[tuple[str, ...]] = [("parameter", "unit", "default", "bounds", "description"), ("---",) * 5]
    rows += parameters(cls.Config(), {**described(cls), **described(cls.Config)})
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def parameters(config: BaseModel, texts: Mapping[str, tuple[str, bool]], above: str = "") -> Iterator[tuple[str, ...]]:
    """The rows of one config and of those nested in it; ``texts`` is what docstrings say of its settings."""
    fields = type(config).model_fields
    common = [info.description for info in fields.values()]
    for name, info in fields.items():
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            yield from parameters(value, described(type(value)), f"{above}{name}.")
            continue
        own, (text, alone) = info.description or "", texts.get(name, ("", False))
        # A shared type describes its unit only, a paragraph about several settings none of them in particular.
        if text and (alone or not own or common.count(own) > 1):
            own = text
        own = plain(own[:1].upper() + own[1:]).rstrip(".")
        yield f"`{above}{name}`", unit(name), f"`{shown(value)}`", bounds(info), own


def described(cls: type[Any]) -> dict[str, tuple[str, bool]]:
    """First sentences of the ``Parameters`` of a class and those above it, and whether each is of one setting only."""
    found: dict[str, tuple[str, bool]] = {}
    for owner in reversed(cls.__mro__):
        _, _, listed = inspect.cleandoc(vars(owner).get("__doc__") or "").partition("Parameters\n----------\n")
        for head, body in re.findall(r"^(\w[\w, ]*) :.*\n((?:    .*\n?)+)", listed, re.MULTILINE):
            names = [name.strip() for name in head.split(",")]
            text = re.split(r"(?<=\.)\s", " ".join(body.split()))[0]
            found |= {name: (text, len(names) == 1) for name in names}
    return found


def unit(name: str) -> str:
    """Unit of a setting by its name; a dash where the name tells none."""
    known = (UNITS[word] for word in reversed(name.split("_")) if word in UNITS)
    return UNIT_FIRST.get(name) or next(known, "–")


def bounds(info: FieldInfo) -> str:
    """What a value may be."""
    if get_origin(info.annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(info.annotation))
    signs = {"gt": "> {:g}", "ge": "≥ {:g}", "lt": "< {:g}", "le": "≤ {:g}", "min_length": "at least {:g}"}
    limits = {k: getattr(mark, k) for mark in info.metadata for k in signs if getattr(mark, k, None) is not None}
    return ", ".join(signs[name].format(limits[name]) for name in signs if name in limits) or "–"


def shown(value: Any) -> str:
    """A value as it is written in YAML."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def plain(text: str) -> str:
    """Docstring markup as markdown."""
    return text.replace("``", "`")


def said_by_module(cls: type[Any]) -> list[str]:
    """The first verdict or change of each kind over the scenes, as sentences."""
    rule = cls(cls.Config())
    lines: dict[str, str] = {}
    for scene in scenes():
        for kind, line in acts(rule, scene):
            lines.setdefault(kind, line)
    return list(lines.values())


def acts(rule: Any, scene: Scene) -> Iterator[tuple[str, str]]:
    """Kind and sentence of everything a module does on a scene."""
    market, asked = scene.market(rule.needs()), scene.wish
    verdict = rule.review(asked, scene.book, market)
    who = f"{asked.quantity:g} {asked.symbol}"
    if verdict.refused:
        yield "refused", f"{who} refused: `{verdict.code}`"
    elif verdict.shrunk:
        yield "shrunk", f"{who} shrunk to {verdict.after:g}: `{verdict.code}`"
    for change in rule.manage(scene.book, market):
        yield change.kind, f"{done(change, scene)}: `{change.code}`"
    for wanted in rule.propose(scene.book, market):
        yield "proposed", f"{wanted.quantity:g} {wanted.symbol} proposed: `{wanted.reason}`"
    # Of cash a sixth is taken for the buffer, or as much as is wanted for an entry.
    if (parked := rule.park(scene.book.cash * 5 / 6, scene.book, market)) is not None:
        yield "parked", f"{parked.quantity:g} {parked.symbol} bought: `{parked.reason}`"
    for sale in rule.raise_cash(asked.notional, scene.book, market):
        yield "wanted", f"{done(sale, scene)}: `{sale.code}`"


def done(change: Adjustment, scene: Scene) -> str:
    """A change to what is held, in words."""
    held = scene.book.positions[change.symbol]
    if change.kind == "tighten":
        return f"stop of {change.symbol} moved from {held.stop:.2f} to {change.stop:.2f}"
    if change.kind == "exit":
        return f"all {abs(held.quantity):g} {change.symbol} sold"
    return f"{change.quantity:g} of {abs(held.quantity):g} {change.symbol} sold"


def said_by_signal(cls: type[Any]) -> list[str]:
    """Score and reason on the first scene, or of a pair: one of them speaks for NVDA with every built-in signal."""
    signal = cls(cls.Config())
    for market in (Scene(book(), wish(), {}).market(signal.needs()), pair_market(-0.12), pair_market(0.12)):
        score = float(signal.scores(market)[market.index["NVDA"]])
        if np.isfinite(score):
            return [f"{signal.side} NVDA, score {score:.0f}: `{signal.reason(market, 'NVDA')}`"]
    return []


def said_by_bracket(cls: type[Any]) -> list[str]:
    """The levels of one entry."""
    model = cls(cls.Config())
    market = Scene(book(), wish(), {}).market(model.needs())
    terms = model.terms(market, "NVDA", "buy", PRICES["NVDA"], 4.0, 2.5)
    return [f"entry of NVDA at {PRICES['NVDA']:g}, ATR 4, signal's stop 2.5 ATR: `{terms.label}`"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
