"""What every module promises, whatever it is given."""

from __future__ import annotations

import ast
import inspect
import math
import typing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from risk.equity_sizer import SizingConfig, size
from strategies.registry import RISK_MODULES
from tests.risk.helpers import book, market, module, position, proposal

MODULES = tuple(RISK_MODULES.get(name, "the contract") for name in sorted(RISK_MODULES.places()))
SYMBOLS = ("AAPL", "MSFT", "GOOGL", "NVDA", "TSLA", "SPY", "QQQ", "SH", "SQQQ", "XXX")
SECTORS = {"AAPL": "mega", "MSFT": "mega", "GOOGL": "mega", "NVDA": "semis", "TSLA": "autos"}

ODD = st.sampled_from([0.0, -1.0, math.nan, math.inf, -math.inf, 1e-300, 1e300])
PRICES = st.one_of(st.floats(0.01, 5_000), ODD)
MONEY = st.one_of(st.floats(0, 1e6), ODD)
READINGS = st.one_of(st.floats(0, 100), st.just(math.nan))
ROLES = st.sampled_from(["entry", "hedge"])


@st.composite
def situations(draw):
    marks = {s: draw(PRICES) for s in SYMBOLS}
    features = {name: {s: draw(READINGS) for s in SYMBOLS} for name in ("rsi_14", "atr_14")}
    unusable = draw(st.sets(st.sampled_from(SYMBOLS), max_size=4))
    on = market(marks, features, sectors=SECTORS, unusable=unusable)
    held = draw(st.lists(st.sampled_from(SYMBOLS), unique=True, max_size=6))
    positions = [
        position(s, draw(st.integers(-500, 500).filter(bool)), 50.0, role=draw(ROLES), best_price=draw(PRICES))
        for s in held
    ]
    state = book(*positions, equity=draw(MONEY), cash=draw(MONEY))
    wishes = [
        proposal(
            draw(st.sampled_from(SYMBOLS)),
            draw(st.integers(0, 10_000)),
            draw(PRICES),
            side=draw(st.sampled_from(["buy", "sell_short"])),
            role=draw(ROLES),
            rank=draw(st.integers(1, 6)),
            batch=draw(st.integers(1, 6)),
            size_multiplier=draw(st.sampled_from([0.0, 0.5, 1.0])),
        )
        for _ in range(3)
    ]
    return state, on, wishes


@given(situations())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_chain_never_raises_and_never_lets_more_through(situation):
    state, on, wishes = situation
    chain = [module(cls) for cls in MODULES]
    for wish in wishes:
        first = size(wish, state, SizingConfig())
        assert 0 <= first.after <= max(first.before, 0)
        current = wish.resized(first.after)
        for rule in chain:
            verdict = rule.review(current, state, on)
            assert repr(verdict) == repr(rule.review(current, state, on))
            assert verdict.module == rule.name
            assert verdict.before == current.quantity
            assert 0 <= verdict.after <= verdict.before
            assert (verdict.code == "OK") == (verdict.after == verdict.before) or verdict.before == 0
            current = current.resized(verdict.after)
        if current.quantity > 0:
            state.accept(current)


@given(situations())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_management_never_raises_and_never_sells_more_than_is_held(situation):
    state, on, _ = situation
    for rule in (module(cls) for cls in MODULES):
        for change in rule.manage(state, on):
            assert change.module == rule.name
            assert change.code.startswith(f"{rule.name.upper()}: ")
            assert 0 <= change.quantity < abs(state.positions[change.symbol].quantity)
            assert (change.kind in ("trim", "partial")) == (change.quantity > 0)
            assert (change.kind == "tighten") == (change.stop is not None)
        for wish in rule.propose(state, on):
            assert wish.role == "hedge"
            assert wish.quantity > 0
            assert on.usable(wish.symbol)
            assert 0 < wish.stop < wish.price < wish.target


@pytest.mark.parametrize("cls", MODULES)
def test_a_module_is_named_after_its_file(cls):
    assert cls.__module__ == f"risk.{cls.name}"


@pytest.mark.parametrize("cls", MODULES)
def test_a_module_reads_no_clock_and_does_no_io(cls):
    tree = ast.parse(Path(inspect.getfile(cls)).read_text(encoding="utf-8"))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    allowed = {"__future__", "collections.abc", "typing", "math", "numpy", "pydantic"}
    assert {name for name in imported if not name.startswith(("market.", "risk."))} <= allowed
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"open", "print", "input", "exec", "eval", "__import__"}


def fields(config):
    """Every field, those of nested configs too."""
    for info in config.model_fields.values():
        yield info
        if isinstance(info.annotation, type) and hasattr(info.annotation, "model_fields"):
            yield from fields(info.annotation)


@pytest.mark.parametrize("config", [SizingConfig, *(cls.Config for cls in MODULES)], ids=lambda c: c.__qualname__)
def test_settings_are_strict_frozen_and_documented(config):
    assert config.model_config["strict"]
    assert config.model_config["frozen"]
    assert config.model_config["extra"] == "forbid"
    assert config() == config.model_validate(config().model_dump())
    for info in fields(config):
        nested = isinstance(info.annotation, type) and hasattr(info.annotation, "model_fields")
        assert nested or info.description
        bounded = any(type(mark).__name__ in {"Ge", "Gt", "Le", "Lt"} for mark in info.metadata)
        assert bounded or typing.get_origin(info.annotation) or info.annotation not in {int, float}


@pytest.mark.parametrize("cls", MODULES)
def test_the_docstring_names_every_setting(cls):
    for name in cls.Config.model_fields:
        assert name in cls.__doc__, name
