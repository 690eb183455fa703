"""An error in a signal or rule of another package ends a command in one sentence with its name, file and line."""

from __future__ import annotations

import pickle
from importlib.metadata import EntryPoint

import pytest

from commands.app import main
from config import load
from config.errors import OwnCodeError, Refusal
from risk.interface import RiskModule
from strategies import registry
from strategies.own_code import guarded
from tests.risk.helpers import book, market, proposal

SIGNAL = """\
import numpy as np
from strategies.signals.base import Signal
from strategies.signals.scoring import ScoredConfig
class Mine(Signal):
    name = "mine"
    class Config(ScoredConfig):
        floor_score: float = 50.0
    def needs(self):
        return ("close",)
    def scores(self, market):
        return {scores}
    def reason(self, market, symbol):
        return "it is"
"""
RULE = """\
from risk.interface import RiskModule
class Mine(RiskModule):
    name = "mine"
    def {method}(self, *given):
        {body}
"""
RUN = ["backtest", "--quiet", "--no-report", "--profile", "swing", "--start", "2020-03-02", "--end", "2020-04-30"]
ENTER = "np.full(len(market.symbols), 80.0)"
ON = {"risk_first.signals": ["signals.enabled=[mine]"], "risk_first.risk_modules": ["risk.chain=[mine]"]}


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """Runs with a part of another package that has this text; the status and the file, and what was said of it."""

    def run(text: str, group: str = "risk_first.signals", *more: str, command: list[str] | None = None) -> str:
        name = f"own_{tmp_path.name}"
        file = tmp_path / f"{name}.py"
        file.write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        entries = [EntryPoint("mine", f"{name}:Mine", group)]
        monkeypatch.setattr(registry, "installed", lambda asked: entries if asked == group else [])
        chosen = [word for setting in ON[group] for word in ("--set", setting)]
        where = [] if command else ["--out", str(tmp_path / "run")]
        assert main([*(command or RUN), *chosen, *where, *more]) == 2
        return capsys.readouterr().err.replace(str(file), "FILE")

    return run


@pytest.mark.parametrize("engine", ["replay", "lumibot"])
@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ("np.zeros(3)[7]", "line 11: IndexError: index 7 is out of bounds for axis 0 with size 3"),
        ("np.zeros(3)", "line 10: scores gave 3 values where 8 are needed, one for each symbol"),
        ("None", "line 10: scores gave nothing; an array of numbers is needed, one for each symbol"),
    ],
)
def test_of_a_signal_s_scores(said, engine, scores, told):
    assert said(SIGNAL.replace("{scores}", scores), "risk_first.signals", "--engine", engine) == (
        f"signal mine: FILE, {told}; correct it, or take mine out of signals.enabled\n"
    )


@pytest.mark.parametrize("engine", ["replay", "lumibot"])
def test_a_signal_that_changes_the_bars_in_place_is_told_so(said, engine):
    found = said(SIGNAL.replace("{scores}", "market.values('close').sort()"), "risk_first.signals", "--engine", engine)
    assert found.startswith("signal mine: FILE, line 11: ValueError: ") and "read-only" in found
    assert "market.values(...).copy()" in found and found.count("\n") == 1


@pytest.mark.parametrize(
    ("method", "body", "told"),
    [
        ("review", "return 1 / 0", "line 5: ZeroDivisionError: division by zero"),
        ("review", "pass", "line 4: review gave nothing; return self.keep, self.shrink or self.refuse"),
        ("needs", "pass", "line 4: needs gave nothing; a list is needed"),
        ("halts", "return given[0].no_such", "line 5: AttributeError: 'Book' object has no attribute 'no_such'"),
    ],
)
def test_of_a_rule(said, method, body, told):
    found = said(RULE.replace("{method}", method).replace("{body}", body), "risk_first.risk_modules")
    assert found.startswith(f"risk module mine: FILE, {told}") and len(found.splitlines()) == 1
    assert found.endswith("; correct it, or take mine out of risk.chain\n")


ADJUST = "from risk.model import Adjustment, BracketTerms, Proposal\n" + RULE
EACH = "return [Adjustment('mine', {kind}, symbol, 'MINE', {more}) for symbol in given[0].positions]"
WISH = (
    "price = given[1].value('close', 'AAPL')\n"
    "        stop, target = price * 0.95, price * 1.1\n"
    "        return [Proposal('AAPL', {side}, 'mine', 80.0, price, 1.0, stop, target, {terms}, 10, 'x', {role})]"
)
TERMS = "BracketTerms('buy', 0.05, 0.1)"


@pytest.mark.parametrize(
    ("method", "body", "told"),
    [
        ("manage", EACH.format(kind="'tighten'", more="stop=float('nan')"), "stop nan; tighten needs a price"),
        ("manage", EACH.format(kind="'tighten'", more=""), "stop None; tighten needs a price"),
        ("manage", EACH.format(kind="'tighten'", more="stop=-1.0, short=True"), "stop -1.0; the stop of a short"),
        ("manage", EACH.format(kind="'banana'", more="quantity=1"), "kind 'banana'; write one of trim, exit, partial,"),
        ("manage", EACH.format(kind="'trim'", more="quantity=float('nan')"), "quantity nan; trim sells so many"),
        ("manage", EACH.format(kind="'partial'", more="quantity=-5"), "quantity -5; partial sells so many"),
        ("manage", "return ['sell all']", "gave a value of type str where Adjustment is needed"),
        ("manage", "yield 1 / 0", "ZeroDivisionError: division by zero"),
        ("manage", "raise SystemExit(0)", "SystemExit: 0"),
        (
            "propose",
            WISH.format(side="'buy'", terms=TERMS, role="'banana'"),
            "role 'banana'; write one of entry",
        ),
        (
            "propose",
            WISH.format(side="'sell'", terms=TERMS, role="'hedge'"),
            "side 'sell'; write one of buy",
        ),
        (
            "propose",
            WISH.format(side="'buy'", terms="BracketTerms('buy')", role="'hedge'"),
            "terms that cannot be used",
        ),
        ("propose", "return [None]", "gave nothing where Proposal is needed"),
    ],
)
def test_what_a_rule_gives_is_checked_before_anything_acts_on_it(said, method, body, told):
    text = ADJUST.replace("{method}", method).replace("{body}", body)
    found = said(text, "risk_first.risk_modules", "--set", "selection.min_confidence=0.5")
    assert found.startswith("risk module mine: FILE, line ") and told in found and len(found.splitlines()) == 1
    assert found.endswith("; correct it, or take mine out of risk.chain\n")


STOPS = SIGNAL.replace("floor_score: float = 50.0", "stop_atr: float = {stop}").replace("{scores}", ENTER)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SIGNAL.replace("return {scores}", "raise SystemExit(0)"), "FILE, line 11: SystemExit: 0; correct it"),
        ("raise SystemExit(0)\n" + SIGNAL, "FILE, line 1: SystemExit: 0"),
        (
            SIGNAL.replace("{scores}", "np.full(len(market.symbols), -20.0)"),
            "scores gave AAPL -20; a score runs from 0 to 100, and NaN is silence",
        ),
        (STOPS.replace("{stop}", "-3.0"), "signals.modules.mine.stop_atr is -3.0; a stop distance in ATR is needed"),
        (STOPS.replace("{stop}", "0.0"), "signals.modules.mine.stop_atr is 0.0; a stop distance in ATR is needed"),
        (STOPS.replace("{stop}", "float('nan')"), "signals.modules.mine.stop_atr is nan; a stop distance"),
    ],
)
def test_exit_scores_below_zero_and_stops_that_are_no_distance_are_told(said, text, told):
    found = said(text)
    assert told in found and len(found.splitlines()) == 1


def rule_of(monkeypatch, tmp_path, body: str, method: str = "review"):
    """The guarded rule with this method, as a pipeline has it."""
    name = f"own_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(
        "from risk.model import *\n" + RULE.replace("{method}", method).replace("{body}", body)
    )
    monkeypatch.syspath_prepend(tmp_path)
    entries = [EntryPoint("mine", f"{name}:Mine", "risk_first.risk_modules")]
    monkeypatch.setattr(registry, "installed", lambda asked: entries if asked == "risk_first.risk_modules" else [])
    return registry.build_risk_chain(load(overrides={"risk.chain": ["mine"]}))[0]


@pytest.mark.parametrize(
    "body",
    [
        "return self.shrink(given[0], given[0].quantity * 5, 'MINE: up')",
        "return Verdict('mine', 'MINE: up', given[0].quantity, given[0].quantity * 5)",
    ],
)
def test_a_verdict_above_what_was_proposed_keeps_and_is_told_once(monkeypatch, tmp_path, caplog, body):
    rule, wish = rule_of(monkeypatch, tmp_path, body), proposal("A", quantity=10)
    for _ in range(2):
        verdict = rule.review(wish, book(), market({"A": [10.0]}))
        assert (verdict.code, verdict.before, verdict.after, verdict.inputs) == ("OK", 10, 10, {"asked": 50})
    assert [r.getMessage() for r in caplog.records] == [
        "risk module mine: its review gave more than was proposed; a verdict raises no quantity, so nothing changed"
    ]
    assert rule.review.enlarged == 2


def test_verdicts_and_adjustments_bear_the_name_of_the_rule_that_gave_them(monkeypatch, tmp_path):
    rule = rule_of(monkeypatch, tmp_path, "return Verdict('sector_cap', 'OK', 1, given[0].quantity)")
    verdict = rule.review(proposal("A", quantity=10), book(), market({"A": [10.0]}))
    assert (verdict.module, verdict.before, verdict.after) == ("mine", 10, 10)


def test_adjustments_bear_the_name_too(monkeypatch, tmp_path):
    rule = rule_of(monkeypatch, tmp_path, "return [Adjustment('trailing_stop', 'exit', 'A', 'MINE')]", "manage")
    assert [one.module for one in rule.manage(book(), market({"A": [10.0]}))] == ["mine"]


TRADE = ["trade", "--paper", "--strategy", "combined"]


@pytest.mark.parametrize("command", [None, TRADE], ids=["backtest", "trade"])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SIGNAL.replace('    name = "mine"\n', ""), "its class has no name: write name = 'mine' in the class"),
        ("import numpy\nprice = numpy.no_such\n", "FILE, line 2: AttributeError: module 'numpy' has no attribute"),
        ("def Mine(:\n", "FILE, line 1: SyntaxError: "),
        (SIGNAL.replace("    def needs", "    def __init__(self, config):\n        1 / 0\n    def needs"),
         "line 9: ZeroDivisionError: division by zero"),
        (SIGNAL.replace('return ("close",)', "return self.config.closes"), "FILE, line 9: AttributeError: "),
    ],
)  # fmt: skip
def test_at_load_nothing_is_started(said, monkeypatch, command, text, told):
    monkeypatch.setenv("ALPACA_API_KEY", "key")
    monkeypatch.setenv("ALPACA_API_SECRET", "secret")
    found = said(text.replace("{scores}", ENTER), command=command)
    assert told in found and len(found.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("halt_sessions", "return 0", "halt_sessions gave 0; a whole number from 1 on is needed"),
        ("halt_sessions", "return 2.5", "halt_sessions gave 2.5; a whole number from 1 on is needed"),
        ("halt_sessions", "return 'two'", "halt_sessions gave a value of type str; a whole number from 1 on is needed"),
        ("cash_funds", "return 'BIL'", "cash_funds gave a value of type str; a tuple of symbols is needed"),
        ("cash_funds", "return None", "cash_funds gave nothing; a tuple of symbols is needed"),
        ("cash_funds", "return 1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_property_that_gives_what_no_desk_can_use_is_told_at_load(said, name, body, told):
    text = RULE.format(method=name, body=body).replace("    def ", "    @property\n    def ")
    found = said(text, "risk_first.risk_modules")
    assert told in found
    assert found.rstrip().endswith("take mine out of risk.chain")
    assert found.count("\n") == 1


def test_a_method_that_is_missing_is_named(said):
    text = SIGNAL.replace("{scores}", ENTER).partition("    def reason")[0]
    assert said(text).startswith("signal mine: its class has no method reason; correct it, or take mine out of")


def test_verbose_prints_the_traceback_first(said):
    found = said(SIGNAL.replace("{scores}", "1 / 0"), "risk_first.signals", "--verbose")
    assert "Traceback (most recent call last)" in found and found.splitlines()[-1].startswith("signal mine: FILE, line")


def test_it_comes_back_from_another_process():
    assert str(pickle.loads(pickle.dumps(OwnCodeError("signal mine: it fails")))) == "signal mine: it fails"


def test_to_a_trader_it_is_an_error_as_any_other():
    # A refusal in an iteration would be the journal's, which a later look may end.
    assert not issubclass(OwnCodeError, Refusal)


@pytest.mark.parametrize(("given", "refused"), [(None, False), ("it lets every entry pass", False), (7, True)])
def test_what_a_rule_does_without_volume_is_a_text_or_nothing(given, refused):
    class Mine(RiskModule):
        name = "mine"

        def without_volume(self):
            return given

    part = guarded(Mine(Mine.Config()), RiskModule, "risk module", "")
    if refused:
        with pytest.raises(OwnCodeError, match="a text is needed"):
            part.without_volume()
    else:
        assert part.without_volume() == given
