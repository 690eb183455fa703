"""What every module promises, whatever it is given."""

from __future__ import annotations

import ast
import copy
import inspect
import math
import pickle
import re
import typing
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from risk.brackets import BRACKETS
from risk.cash_sweep import CashSweep
from risk.equity_sizer import SizingConfig
from risk.interface import RiskModule
from risk.lots import EPSILON
from risk.model import DeployedBudget
from strategies.pipeline import Pipeline, Selection
from strategies.registry import RISK_MODULES
from tests.brokers.harness import OPEN_GATE
from tests.risk.helpers import NOW, book, market, module, position, proposal

MODULES = tuple(RISK_MODULES.get(name, "the contract") for name in sorted(RISK_MODULES.places()))
SYMBOLS = ("AAPL", "MSFT", "GOOGL", "NVDA", "TSLA", "SPY", "QQQ", "SH", "SQQQ", "XXX")
SECTORS = {"AAPL": "mega", "MSFT": "mega", "GOOGL": "mega", "NVDA": "semis", "TSLA": "autos"}

ODD = st.sampled_from([0.0, -1.0, math.nan, math.inf, -math.inf, 1e-300, 1e300])
PRICES = st.one_of(st.floats(0.01, 5_000), ODD)
MONEY = st.one_of(st.floats(0, 1e6), ODD)
READINGS = st.one_of(st.floats(0, 100), st.just(math.nan))


BARS = 64
LOOSE = {"entry_gates": {"max_positions": 30, "min_confidence": 0.0, "interval_s": 0.0, "entries_a_minute": 100}}
"""Settings with which a rule that refuses nearly everything lets the others speak."""
PLAIN_MODULES = [module(cls, **LOOSE.get(cls.name, {})) for cls in MODULES]


@st.composite
def situations(draw):
    """A book and a market in which entries are possible, and in every fourth one a few readings that are no numbers."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    odd = draw(st.integers(0, 3)) == 0
    moves = random.normal(0, 0.004, (BARS, len(SYMBOLS)))
    # Mostly the price has stayed where it is for a while, so that much was traded near it.
    moves[-25:] *= random.choice([0.01, 0.01, 0.01, 1.0])
    closes = random.uniform(5, 400, len(SYMBOLS)) * np.exp(np.cumsum(moves, axis=0))
    marks = {s: closes[:, k] for k, s in enumerate(SYMBOLS)}
    if odd:
        marks |= {draw(st.sampled_from(SYMBOLS)): np.append(closes[:-1, 0], draw(ODD)) for _ in range(2)}
    last = {s: float(mark[-1]) for s, mark in marks.items()}
    readings = {
        "rsi_14": {s: draw(READINGS) if odd else random.uniform(10, 95) for s in SYMBOLS},
        "atr_14": {s: draw(READINGS) if odd else last[s] * 0.02 for s in SYMBOLS},
        "higher_ema_9": {s: last[s] * random.choice([0.99, *[1.01] * 6]) for s in SYMBOLS},
        "higher_ema_21": last,
        "session_rows_20": dict.fromkeys(SYMBOLS, 40.0),
    }
    unusable = draw(st.sets(st.sampled_from(SYMBOLS), max_size=2))
    on = market(marks, readings, sectors=SECTORS, unusable=unusable)
    equity = draw(MONEY) if odd else float(random.uniform(50_000, 200_000))
    held = random.choice(SYMBOLS, random.integers(0, 4), replace=False).tolist()
    positions = [
        position(
            s, int(random.choice([-20, 10, 50, 300])), 50.0, role=str(random.choice(["entry", "entry", "hedge"])),
            best_price=draw(PRICES) if odd else 55.0,
        )
        for s in held
    ]  # fmt: skip
    state = replace(
        book(*positions, equity=equity, cash=draw(MONEY) if odd else equity * float(random.uniform(0.15, 1))),
        equity_peak=equity * float(random.choice([1.0, 1.0, 1.02, 1.05])),
        session_open_equity=equity * float(random.choice([0.99, 1.0, 1.02, 1.05])),
        budget=DeployedBudget(
            day=NOW.date(),
            day_usd=equity * float(random.choice([0, 0, 0, 0.05, 0.15])),
            day_positions=int(random.choice([0, 0, 0, 1])),
            week_usd=equity * float(random.choice([0, 0.1, 0.3])),
            week_positions=int(random.integers(0, 10)),
        ),
    )
    wishes = [
        proposal(
            symbol,
            draw(st.integers(0, 10_000)) if odd else int(random.integers(1, 3_000)),
            last[symbol],
            side=str(random.choice(["buy", "buy", "buy", "sell_short"])),
            role=str(random.choice(["entry", "entry", "hedge"])),
            rank=int(random.choice([1, 2, 3, 6])),
            batch=int(random.integers(1, 6)),
            size_multiplier=float(random.choice([0.5, 1.0, 1.0])),
        )
        for symbol in random.choice(SYMBOLS, 4, replace=False).tolist()
    ]
    return state, on, wishes


class Wishes(RiskModule):
    """Proposes what it was given, so that the pipeline judges it."""

    name = "wishes"

    def __init__(self, wishes):
        super().__init__(self.Config())
        self.wishes = wishes

    def propose(self, book, market):
        return self.wishes


def judged(chain, state, on, wishes):
    """The pipeline's plan, when ``wishes`` are all that is wanted."""
    rules = Pipeline(
        signals=[], chain=[Wishes(wishes), *chain], bracket=BRACKETS["fixed"](BRACKETS["fixed"].Config()),
        sizing=SizingConfig(), selection=Selection(60, 70, 5, 2), gate=OPEN_GATE, universe=SYMBOLS,
        windows=(),
    )  # fmt: skip
    return rules.decide(on, state)


def test_a_chain_never_raises_and_what_it_lets_through_every_rule_lets_through():
    """In any order: no verdict enlarges, and a rule asked alone keeps what the whole chain accepted."""
    seen: Counter[str] = Counter()

    @given(situations(), st.randoms(use_true_random=False))
    @settings(max_examples=300, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    def check(situation, random):
        state, on, wishes = situation
        shuffled = random.sample(PLAIN_MODULES, len(PLAIN_MODULES))
        for chain in (PLAIN_MODULES, shuffled):
            plan = judged(chain, state, on, wishes)
            assert repr(plan) == repr(judged(chain, state, on, wishes))
            counted = state
            for decision in plan.decisions:
                before = math.inf
                for verdict in decision.verdicts:
                    assert 0 <= verdict.after <= max(verdict.before, 0)
                    assert verdict.before <= before
                    if verdict.code == "OK":
                        assert verdict.after == verdict.before
                    elif verdict.after == verdict.before > 0:
                        assert verdict.inputs["warning"]
                    before = verdict.after
                    seen[verdict.module] += chain is PLAIN_MODULES and verdict.before > 0
                if decision.final_quantity > 0:
                    accepted = decision.proposal
                    for rule in PLAIN_MODULES:
                        assert rule.review(accepted, counted, on).after == accepted.quantity, rule.name
                    counted = counted.accepting(accepted)
                    seen["accepted"] += chain is PLAIN_MODULES

    check()
    assert seen["accepted"] >= 100, seen
    reviewers = [m.name for m in PLAIN_MODULES if type(m).review is not RiskModule.review]
    assert len(reviewers) >= 9 and all(seen[name] >= 50 for name in reviewers), seen


def test_a_rule_that_changes_the_book_is_stopped():
    state = book(position("NVDA", 10), pending=[proposal("AMD")])
    for change in (
        lambda: state.positions.pop("NVDA"),
        lambda: state.positions.update(X=position("X", 1)),
        lambda: state.pending.clear(),
        lambda: state.positions.__setitem__("X", position("X", 1)),
        lambda: state.pending.__delitem__("AMD"),
        lambda: setattr(state.positions["NVDA"], "quantity", 1),
        lambda: setattr(state, "cash", 1.0),
        lambda: state.closed_trades.append(None),
    ):
        with pytest.raises((TypeError, AttributeError)):
            change()
    # A recorded book is data like any other.
    assert repr(copy.deepcopy(state)) == repr(pickle.loads(pickle.dumps(state))) == repr(state)


@given(situations())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_management_never_raises_and_never_sells_more_than_is_held(situation):
    state, on, _ = situation
    parks = module(CashSweep, funds=["NVDA", "AAPL", "XXX"])
    for rule in (*(module(cls) for cls in MODULES), parks):
        assert "\n" not in rule.status(state, on)
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
        for usd in (math.nan, -1.0, 0.0, 10_000.0, 1e9):
            if (wish := rule.park(usd, state, on)) is not None:
                assert wish.symbol in rule.cash_funds and not state.held(wish.symbol) and on.usable(wish.symbol)
                assert 0 < wish.notional <= usd * (1 + EPSILON) and 0 < wish.stop < wish.price < wish.target
            for sale in rule.raise_cash(usd, state, on):
                held = state.positions[sale.symbol].quantity
                assert sale.symbol in rule.cash_funds and 0 <= sale.quantity < held
                assert (sale.kind == "trim") == (sale.quantity > 0) and sale.code.startswith(f"{rule.name.upper()}: ")


@pytest.mark.parametrize("cls", MODULES)
def test_a_module_is_named_after_its_file(cls):
    assert cls.__module__ == f"risk.{cls.name}"


@pytest.mark.parametrize("cls", MODULES)
def test_a_module_reads_no_clock_and_does_no_io(cls):
    tree = ast.parse(Path(inspect.getfile(cls)).read_text(encoding="utf-8"))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    allowed = {"__future__", "collections", "collections.abc", "typing", "math", "numpy", "pydantic"}
    allowed |= {"config.values.closed_trades", "config.values.counting"}
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


@pytest.mark.parametrize("cls", [cls for cls in MODULES if cls.review is not RiskModule.review])
def test_a_rule_that_refuses_says_what_would_have_to_change(cls):
    assert len(cls.remedy) > 10
    for key in re.findall(r"risk\.modules\.(\w+)\.(\w+)", cls.remedy):
        assert key[0] == cls.name and key[1] in cls.Config.model_fields
