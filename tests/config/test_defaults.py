"""A default stands in config/base.yaml alone: the code's settings models take it from there."""

from __future__ import annotations

import inspect
import re

import pytest
from pydantic import BaseModel

from config.defaults import shipped, with_defaults
from risk.brackets import BRACKETS
from risk.equity_sizer import SizingConfig
from risk.interface import ModuleConfig, RiskModule
from strategies.ensemble import EnsembleConfig
from strategies.registry import RISK_MODULES, SIGNALS

MODELS = {
    **{f"risk.modules.{n}": RISK_MODULES.get(n, "test") for n in RISK_MODULES.places()},
    **{f"signals.modules.{n}": SIGNALS.get(n, "test") for n in SIGNALS.places()},
    **{f"exits.models.{n}": cls for n, cls in BRACKETS.items()},
}
CONFIGS = {section: cls.Config for section, cls in MODELS.items()} | {
    "sizing": SizingConfig,
    "signals.ensemble": EnsembleConfig,
}


@pytest.mark.parametrize("section", CONFIGS)
def test_the_defaults_are_those_of_the_file(section):
    stated = CONFIGS[section]().model_dump(mode="json")
    lot = {"lot": shipped("sizing")["lot"]} if "lot" in stated else {}
    assert stated == {**lot, **shipped(section)}


@pytest.mark.parametrize("section", CONFIGS)
def test_the_code_repeats_none_of_them(section):
    cls = MODELS.get(section, CONFIGS[section])
    assert "default=" not in f"{cls.__doc__} {inspect.getsource(CONFIGS[section])}"
    for line in inspect.getsource(CONFIGS[section]).splitlines():
        assert not re.match(r"\s+\w+: [^=]* = [-\d(\"]", line), line


def test_a_section_that_the_file_does_not_have_leaves_a_model_alone():
    class Own(ModuleConfig):
        bars: int = 7

    with_defaults(Own, "risk.modules.of_another_package")
    assert Own().bars == 7


def test_a_module_of_the_same_name_keeps_its_own_settings_and_spoils_no_other_s():
    class Mine(RiskModule):
        name = "rebalancer"

    class Other(RiskModule):
        name = "sector_cap"

        class Config(ModuleConfig):
            own: int = 3

    assert Mine.Config is RiskModule.Config and RiskModule.Config.model_fields == {}
    assert Other.Config().model_dump() == {"own": 3}


def test_what_the_file_says_becomes_the_default_and_a_value_given_wins():
    class Cap(BaseModel):
        max_positions: int
        max_share_frac: float
        share_from_positions: int

    with_defaults(Cap, "risk.modules.sector_cap")
    assert Cap(max_positions=2).model_dump() == {**shipped("risk.modules.sector_cap"), "max_positions": 2}
