"""Settings that a run does not read: what the user set and what changes nothing, with the way out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from config import Settings
from config.errors import Refusal
from config.reading.error_messages import nearest
from risk.brackets import BRACKETS, FixedBracket
from risk.lots import EPSILON

CHAIN = "risk.chain"
SIGNAL_SECTIONS = ("signals.modules", "signals.rules")


@dataclass(frozen=True, slots=True)
class Idle:
    """Why a setting is not read; with ``chooser``, the key that decides on it, at another value it may be."""

    why: str
    chooser: str


def idle(settings: Settings, key: str) -> Idle | None:
    """Why a run with these settings does not read a dotted key; None where it does."""
    section, _, rest = key.partition(".")
    part, _, rest = rest.partition(".")
    section, (name, _, last) = f"{section}.{part}", rest.partition(".")
    model, chain, enabled = settings.exits.model, settings.risk.chain, settings.signals.enabled
    if section == "risk.modules" and name in settings.risk.modules and name not in chain:
        return Idle(f"{name} does not run; risk.chain+={name} runs it", CHAIN)
    if section in SIGNAL_SECTIONS and name in (*settings.signals.modules, *settings.signals.rules):
        if name not in enabled:
            return Idle(f"{name} does not run; signals.enabled+={name} switches it on", "signals.enabled")
        if last == "stop_atr" and model in BRACKETS and not BRACKETS[model].reads_stop_atr:
            return Idle(f"exits.model {model} sets the stops; exits.model=atr takes each signal's own", "exits.model")
    if section == "exits.models" and name in settings.exits.models:
        if name != model:
            return Idle(f"{name} does not run; exits.model={name} chooses it", "exits.model")
        by = settings.exits.models[name].get("target_by")
        if name == "atr" and last in ("target_atr", "target_r") and last != f"target_{by}":
            other = last.removeprefix("target_")
            return Idle(
                f"targets are measured by {by}; {section}.atr.target_by={other} takes it",
                f"{key[: -len(last)]}target_by",
            )
    return None


def idle_cap(settings: Settings) -> tuple[str, str] | None:
    """Which of the sizer's two caps sets no entry's size, and why; None where either may.

    Only a stop at a fixed fraction is known beforehand; of any other no more than the position's value is lost.
    """
    sizing = settings.sizing
    risk, most = sizing.risk_frac, sizing.max_notional_frac
    fixed = settings.exits.models.get(settings.exits.model, {}) if settings.exits.model == FixedBracket.name else {}
    nearest = float(fixed.get("stop_frac", 0.0))
    known = bool(fixed) and not fixed.get("min_stop_atr")
    loss = most * nearest if known else most
    if loss < risk:
        at = f"at a stop of {nearest:.3g}" if known else "in all"
        why = f"what sizing.max_notional_frac {most:g} allows loses at most {loss:.3g} of equity {at}"
        return "sizing.risk_frac", f"{why}, less than sizing.risk_frac {risk:g}"
    if nearest and sizing.notional_usd is None and most * nearest > risk:
        value = f"at most {risk / nearest:.3g} of equity"
        why = f"what sizing.risk_frac {risk:g} allows at a stop of {nearest:.3g} is {value}"
        return "sizing.max_notional_frac", f"{why}, less than sizing.max_notional_frac {most:g}"
    return None


def told_of_idle_cap(settings: Settings) -> tuple[str, ...]:
    """A note about that cap, whoever set it: a report tells it always, a start where the user chose it."""
    cap = idle_cap(settings)
    return () if cap is None else (f"{settings.source_of(cap[0])}: {cap[0]} sets no entry's size, as {cap[1]}",)


def settings_without_effect(settings: Settings) -> tuple[str, ...]:
    """Notes about what the user set and this run does not read, and about rules that the user's chain leaves out."""
    return (
        *_unread(settings),
        *_partial_behind_target(settings),
        *_likely_misspelt(settings),
        *rules_left_out(settings),
    )


def _likely_misspelt(settings: Settings) -> list[str]:
    """Notes about symbols that settings of the user's name, that are not traded, and that are near to one that is."""
    traded = settings.universe.traded
    named = {"gate.restricted": settings.gate.restricted, "universe.sectors": tuple(settings.universe.sectors)}
    known = {*settings.universe.symbols, settings.universe.benchmark}
    notes = []
    for key, symbols in named.items():
        for symbol in symbols:
            one = f"{key}.{symbol}"
            if symbol in known or not settings.provenance.chosen(one):
                continue
            if near := nearest(symbol, traded):
                source = settings.source_of(one)
                notes.append(f"{source}: {key} names {symbol}, which is not traded here; did you mean {near}?")
    return notes


def _unread(settings: Settings) -> list[str]:
    notes = [
        f"{source}: {key} changes nothing, as {found.why}"
        for key, source in settings.provenance.choices()
        if (found := idle(settings, key)) is not None
    ]
    cap = idle_cap(settings)
    if cap is not None and settings.provenance.chosen(cap[0]):
        notes += told_of_idle_cap(settings)
    return notes


def _partial_behind_target(settings: Settings) -> tuple[str, ...]:
    """The note about a partial profit that is taken where the target has closed the position already."""
    key = "risk.modules.partial_profit.at_r"
    if "partial_profit" not in settings.risk.chain:
        return ()
    at_r, target = settings.risk.modules.get("partial_profit", {}).get("at_r"), _farthest_target(settings)
    if not isinstance(at_r, int | float) or target is None or at_r < target - EPSILON:
        return ()
    why = f"the target rests at {target:.3g} R and closes the position before; set it below"
    return (f"{settings.source_of(key)}: {key} {at_r:g} sells no part of any entry, as {why}",)


def _farthest_target(settings: Settings) -> float | None:
    """The farthest that a target lies from its entry, in R; None where the settings do not tell."""
    name = settings.exits.model
    model = settings.exits.models.get(name, {})
    try:
        if name == "fixed":
            return float(model["target_frac"] / model["stop_frac"])
        if name == "atr" and model["target_by"] == "r":
            return float(model["target_r"])
        if name == "atr":
            sections = {**settings.signals.modules, **settings.signals.rules}
            return float(model["target_atr"] / min(sections[one]["stop_atr"] for one in settings.signals.enabled))
        regimes = ("base", "trending", "choppy")
        return float(max(model[f"{one}_target_atr"] / model[f"{one}_stop_atr"] for one in regimes))
    except (KeyError, TypeError, ZeroDivisionError, ValueError):
        # A signal of another package, or settings that their owner has not judged yet.
        return None


def rules_left_out(settings: Settings) -> tuple[str, ...]:
    """The note about rules that the user's chain leaves out, where it does: it was asked for, and is no mistake."""
    if not settings.provenance.chosen(CHAIN):
        return ()
    absent = [name for name in settings.provenance.before(CHAIN) if name not in settings.risk.chain]
    if not absent:
        return ()
    source = settings.source_of(CHAIN)
    return (
        f"{source}: risk.chain leaves out {', '.join(absent)}, which the profile runs; risk.chain+=NAME runs one again",
    )


def refuse_idle(settings: Settings, axes: Iterable[str], joined_by: str, option: str) -> None:
    """Refuse to vary what no trial would read; an axis may be several keys that take the same value.

    Raises
    ------
    Refusal
        With the key, and what would make a run read it.
    """
    axes = list(axes)
    varied = {key for axis in axes for key in axis.split(joined_by)}
    for axis in axes:
        found = [idle(settings, key) for key in axis.split(joined_by)]
        unread = [f for f in found if f is not None and f.chooser not in varied]
        if len(unread) == len(found):
            raise Refusal(f"{option} {axis}: changes nothing, as {unread[0].why}")
