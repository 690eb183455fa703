"""Seeded random settings: near the defaults, far from them, of the wrong kind, and text that is no YAML."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache
from random import Random
from typing import Any

import yaml

from config.reading.loader import FOLDER

TEXTS = (
    "!!int a", "!!set {a}", "!!timestamp x", "!!binary =", "&a [*a]", "<<: {a: 1}", "[" * 500, "{" * 30, "- -", "? a",
    "|\n x", "'", '"', "#", "%TAG", "---", "...", "\t", "@x", "`", "null", "~", "ON", "NO", "0x1F", "1_000", "10:30",
    "2020-01-01", "1e999", "-1e-999", ".nan", ".inf", "-.INF", "9" * 41, "9" * 5_000, "1" + "." * 9, "\x00",
    "\x1b[2J", "\u202e", "\u2028", "\ufeff", "\ud800", "http://x", "http://u:p@x", "file:///etc/passwd", "../../x", "/",
    "a" * 9_000, "NVDA", "[NVDA, NVDA]", "[nvda]", "{NVDA: mega_tech}", "30S", "0M", "1Y", "True", "yes", "=", "==", "",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 100, 1e-12, 1e9, 1e18, -0.5, 0.5, 0.999, 1.001, math.nan, math.inf, -math.inf, 10**30, 10**400)


@cache
def defaults() -> Mapping[str, Any]:
    """Every setting there is by its dotted key; lists and empty sections are one."""

    def walk(above: str, section: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for key, value in section.items():
            dotted = f"{above}.{key}" if above else key
            yield dotted, value
            if isinstance(value, dict):
                yield from walk(dotted, value)

    return dict(walk("", yaml.safe_load((FOLDER / "base.yaml").read_text(encoding="utf-8"))))


def near(rng: Random, value: Any) -> Any:
    """A value of the same kind, as somebody might choose it."""
    match value:
        case bool():
            return rng.random() < 0.5
        case int():
            return max(0, round(value * rng.choice([0.5, 1, 1, 2, 3]) + rng.choice([-1, 0, 0, 1])))
        case float():
            return round(value * rng.choice([0.1, 0.5, 0.9, 1, 1.1, 2, 5]), 6)
        case list() if value:
            return rng.sample(value, rng.randint(1, len(value)))
    return value


def value_of(rng: Random, value: Any) -> Any:
    """A value that may be anything."""
    kind = rng.random()
    if kind < 0.45:
        return near(rng, value)
    if kind < 0.65:
        return rng.choice(TEXTS)
    if kind < 0.8:
        return rng.choice(NUMBERS)
    if kind < 0.9:
        return rng.choice([[], {}, [[]], {"": 1}, {"a": {"b": {}}}, [None], [1, "a"], {"x": [value]}])
    return "".join(chr(rng.choice([rng.randrange(32, 127), rng.randrange(0x2FFF)])) for _ in range(rng.randint(0, 30)))


def pairs(rng: Random) -> list[str]:
    """What is given with ``--set``."""
    keys = list(defaults())
    found = []
    for _ in range(rng.randint(1, 4)):
        key = rng.choice(keys)
        value = value_of(rng, defaults()[key])
        if rng.random() < 0.05:
            key = rng.choice([key + ".x", key[:-1], key.upper(), "." + key, key + ".", "", "x", ".".join("a" * 3_000)])
        text = value if isinstance(value, str) else _text(value)
        found.append(f"{key}={text.strip() if rng.random() < 0.9 else text}")
    return found


@cache
def _files() -> tuple[str, ...]:
    shipped = [FOLDER / "base.yaml", *sorted((FOLDER / "profiles").glob("*.yaml"))]
    return tuple(path.read_text(encoding="utf-8") for path in shipped)


def file_content(rng: Random) -> bytes:
    """A part of a shipped file after some accidents, or bytes."""
    if rng.random() < 0.1:
        return rng.randbytes(rng.randint(0, 300))
    lines = rng.choice(_files()).splitlines(keepends=True)
    first = rng.randrange(len(lines))
    data = bytearray("".join(lines[first : first + rng.randint(1, 40)]).encode())
    for _ in range(rng.randint(0, 4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0:
                del data[at : at + rng.randint(1, 20)]
            case 1:
                data[at:at] = rng.choice(TEXTS).encode("utf-8", "surrogatepass")
            case 2:
                data[at:at] = data[max(0, at - 40) : at]
            case 3:
                data[at:at] = rng.randbytes(3)
            case 4:
                data = bytearray(data.decode("latin-1").encode("utf-16")) if rng.random() < 0.2 else data
    return bytes(data)


def caps(rng: Random) -> list[str]:
    """Settings that change what the caps are, near the defaults, so that most are accepted."""
    limits = [
        key for key, value in defaults().items()
        if key.startswith(("risk.modules.", "gate.", "sizing.", "selection.", "exits.", "fills."))
        and isinstance(value, int | float)
    ]  # fmt: skip
    chosen = {key: near(rng, defaults()[key]) for key in rng.sample(limits, rng.randint(1, 6))}
    # The shipped gate lets two of ten percent through; a wider one lets the rules above it work.
    if rng.random() < 0.7:
        chosen |= {"gate.max_day_notional_frac": 4.0, "gate.max_new_positions": 10, "gate.max_order_notional_frac": 1.0}
    chosen |= {"signals.enabled": rng.sample(["mean_reversion", "momentum", "trend"], rng.randint(1, 3))}
    chosen |= {"selection.min_confidence": rng.choice([0.1, 0.5, 0.6])}
    return [f"{key}={_text(value)}" for key, value in chosen.items()]


def _text(value: Any) -> str:
    return str(yaml.safe_dump(value, default_flow_style=True)).removesuffix("...\n")
