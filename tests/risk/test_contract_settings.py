"""Every setting of every registered module and bracket model changes something; none is only documented."""

from __future__ import annotations

import builtins
import copy
import io
import math
import os
import random
import socket
import sys
import time
import typing
from collections.abc import Iterator
from datetime import datetime
from functools import cache, partial
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

import risk.model
from risk.brackets import BRACKETS
from risk.equity_sizer import SizingConfig, size
from strategies.registry import RISK_MODULES
from tests.risk.situations import SYMBOLS, Situation, situation

MODULES = {name: RISK_MODULES.get(name, "the contract") for name in sorted(RISK_MODULES.places())}
SITUATIONS = 200


@cache
def cases() -> tuple[Situation, ...]:
    return tuple(situation(seed) for seed in range(SITUATIONS))


PARKED_AS = {"BIL": "AAPL", "SGOV": "MSFT", "SHV": "NVDA"}
"""Symbols of the situations that stand for the funds in which cash is parked."""


def module_acts(name: str, config: BaseModel, case: Situation) -> object:
    """What a module does, in numbers and warnings: a changed message is no effect."""
    rule = MODULES[name](config)
    if rule.cash_funds:
        rule = MODULES[name](config.model_copy(update={"funds": [PARKED_AS.get(f, f) for f in rule.cash_funds]}))
    usd = case.book.cash * 0.3
    parked = rule.park(usd, case.book, case.market)
    sold = [(a.kind, a.symbol, a.quantity) for a in rule.raise_cash(usd, case.book, case.market)]
    parks = parked and (parked.symbol, parked.quantity, parked.stop, parked.target)
    cash = (parks, sold, rule.ready_cash(case.book, case.market))
    verdicts = [rule.review(wish, case.book, case.market) for wish in case.wishes]
    reviews = [(v.after, v.inputs.get("warning")) for v in verdicts]
    changes = [(a.kind, a.symbol, a.quantity, a.stop) for a in rule.manage(case.book, case.market)]
    hedges = [(p.symbol, p.quantity, p.stop, p.target, p.atr) for p in rule.propose(case.book, case.market)]
    return reviews, changes, hedges, cash, rule.halts(case.book) and rule.halt_sessions


def sizing_acts(config: BaseModel, case: Situation) -> object:
    return [size(wish.resized(0), case.book, config).after for wish in case.wishes]


def bracket_acts(name: str, config: BaseModel, case: Situation) -> object:
    terms = [
        BRACKETS[name](config).terms(case.market, w.symbol, w.side, w.price, w.price * 0.02, 2.5) for w in case.wishes
    ]
    return [None if t is None else t.at(w.price) for t, w in zip(terms, case.wishes, strict=True)]


ACTORS: dict[str, tuple[type[BaseModel], typing.Any]] = {
    **{name: (cls.Config, partial(module_acts, name)) for name, cls in MODULES.items()},
    **{f"exits.{name}": (cls.Config, partial(bracket_acts, name)) for name, cls in BRACKETS.items()},
    "sizing": (SizingConfig, sizing_acts),
}


def leaves(model: type[BaseModel], config: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name in model.model_fields:
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            yield from leaves(type(value), value, (*path, name))
        else:
            yield (*path, name)


def other_values(value: object, annotation: object) -> list[object]:
    """Values to try instead; those that the config refuses are passed over."""
    if typing.get_origin(annotation) is typing.Literal:
        return [v for v in typing.get_args(annotation) if v != value]
    if isinstance(value, str):
        return [s for s in SYMBOLS if s != value]
    if isinstance(value, tuple):
        return [value[:1], value[1:], value[:3], SYMBOLS[:4]]
    if value is None:
        return [100.0, 1_000.0]
    if isinstance(value, int):
        return [7, 10, 1, 2, value + 1, value - 1, value * 2, 120]
    assert isinstance(value, float)
    factors = (0.1, 0.5, 1.1, 1.2, 1.5, 2, 7, 10_000)
    return [*(value * factor for factor in factors), value + 0.3, value - 15, value + 15, 0.0, 0.01, 0.9]


def with_value(config: BaseModel, path: tuple[str, ...], value: object) -> BaseModel | None:
    plain = config.model_dump()
    place = plain
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    try:
        return type(config).model_validate(plain)
    except ValidationError:
        return None


def annotation_of(model: type[BaseModel], path: tuple[str, ...]) -> object:
    for name in path[:-1]:
        model = typing.cast("type[BaseModel]", model.model_fields[name].annotation)
    return model.model_fields[path[-1]].annotation


FIELDS = [(actor, path) for actor, (model, _) in ACTORS.items() for path in leaves(model, model())]


@pytest.mark.parametrize(("actor", "path"), FIELDS, ids=[f"{a}.{'.'.join(p)}" for a, p in FIELDS])
def test_every_setting_has_an_effect(actor, path):
    assert has_effect(*ACTORS[actor], path), f"no other value of it changed anything in {SITUATIONS} situations"


def has_effect(model: type[BaseModel], acts: typing.Any, path: tuple[str, ...]) -> bool:
    # A setting may only count beside another one's other value.
    config = model.model_validate({"target_by": "r"}) if path == ("target_r",) else model()
    value = config
    for name in path:
        value = getattr(value, name)
    candidates = (with_value(config, path, other) for other in other_values(value, annotation_of(model, path)))
    changed = [c for c in candidates if c is not None and c != config]
    return any(acts(config, case) != acts(c, case) for c in changed for case in cases())


def test_a_setting_that_nothing_reads_is_found():
    assert has_effect(SizingConfig, lambda config, case: config.risk_frac, ("risk_frac",))
    assert not has_effect(SizingConfig, lambda config, case: config.max_notional_frac, ("risk_frac",))


@pytest.mark.parametrize("actor", ACTORS)
def test_the_same_inputs_give_the_same_answer_and_nothing_is_changed(actor):
    model, acts = ACTORS[actor]
    for seed, case in enumerate(cases()[:60]):
        before = copy.deepcopy(case.book)
        first = acts(model(), case)
        assert repr(first) == repr(acts(model(), case)) == repr(acts(model(), situation(seed)))
        assert repr(case.book) == repr(before)
        fresh = situation(seed).market
        for name in ("mark", "usable", "rsi_14", "atr_14"):
            assert repr(case.market.window(name, 10_000)) == repr(fresh.window(name, 10_000))


def forbidden(*args: object, **kwargs: object) -> None:
    raise AssertionError("a rule asked for the time, for chance or for the world outside")


class NoClock(datetime):
    now = utcnow = today = classmethod(forbidden)


@pytest.mark.parametrize("actor", ACTORS)
def test_no_clock_no_chance_no_io(actor, monkeypatch):
    model, acts = ACTORS[actor]
    config, some = model(), cases()[:60]
    with monkeypatch.context() as patch:
        shut_off(patch)
        for case in some:
            acts(config, case)


def shut_off(patch: pytest.MonkeyPatch) -> None:
    for module in [m for name, m in sys.modules.items() if name.startswith("risk.") and hasattr(m, "datetime")]:
        patch.setattr(module, "datetime", NoClock)
    for owner, name in (
        (time, "time"), (time, "monotonic"), (time, "perf_counter"), (time, "sleep"), (random, "random"),
        (builtins, "open"), (io, "open"), (os, "open"), (os, "getenv"), (socket, "socket"), (builtins, "print"),
    ):  # fmt: skip
        patch.setattr(owner, name, forbidden)


LOOKS = {
    "clock": lambda: time.time(),
    "calendar": lambda: risk.model.datetime.now(),
    "file": lambda: Path(__file__).read_text(),
    "chance": lambda: random.random(),
    "network": lambda: socket.socket(),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_look_outside_is_found(look, monkeypatch):
    with monkeypatch.context() as patch:
        shut_off(patch)
        with pytest.raises(AssertionError, match="a rule asked for"):
            look()


@pytest.mark.parametrize("name", BRACKETS)
def test_a_bracket_lies_around_the_entry_or_is_not_given(name):
    model = BRACKETS[name](BRACKETS[name].Config())
    for case in cases():
        for wish in case.wishes:
            for atr in (wish.price * 0.02, wish.price * 3, 0.0, math.nan):
                terms = model.terms(case.market, wish.symbol, wish.side, wish.price, atr, 2.5)
                if terms is None:
                    continue
                stop, target = terms.at(wish.price)
                low, high = (stop, target) if wish.side == "buy" else (target, stop)
                assert 0 < low < wish.price < high
                assert terms.side == wish.side
