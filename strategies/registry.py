"""Finds risk modules, signals, bracket models and strategies by name, and builds them from the settings.

Built-ins are listed here by their place in the package and imported when asked for. Other packages
add theirs through entry points of the groups ``risk_first.risk_modules``, ``risk_first.signals`` and
``risk_first.strategies``; the entry's name is the name in YAML.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any

from pydantic import BaseModel, ValidationError

from config import Refusal, Settings
from config.reading.error_messages import closest, sentence
from risk.brackets import BRACKETS, BracketModel
from risk.cash_buffer import CashBuffer
from risk.equity_sizer import SizingConfig
from risk.interface import RiskModule
from strategies.ensemble import EnsembleConfig
from strategies.meta_model import MetaModel
from strategies.own_code import guarded, told_of_load
from strategies.pipeline import Pipeline, Selection
from strategies.signals.base import Signal


@cache
def _all_installed() -> Any:
    """Entry points of all packages; reading every package's metadata takes a while, once is enough."""
    return entry_points()


@cache
def installed(group: str) -> tuple[EntryPoint, ...]:
    """Entry points of other packages in a group."""
    return tuple(_all_installed().select(group=group))


class Registry:
    """Names and the classes behind them.

    Parameters
    ----------
    kind : str
        What is registered, for messages.
    group : str
        Entry point group of third-party packages.
    built_in : mapping of str to str
        Name to ``package.module:Class``.
    """

    def __init__(self, kind: str, group: str, built_in: Mapping[str, str]) -> None:
        self.kind = kind
        self.group = group
        self._built_in = dict(built_in)

    def places(self) -> dict[str, str]:
        """Every known name and where its class is, as ``package.module:Class``.

        Raises
        ------
        Refusal
            Two packages claim one name.
        """
        found = dict(self._built_in)
        for entry in installed(self.group):
            if found.setdefault(entry.name, entry.value) != entry.value:
                raise Refusal(
                    f"entry point {self.group}: {found[entry.name]} and {entry.value} ({_package(entry)}) are both "
                    f"named {entry.name}; rename or uninstall one"
                )
        return found

    def require(self, name: str, key: str) -> None:
        """Refuse a name that is not registered; ``key`` says where it was written."""
        if name not in (known := self.places()):
            raise Refusal(f"{key}: {name} is not a known {self.kind}; {closest(name, known)}")

    def get(self, name: str, key: str) -> type[Any]:
        """Import the class behind a name.

        Parameters
        ----------
        name : str
        key : str
            Where the name was written, for the message: file and dotted key.

        Raises
        ------
        Refusal
            The name is unknown, or its entry point leads nowhere.
        """
        self.require(name, key)
        place = self.places()[name]
        module, _, attribute = place.partition(":")
        if name in self._built_in:
            return getattr(importlib.import_module(module), attribute)  # type: ignore[no-any-return]  # found by name
        with told_of_load(self.entry(name), module, "correct or uninstall it"):
            return getattr(importlib.import_module(module), attribute)  # type: ignore[no-any-return]  # found by name

    def entry(self, name: str) -> str:
        """The entry point of a name, for messages."""
        return f"entry point {self.group}: {name} = {self.places()[name]}"

    def built_in(self, name: str) -> bool:
        """Whether a name is of this package."""
        return name in self._built_in


RISK_MODULES = Registry(
    "risk module",
    "risk_first.risk_modules",
    {
        "allocation": "risk.allocation:Allocation",
        "cash_sweep": "risk.cash_sweep:CashSweep",
        "sector_cap": "risk.sector_cap:SectorCap",
        "correlation_cap": "risk.correlation_cap:CorrelationCap",
        "cash_buffer": "risk.cash_buffer:CashBuffer",
        "rebalancer": "risk.rebalancer:Rebalancer",
        "inverse_hedge": "risk.inverse_hedge:InverseHedge",
        "overbought_exit": "risk.overbought_exit:OverboughtExit",
        "entry_gates": "risk.entry_gates:EntryGates",
        "exposure_budget": "risk.exposure_budget:ExposureBudget",
        "recent_form": "risk.recent_form:RecentForm",
        "drawdown_halt": "risk.drawdown_halt:DrawdownHalt",
        "peak_halt": "risk.peak_halt:PeakHalt",
        "streak_halt": "risk.streak_halt:StreakHalt",
        "trend_confirmation": "risk.trend_confirmation:TrendConfirmation",
        "volume_profile": "risk.volume_profile:VolumeProfile",
        "partial_profit": "risk.partial_profit:PartialProfit",
        "percent_trailing": "risk.percent_trailing:PercentTrailing",
        "stale_exit": "risk.stale_exit:StaleExit",
        "trailing_stop": "risk.trailing_stop:TrailingStop",
    },
)
SIGNALS = Registry(
    "signal",
    "risk_first.signals",
    {
        "mean_reversion": "strategies.signals.mean_reversion:MeanReversion",
        "momentum": "strategies.signals.momentum:Momentum",
        "pairs": "strategies.signals.pairs:Pairs",
        "pairs_short": "strategies.signals.pairs:PairsShort",
        "trend": "strategies.signals.trend:Trend",
        "vwap": "strategies.signals.vwap:Vwap",
    },
)
STRATEGIES = Registry("strategy", "risk_first.strategies", {"combined": "strategies.combined:CombinedStrategy"})


def build_risk_chain(settings: Settings) -> tuple[RiskModule, ...]:
    """The modules of ``risk.chain`` in its order.

    Raises
    ------
    Refusal
        A name is unknown or a module's settings are wrong; settings of modules that are not in the
        chain are checked too.
    """
    chosen, sections = settings.risk.chain, settings.risk.modules
    chain = _build(settings, RISK_MODULES, RiskModule, chosen, "risk.chain", sections, "risk.modules")
    for module in chain:
        if isinstance(module, CashBuffer) and module.config.buffer_frac + module.config.min_position_frac > 1:
            section = "risk.modules.cash_buffer"
            raise Refusal(
                f"{settings.provenance.within(section)}: {section}: buffer_frac {module.config.buffer_frac:g} leaves "
                f"less than min_position_frac {module.config.min_position_frac:g} to spend, so that nothing could "
                "ever be entered; lower one of them"
            )
    return chain


def build_signals(settings: Settings) -> tuple[Signal, ...]:
    """The signals of ``signals.enabled`` in its order; refuses like ``build_risk_chain``."""
    chosen, rules = settings.signals.enabled, _rules(settings)
    named = tuple(name for name in chosen if name not in rules)
    built = _build(settings, SIGNALS, Signal, named, "signals.enabled", settings.signals.modules, "signals.modules")
    for signal in built:
        if signal.requires and find_spec(signal.requires) is None:
            raise Refusal(
                f"{settings.source_of('signals.enabled')}: signals.enabled: {signal.name} needs {signal.requires}, "
                "which is not installed; install the package with the extra learning, or take it out"
            )
    found = {**rules, **dict(zip(named, built, strict=True))}
    return tuple(found[name] for name in chosen)


def _rules(settings: Settings) -> dict[str, Signal]:
    """The signals that ``signals.rules`` describes, those that are off too."""
    rules: dict[str, Signal] = {}
    if not settings.signals.rules:
        return rules
    # Imported here: settings without rules need no library of indicators, which loads pandas.
    from strategies.signals.rule import RuleConfig, rule_signal

    for name, section in settings.signals.rules.items():
        key = f"signals.rules.{name}"
        source = settings.provenance.within(key)
        if name in SIGNALS.places():
            raise Refusal(f"{source}: {key}: a signal has that name already; choose another")
        config = _validated(settings, RuleConfig, section, key)
        try:
            rules[name] = rule_signal(name, RuleConfig.model_validate(config))
        except Refusal as refusal:
            raise Refusal(f"{source}: {key}.{refusal}") from None
    return rules


def build_bracket(settings: Settings) -> BracketModel:
    """The model of ``exits.model``; refuses like ``build_risk_chain``."""
    chosen, models = settings.exits.model, settings.exits.models
    for name, key in ((chosen, "exits.model"), *((name, f"exits.models.{name}") for name in models)):
        if name not in BRACKETS:
            place = f"{settings.source_of(key)}: {key.removesuffix(f'.{name}')}"
            raise Refusal(f"{place}: {name} is not a known bracket model; {closest(name, BRACKETS)}")
    configs = {
        name: _validated(settings, BRACKETS[name].Config, models.get(name, {}), f"exits.models.{name}")
        for name in {chosen, *models}
    }
    return BRACKETS[chosen](configs[chosen])


def build_pipeline(settings: Settings) -> Pipeline:
    """Everything that decides, wired as the settings say; refuses like ``build_risk_chain``."""
    chosen = settings.selection
    parts: dict[str, Any] = {
        "signals": build_signals(settings),
        "chain": build_risk_chain(settings),
        "bracket": build_bracket(settings),
        "sizing": SizingConfig(**settings.sizing.model_dump()),
        "selection": Selection(
            chosen.min_confidence * 100,
            chosen.a_plus_score,
            chosen.watch_list,
            chosen.execute,
            chosen.only_a_plus,
            chosen.min_session_bars,
        ),
        "ensemble": EnsembleConfig(**settings.signals.ensemble.model_dump()),
        "meta_model": _meta_model(settings),
    }
    with _naming_the_source(settings):
        return Pipeline(
            **parts, gate=settings.policy_gate, universe=settings.universe.traded, windows=settings.pace.windows
        )


def _meta_model(settings: Settings) -> MetaModel | None:
    """The meta-model, where it is on; Refusal without its library."""
    if not settings.signals.meta_model.enabled:
        return None
    if find_spec("sklearn") is None:
        raise Refusal(
            f"{settings.source_of('signals.meta_model.enabled')}: signals.meta_model needs scikit-learn, which is not "
            "installed; install the package with the extra learning, or switch it off"
        )
    return MetaModel(settings.signals.meta_model)


def load_own_code(settings: Settings) -> bool:
    """Import the signals and rules of other packages that the settings choose, or configure; whether there are any."""
    found = False
    for registry, chosen, sections, key in (
        (SIGNALS, settings.signals.enabled, settings.signals.modules, "signals.enabled"),
        (RISK_MODULES, settings.risk.chain, settings.risk.modules, "risk.chain"),
    ):
        for name in dict.fromkeys((*chosen, *sections)):
            if not registry.built_in(name) and name in registry.places():
                registry.get(name, f"{settings.source_of(key)}: {key}")
                found = True
    return found


def with_own_defaults(settings: Settings) -> dict[str, Any]:
    """The settings with the defaults that signals and rules bring which have no section in ``config/base.yaml``.

    These are the ones of other packages, where they are on, and the rules in YAML.
    """
    plain = settings.as_dict()
    for registry, chosen, sections, key in (
        (SIGNALS, settings.signals.enabled, plain["signals"]["modules"], "signals.modules"),
        (RISK_MODULES, settings.risk.chain, plain["risk"]["modules"], "risk.modules"),
    ):
        for name in chosen:
            if not registry.built_in(name) and name in registry.places():
                model = registry.get(name, key).Config
                found = _validated(settings, model, sections.get(name, {}), f"{key}.{name}")
                sections[name] = found.model_dump(mode="json")
    if rules := plain["signals"]["rules"]:
        from strategies.signals.rule import RuleConfig

        for name, section in rules.items():
            found = _validated(settings, RuleConfig, section, f"signals.rules.{name}")
            rules[name] = found.model_dump(mode="json")
    return plain


def keep_daily_signals(pipeline: Pipeline, settings: Settings) -> tuple[str, ...]:
    """Switch off signals that mean nothing on daily bars; returns a note of it, refuses like ``build_pipeline``."""
    with _naming_the_source(settings):
        silent = pipeline.keep_daily_signals()
    return (f"Signals that need intraday bars were off: {', '.join(silent)}.",) if silent else ()


@contextmanager
def _naming_the_source(settings: Settings) -> Iterator[None]:
    """A vote that cannot be names its key; who set that, or the signals it is about, is known here."""
    try:
        yield
    except Refusal as refusal:
        if not refusal.key:
            raise
        raise Refusal(f"{settings.provenance.newest((refusal.key, 'signals.enabled'))}: {refusal}") from None


def strategy_class(name: str) -> type[Any]:
    """The Lumibot strategy of that name; imports Lumibot."""
    return STRATEGIES.get(name, "strategy")


def _build(
    settings: Settings,
    registry: Registry,
    base: type[Any],
    chosen: tuple[str, ...],
    list_key: str,
    sections: Mapping[str, Mapping[str, Any]],
    section_key: str,
) -> tuple[Any, ...]:
    for name in chosen:
        registry.require(name, f"{settings.source_of(list_key)}: {list_key}")
    built = {}
    for name in dict.fromkeys((*chosen, *sections)):
        key = f"{section_key}.{name}"
        found = registry.get(name, f"{settings.source_of(key)}: {section_key}")
        _refuse_unfit(registry, name, found, base)
        config = _validated(settings, found.Config, sections.get(name, {}), key)
        if registry.built_in(name):
            built[name] = found(config)
            continue
        way_out = f"take {name} out of {list_key}"
        if base is Signal and (wrong := _wrong_stop(config)):
            # A field of its own in the class replaces the one that has bounds.
            raise Refusal(f"{registry.kind} {name}: {key}.{wrong}; correct it, or {way_out}")
        with told_of_load(registry.entry(name), found.__module__, f"correct it, or {way_out}"):
            built[name] = guarded(found(config), base, registry.kind, way_out)
        # Asked here, an error in it is told before anything is started.
        built[name].needs()
    return tuple(built[name] for name in chosen)


def _wrong_stop(config: BaseModel) -> str:
    """What is wrong with the stop distance of a signal's settings, in words; empty for nothing."""
    stop = getattr(config, "stop_atr", 1.0)
    if isinstance(stop, int | float) and not isinstance(stop, bool) and 0 < stop < math.inf:
        return ""
    return f"stop_atr is {stop}; a stop distance in ATR is needed, above 0"


def _refuse_unfit(registry: Registry, name: str, found: Any, base: type[Any]) -> None:
    """Refuse what an entry point names if it is no part of its kind, or one of another name."""
    wanted = f"must be a subclass of {base.__name__} whose name is {name!r}"
    if not isinstance(found, type) or not issubclass(found, base):
        raise Refusal(f"{registry.entry(name)} {wanted}")
    called = getattr(found, "name", None)
    if called != name:
        has = "its class has no name" if called is None else f"its class is named {called!r}"
        raise Refusal(f"{registry.entry(name)} {wanted}; {has}: write name = {name!r} in the class")


def _validated(settings: Settings, model: type[BaseModel], section: Mapping[str, Any], key: str) -> BaseModel:
    """A section as its owner's config; one lot holds everywhere unless a module says otherwise."""
    lot = {"lot": settings.sizing.lot} if "lot" in model.model_fields else {}
    try:
        # Through JSON: there a list may stand for a tuple even where types are strict.
        return model.model_validate_json(json.dumps({**lot, **section}))
    except ValidationError as error:
        raise Refusal(sentence(error, model, settings.provenance, key)) from None


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "unknown package"
