"""Finding modules by name, and what is said about a wrong one."""

from __future__ import annotations

import sys
import types
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from config import Refusal, load
from risk.interface import ModuleConfig, RiskModule
from strategies import registry
from strategies.registry import (
    RISK_MODULES,
    SIGNALS,
    STRATEGIES,
    build_bracket,
    build_pipeline,
    build_risk_chain,
    build_signals,
)


class Nightcap(RiskModule):
    """A third party's module."""

    name = "nightcap"

    class Config(ModuleConfig):
        drinks: int
        toasts: tuple[str, ...] = ()


@pytest.fixture
def install(monkeypatch):
    """Make entry points appear as if packages had been installed."""
    module = types.ModuleType("pub")
    module.Nightcap, module.Stranger = Nightcap, dict
    monkeypatch.setitem(sys.modules, "pub", module)

    def appear(group: str, **entries: str) -> None:
        found = [EntryPoint(name, value, group) for name, value in entries.items()]
        monkeypatch.setattr(registry, "installed", lambda asked: found if asked == group else [])

    return appear


def refusal(build, *overrides: str, **arguments) -> str:
    with pytest.raises(Refusal) as caught:
        build(load(overrides=overrides, **arguments))
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_the_chain_has_the_order_of_the_settings():
    names = ["rebalancer", "cash_buffer", "sector_cap"]
    chain = build_risk_chain(load(overrides=[f"risk.chain=[{', '.join(names)}]"]))
    assert [module.name for module in chain] == names
    assert build_risk_chain(load(overrides=["risk.chain=[]"])) == ()


def test_every_built_in_is_where_the_registry_says():
    for known in (RISK_MODULES, SIGNALS):
        for name in known.places():
            assert known.get(name, name).name == name
    assert STRATEGIES.places()["combined"] == "strategies.combined:CombinedStrategy"


@pytest.mark.parametrize(
    ("build", "override", "told"),
    [
        (
            build_risk_chain,
            "risk.chain=[sector_cp]",
            "--set: risk.chain: sector_cp is not a known risk module; did you",
        ),
        (build_risk_chain, "risk.modules..x=1", "--set risk.modules..x: write --set KEY=VALUE"),
        (
            build_signals,
            "signals.enabled=[rsi]",
            "--set: signals.enabled: rsi is not a known signal; known here: mean_",
        ),
        (build_bracket, "exits.model=atrr", "--set: exits.model: atrr is not a known bracket model; did you mean atr?"),
        (build_bracket, "exits.models..x=1", "--set exits.models..x: write --set KEY=VALUE"),
        (
            build_risk_chain,
            "risk.modules.sector_cap.max_share_frac=40",
            "--set: risk.modules.sector_cap.max_share_frac is 40; it is a fraction of 1, write 0.4 for 40%",
        ),
        (
            build_risk_chain,
            "risk.modules.sector_cap.max_share=1",
            "--set: risk.modules.sector_cap.max_share is not a setting; did you mean "
            "risk.modules.sector_cap.max_share_frac?",
        ),
        (
            build_risk_chain,
            "risk.modules.inverse_hedge.plain.levrage=1",
            "--set: risk.modules.inverse_hedge.plain.levrage is not a setting; did you mean "
            "risk.modules.inverse_hedge.plain.leverage?",
        ),
        (build_risk_chain, "risk.modules.inverse_hedge.gauges=[AAPL, 5]", "gauges.1 is 5; write text"),
        (build_risk_chain, "risk.modules.inverse_hedge.clear_frac=0.9", "--set: risk.modules.inverse_hedge: "),
        (build_risk_chain, "risk.modules.cash_buffer.buffer_frac=0.99", "nothing could ever be entered"),
        (build_signals, "signals.modules.vwap.stop_atr=-1", "--set: signals.modules.vwap.stop_atr is -1; it must be"),
        (
            build_bracket,
            "exits.models.atr.target_by=x",
            "exits.models.atr.target_by is \"x\"; write one of 'atr' or 'r'",
        ),
        (build_bracket, "exits.models.adaptive_atr.regime.adx_choppy=30", "--set: exits.models.adaptive_atr.regime: "),
    ],
)
def test_wrong_settings_are_told_like_any_other(build, override, told):
    assert told in refusal(build, override)


def test_the_file_is_named(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("risk: {modules: {sector_cap: {max_share_frac: 40}}}\n")
    assert refusal(build_risk_chain, files=[path]).startswith(f"{path}: risk.modules.sector_cap.max_share_frac is 40")


def test_settings_outside_the_chain_are_allowed_and_checked():
    build_risk_chain(load(overrides=["risk.chain=[]", "risk.modules.sector_cap.max_positions=2"]))
    assert "must be at least 1" in refusal(build_risk_chain, "risk.chain=[]", "risk.modules.sector_cap.max_positions=0")


def test_one_lot_holds_everywhere_unless_a_module_says_otherwise():
    settings = load(overrides=["sizing.lot=0.001", "risk.modules.rebalancer.lot=0.5", "pace.market=24/7"])
    lots = {module.name: getattr(module.config, "lot", None) for module in build_risk_chain(settings)}
    assert (lots["allocation"], lots["cash_buffer"], lots["rebalancer"]) == (0.001, 0.001, 0.5)


def test_the_pipeline_reads_selection_and_cap():
    pipeline = build_pipeline(load(overrides=["selection.min_confidence=0.65", "universe.cap=3"]))
    assert pipeline.selection.min_score == 65
    assert pipeline.universe == {"NVDA", "AAPL", "MSFT"}


def test_a_third_party_module_is_found_configured_and_ordered(install):
    install(RISK_MODULES.group, nightcap="pub:Nightcap")
    overrides = ["risk.chain=[nightcap, sector_cap]", "risk.modules.nightcap={drinks: 2, toasts: [cheers]}"]
    first, second = build_risk_chain(load(overrides=overrides))
    assert (type(first), first.config.drinks, first.config.toasts) == (Nightcap, 2, ("cheers",))
    assert second.name == "sector_cap"


def test_a_third_party_module_without_a_needed_setting(install):
    install(RISK_MODULES.group, nightcap="pub:Nightcap")
    assert "risk.modules.nightcap.drinks is missing" in refusal(build_risk_chain, "risk.chain=[nightcap]")


def test_names_may_not_clash(install):
    install(RISK_MODULES.group, sector_cap="pub:Nightcap")
    sentence = refusal(build_risk_chain)
    assert "risk.sector_cap:SectorCap and pub:Nightcap" in sentence
    assert "both named sector_cap" in sentence


def test_an_entry_point_that_repeats_a_built_in_is_no_clash(install):
    install(RISK_MODULES.group, sector_cap="risk.sector_cap:SectorCap")
    assert "sector_cap" in RISK_MODULES.places()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("nowhere:Nightcap", "cannot be loaded, No module named 'nowhere'"),
        ("pub:Missing", "cannot be loaded"),
        ("pub:Stranger", "must be a subclass of RiskModule whose name is 'nightcap'"),
        ("risk.sector_cap:SectorCap", "must be a subclass of RiskModule whose name is 'nightcap'"),
    ],
)
def test_a_broken_entry_point_is_named(install, value, told):
    install(RISK_MODULES.group, nightcap=value)
    sentence = refusal(build_risk_chain, "risk.chain=[nightcap]")
    assert "risk_first.risk_modules" in sentence
    assert told in sentence


def test_an_entry_point_that_is_not_used_is_not_imported(install):
    install(RISK_MODULES.group, nightcap="nowhere:Nightcap")
    build_risk_chain(load())


def test_strategies_of_others_are_known_by_name(install):
    install(STRATEGIES.group, mine="pub:Mine")
    STRATEGIES.require("mine", "--strategy")
    with pytest.raises(Refusal, match=r"--strategy: min is not a known strategy; did you mean mine\?"):
        STRATEGIES.require("min", "--strategy")


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["signals.ensemble.quorum=5"], "--set: signals.ensemble.quorum: 5 votes can never come together"),
        (["signals.ensemble.veto=[trend]"], "--set: signals.ensemble.veto: trend is not among the signals that are on"),
    ],
)
def test_a_vote_that_cannot_be_names_who_asked_for_it(overrides, told):
    with pytest.raises(Refusal) as caught:
        build_pipeline(load(overrides=overrides))
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("plain.symbol", "../NVDA"),
        ("broad.symbol", "''"),
        ("nasdaq.symbol", "SQQQ..X"),
        ("broad_gauge", "S&P"),
        ("nasdaq_gauge", "BRK B"),
        ("gauges", "[AAPL, MSFT, NV DA]"),
    ],
)
def test_a_module_s_symbols_are_tickers_as_the_universe_s_are(key, value):
    place = f"risk.modules.inverse_hedge.{key}"
    sentence = refusal(build_risk_chain, f"{place}={value}")
    assert sentence.startswith(f"--set: {place}") and "write a ticker, e.g." in sentence


def test_other_packages_metadata_are_read_once(monkeypatch):
    read = []

    def entry_points():
        read.append(1)
        return EntryPoints([EntryPoint("mine", "package:Mine", "risk_first.signals")])

    monkeypatch.setattr(registry, "entry_points", entry_points)
    for asked in (registry._all_installed, registry.installed):
        monkeypatch.setattr(registry, asked.__name__, cache(asked.__wrapped__))
    assert [each.name for each in registry.installed("risk_first.signals")] == ["mine"]
    assert registry.installed("risk_first.strategies") == () and len(read) == 1
