"""Each scene of the demonstration holds, and fails where the rule that it shows is switched off."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from brokers import budget_file
from brokers.desk.entry_halts import KillLevel, KillSwitch
from brokers.desk.execution.protection import Protector
from brokers.operator import cleanup
from commands.app import main
from commands.demonstration import programme
from commands.demonstration.programme import ORDER, SCENES, Played, chosen, play
from strategies.registry import STRATEGIES
from tests.backtests import planted

Patch = pytest.MonkeyPatch


def nothing(patch: Patch) -> None:
    """Settings alone switch the rule off."""


def no_protection(patch: Patch) -> None:
    patch.setattr(Protector, "tend", lambda self, symbol: None)


def no_dust(patch: Patch) -> None:
    patch.setattr(cleanup, "DUST_USD", 0)


def no_kill_switch(patch: Patch) -> None:
    patch.setattr(KillSwitch, "level", property(lambda self: KillLevel.OFF))


def no_checksum(patch: Patch) -> None:
    patch.setattr(budget_file, "_checksum", lambda body: "always the same")


def a_leak(patch: Patch) -> None:
    patch.setitem(STRATEGIES._built_in, "planted", "tests.backtests.planted:PeeksADayAhead")
    patch.setattr(planted, "SYMBOL", "KO")


WIDE_GATE = (
    "gate.max_order_notional_frac=1.0", "gate.max_day_notional_frac=4.0", "gate.max_new_positions=100",
    "gate.min_cash_frac=0.0",
)  # fmt: skip
OFF: dict[str, tuple[tuple[str, ...], Callable[[Patch], None]]] = {
    "size": (("sizing.max_notional_frac=1.0", *WIDE_GATE), nothing),
    "hands": (("sizing.max_notional_frac=0.5", *WIDE_GATE), nothing),
    "killed": (("exits.models.fixed.stop_frac=0.3",), nothing),
    "cancelled": ((), no_protection),
    "cleanup": ((), no_dust),
    "sectors": (("risk.chain-=sector_cap",), nothing),
    "widths": (("exits.model=fixed",), nothing),
    "stop-outs": (("exits.model=fixed",), nothing),
    "hedge": (("risk.chain-=inverse_hedge",), nothing),
    "winner": (("risk.chain-=trailing_stop",), nothing),
    "bad-day": (("risk.chain-=drawdown_halt",), nothing),
    "kill": ((), no_kill_switch),
    "budget": ((), no_checksum),
    "lookahead": (("strategy=planted",), a_leak),
    "own-bot": (WIDE_GATE, nothing),
}
"""By scene: the settings, or the change of the program, that switch off what it shows."""


def played(name: str, *settings: str) -> Played:
    return next(play(chosen([name]), settings))


@pytest.mark.slow  # Half a minute: the whole demonstration, as it is shown.
def test_every_scene_holds(capsys):
    assert main(["demo"]) == 0
    screen = capsys.readouterr().out
    assert f"{len(SCENES)} of {len(SCENES)} scenes hold" in screen
    assert max(len(line) for line in screen.splitlines()) <= 80
    assert all(scene.title in screen for scene in SCENES)


# One needs a process of its own.
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n == "killed" else []) for n in ORDER])
def test_a_scene_fails_without_its_rule(name, monkeypatch):
    settings, change = OFF[name]
    change(monkeypatch)
    one = played(name, *settings)
    assert not one.seen.passed
    failing = [claim for claim, holds in one.seen.checks if not holds]
    assert not any(claim.startswith("played to its end") for claim in failing), failing


@pytest.mark.parametrize("name", ["size", "hedge", "cancelled"])
def test_a_scene_holds_with_it(name):
    one = played(name)
    assert one.seen.passed, one.seen.checks
    assert one.seen.lines


def test_what_breaks_is_a_failing_check_and_the_next_scene_is_played(monkeypatch, capsys):
    monkeypatch.setattr("commands.demonstration.bars.overheated", None)
    monkeypatch.setattr("commands.demonstration.limits.overheated", lambda: 1 / 0)
    assert main(["demo", "--only", "hedge", "--only", "size", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(scene["name"], scene["passed"]) for scene in found["scenes"]] == [("size", True), ("hedge", False)]
    assert "ZeroDivisionError" in found["scenes"][1]["checks"][0]["claim"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["--only", "nine"], "--only nine: is no scene; there are size, hands"), (["--set", "sizing.risk=1"], "sizing")],
)
def test_wrong_words_are_refused(arguments, told, capsys):
    assert main(["demo", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_scene_without_a_check_proves_nothing():
    assert not programme.Seen().passed
