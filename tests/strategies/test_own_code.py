"""An error in a signal or rule of another package ends a command in one sentence with its name, file and line."""

from __future__ import annotations

import pickle
from importlib.metadata import EntryPoint

import pytest

from commands.app import main
from config.errors import OwnCodeError, Refusal
from strategies import registry

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
