"""The numbers that come with the package, and that base.yaml leaves nothing out."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from config import load, profiles
from config.reading.loader import FOLDER
from config.values.markets import MARKETS
from risk.brackets import BRACKETS
from strategies.registry import RISK_MODULES, SIGNALS, build_bracket, build_pipeline, build_risk_chain, build_signals

ROOT = Path(__file__).resolve().parents[2]
SECTORS = {
    "mega_tech": "NVDA AAPL MSFT GOOG AMZN META",
    "crypto_adjacent": "MARA RIOT COIN MSTR HOOD",
    "high_beta_growth": "PLTR ARM SMCI SOFI SNOW CRM PANW SHOP ROKU UBER",
    "semis": "AMD AVGO",
    "streaming": "NFLX",
    "etfs": "SPY QQQ TQQQ SOXL",
    "autos": "TSLA",
}


def test_default_universe_and_its_labels():
    universe = load().universe
    expected = {symbol: label for label, symbols in SECTORS.items() for symbol in symbols.split()}
    assert len(expected) == 29
    assert {symbol: universe.sectors[symbol] for symbol in universe.symbols} == expected
    assert {universe.sectors[symbol] for symbol in ("SH", "SPXS", "SQQQ")} == {"inverse"}
    assert universe.sectors["GOOGL"] == "mega_tech"


@pytest.mark.parametrize("profile", profiles())
def test_every_profile_builds(profile):
    build_pipeline(load(profile))


@pytest.mark.parametrize("profile", profiles())
def test_every_profile_says_what_is_known_of_its_edge(profile):
    settings = load(profile)
    assert settings.source_of("evidence.verdict") == f"config/profiles/{profile}.yaml"
    told = settings.told_evidence(profile)
    # None has passed what docs/research.md asks of one.
    tested = profile in ("active", "swing", "intraday")
    assert told.startswith(f"profile {profile}: {'NO EDGE FOUND' if tested else 'NOT TESTED FOR AN EDGE'}; ")
    assert told in " ".join((ROOT / "docs" / "research.md").read_text(encoding="utf-8").split()) or not tested


@pytest.mark.parametrize(
    ("registry", "section"),
    [(RISK_MODULES, load().risk.modules), (SIGNALS, load().signals.modules)],
    ids=["risk", "signals"],
)
def test_base_writes_out_every_module_with_its_defaults(registry, section):
    assert set(section) == set(registry.places())
    for name, written in section.items():
        defaults = registry.get(name, name).Config().model_dump(mode="json")
        defaults.pop("lot", None)
        assert written == defaults, name


def test_base_writes_out_every_bracket_model_with_its_defaults():
    written = load().exits.models
    assert written == {name: model.Config().model_dump(mode="json") for name, model in BRACKETS.items()}


def test_active():
    settings = load("active")
    bracket = build_bracket(settings)
    assert (bracket.config.stop_frac, bracket.config.target_frac) == (0.05, 0.15)
    assert [signal.name for signal in build_signals(settings)] == ["mean_reversion"]
    assert {"inverse_hedge", "rebalancer"} <= set(settings.risk.chain)
    assert settings.pace.sleeptime == "60M"


def test_intraday():
    settings = load("intraday")
    assert build_bracket(settings).name == "adaptive_atr"
    assert settings.signals.enabled == ("mean_reversion", "momentum", "trend", "vwap")
    assert settings.pace.sleeptime == "120S"


def test_swing():
    settings = load("swing")
    bracket = build_bracket(settings)
    assert (bracket.name, bracket.config.target_by, bracket.config.target_r) == ("atr", "r", 2.0)
    assert [signal.name for signal in build_signals(settings)] == ["momentum", "trend", "mean_reversion"]
    assert settings.pace.windows == ("10:30", "15:55")
    (buffer,) = [module for module in build_risk_chain(settings) if module.name == "cash_buffer"]
    assert buffer.config.buffer_frac == 0.60


def test_bench_follows_the_rules_of_the_common_work():
    settings = load("bench")
    bracket = build_bracket(settings)
    (signal,) = build_signals(settings)
    trim, sell = build_risk_chain(settings)
    assert (signal.config.rsi_bars, signal.config.oversold_rsi, signal.config.stop_atr) == (14, 30, 2.5)
    assert (bracket.config.target_by, bracket.config.target_atr) == ("atr", 4.0)
    assert (trim.config.max_weight_frac, trim.config.band_frac) == (0.15, 0)
    assert (sell.config.rsi_bars, sell.config.rsi_above) == (14, 70)
    assert (settings.sizing.risk_frac, settings.sizing.max_notional_frac) == (1.0, 0.03)
    assert settings.gate.max_open_positions == 20
    assert set(settings.fills.model_dump(exclude={"exit_gap_usd"}).values()) == {0, None}


@pytest.mark.parametrize("profile", [name for name in profiles() if name != "bench"])
def test_the_gate_takes_no_order_much_above_what_the_rules_give_one_position(profile):
    settings = load(profile)
    gate, sizing = settings.gate, settings.sizing
    least = settings.broker.kraken.profiles.get(profile, 100_000.0)
    for equity in (least, settings.account.budget_usd, 2 * least, 10 * least):
        allowed = min(sizing.max_notional_frac * equity, sizing.notional_usd or equity)
        passed = min(gate.max_order_notional_frac * equity, gate.max_order_notional_usd or equity)
        assert allowed <= passed <= 1.05 * allowed * (1 + 1e-9)
        day = min(gate.max_day_notional_frac * equity, gate.max_day_notional_usd or 4 * equity)
        assert day <= gate.max_new_positions * passed * (1 + 1e-9)


def test_market_names_are_lumibots():
    spec = importlib.util.find_spec("lumibot")  # found without being imported
    source = (Path(spec.submodule_search_locations[0]) / "strategies" / "strategy.py").read_text()
    assert [name for name in MARKETS if f'"{name}",' not in source] == []


MEANT_FOR = {"active-exits": ("active",)}
"""Other profiles have its rules already."""


@pytest.mark.parametrize("path", sorted((FOLDER / "overlays").glob("*.yaml")), ids=lambda p: p.stem)
def test_an_overlay_fits_every_profile_that_it_is_meant_for(path):
    for profile in MEANT_FOR.get(path.stem, ("active", "intraday", "swing")):
        build_pipeline(load(profile, [path]))
