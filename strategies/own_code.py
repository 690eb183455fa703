"""Errors in signals and rules of other packages: whose they are, in which line, and what Python says of them.

Parts of this package are not guarded: they are called as they are.
"""

from __future__ import annotations

import logging
import math
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np

from config.errors import OwnCodeError, Refusal
from market.market import Market
from risk.interface import RiskModule
from risk.model import Adjustment, Proposal, Verdict
from strategies.own_values import wrong_adjustment, wrong_proposal, wrong_scores, wrong_verdict

log = logging.getLogger(__name__)

ARRAYS = frozenset({"scores", "opposes"})
"""Methods that give one value for each symbol of the market they are asked about."""
LISTS = frozenset({"manage", "propose", "needs", "symbols", "needs_to_oppose", "raise_cash"})
ADJUSTMENTS = frozenset({"manage", "raise_cash"})
TEXTS = frozenset({"reason", "lacks", "status", "without_volume"})
MAY_BE_NONE = frozenset({"without_volume"})
"""Methods that give a text, and those of them that may give none."""
WORDS = frozenset({"cash_funds"})
WHOLE_NUMBERS = frozenset({"halt_sessions"})
"""Properties that give symbols, and a number from 1 on."""
MUST_HAVE = frozenset({"scores", "reason"})
"""Methods that the base class has only to say that they are missing."""


def guarded(part: Any, base: type[Any], kind: str, way_out: str) -> Any:
    """A signal or rule whose methods tell in one sentence what goes wrong in them; the same object.

    Parameters
    ----------
    part : Signal or RiskModule
        Of another package.
    base : type
        The interface; methods that the part has from it are left alone.
    kind : str
        What the part is, for the message.
    way_out : str
        How to go on without the part.
    """
    own = type(part)
    for name, inherited in vars(base).items():
        if isinstance(inherited, FunctionType) and not name.startswith("_"):
            method = getattr(own, name)
            if method is not inherited or name in MUST_HAVE:
                # On the object: the class is what tells which methods a part has.
                told = f"{kind} {own.name}"
                setattr(part, name, _Guarded(getattr(part, name), name, own.name, told, way_out, own.__module__))
        elif isinstance(inherited, property) and (wrong := _wrong_property(name, getattr(part, name))):
            # Read once, here: what it is later follows from the same settings.
            raise OwnCodeError(f"{kind} {own.name}: {name} {wrong}; correct it, or {way_out}")
    if getattr(own, "shrink", None) is RiskModule.shrink:
        # Which holds a verdict to what was proposed, so that nobody would see that the rule asked for more.
        part.shrink = partial(_as_asked, own.name)
    return part


def _as_asked(name: str, proposal: Proposal, quantity: float, code: str, **inputs: Any) -> Verdict:
    return Verdict(name, code, proposal.quantity, quantity, inputs)


def enlarging(part: str, times: int) -> str:
    """What is said of a rule whose verdicts were above what was proposed; 0 times where it has just begun."""
    often = f" {times} times" if times else ""
    return f"{part}: its review gave more than was proposed{often}; a verdict raises no quantity, so nothing changed"


@contextmanager
def told_of_load(place: str, module: str, way_out: str) -> Iterator[None]:
    """Whatever goes wrong while a part is imported or made is refused, with its line where it has one."""
    try:
        yield
    except Refusal:
        raise
    # A call of exit() in it would end the command as if all was well.
    except (Exception, SystemExit) as error:
        raise Refusal(f"{place} cannot be loaded, {_told(error, module)}; {way_out}") from error


@dataclass(slots=True)
class _Guarded:
    """A method, and what is said of its part.

    ``name`` is the method's, ``owner`` the part's; ``highest`` is the highest score that ``scores`` gave, None before
    it was asked and minus infinity before it gave one; ``enlarged`` how often ``review`` gave more than was proposed.
    """

    method: Callable[..., Any]
    name: str
    owner: str
    part: str
    way_out: str
    module: str
    highest: float | None = None
    enlarged: int = 0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        try:
            found = self.method(*arguments, **options)
            if self.name in LISTS and isinstance(found, Iterable) and not isinstance(found, str):
                # Here, so that an error of a generator is told too.
                found = list(found)
        except (Refusal, OwnCodeError):
            raise
        except NotImplementedError as error:
            raise self._error(_told(error, self.module) if _line(error, self.module) else self._undefined()) from error
        except (Exception, SystemExit) as error:
            # A call of exit() in it would end the command as if all was well.
            raise self._error(_told(error, self.module)) from error
        if wrong := self._wrong(found, arguments):
            code = getattr(getattr(self.method, "__func__", self.method), "__code__", None)
            where = f"{code.co_filename}, line {code.co_firstlineno}: " if code else ""
            raise self._error(f"{where}{self.name} {wrong}")
        return self._in_its_name(found, arguments)

    def _in_its_name(self, found: Any, arguments: tuple[Any, ...]) -> Any:
        """The answer under the name of the part that gave it, and a verdict with no more than was proposed."""
        if self.name == "scores":
            given = found[np.isfinite(found)]
            known = -math.inf if self.highest is None else self.highest
            self.highest = max(known, float(given.max())) if given.size else known
        elif self.name == "review":
            return self._kept_in_bounds(found, arguments[0])
        elif self.name in ADJUSTMENTS:
            return [one if one.module == self.owner else replace(one, module=self.owner) for one in found]
        return found

    def _kept_in_bounds(self, verdict: Verdict, proposal: Proposal) -> Verdict:
        before = proposal.quantity
        if verdict.after > before:
            if not self.enlarged:
                log.warning("%s", enlarging(self.part, 0))
            self.enlarged += 1
            verdict = replace(verdict, code="OK", after=before, inputs={**verdict.inputs, "asked": verdict.after})
        if verdict.module != self.owner or verdict.before != before:
            verdict = replace(verdict, module=self.owner, before=before)
        return verdict

    def _error(self, told: str) -> OwnCodeError:
        return OwnCodeError(f"{self.part}: {told}; correct it, or {self.way_out}")

    def _undefined(self) -> str:
        return f"its class has no method {self.name}"

    def _wrong(self, found: Any, arguments: tuple[Any, ...]) -> str:
        """What is wrong with the answer, in words; empty for nothing."""
        if self.name in ARRAYS:
            return _wrong_array(found, arguments[0]) or (
                wrong_scores(found, arguments[0]) if self.name == "scores" else ""
            )
        if self.name in LISTS and (isinstance(found, str) or not isinstance(found, Iterable)):
            return f"gave {_kind_of(found)}; a list is needed, an empty one for nothing"
        if self.name == "review":
            if not isinstance(found, Verdict):
                return f"gave {_kind_of(found)}; return self.keep, self.shrink or self.refuse of the proposal"
            return wrong_verdict(found)
        if self.name in TEXTS and not isinstance(found, str) and not (found is None and self.name in MAY_BE_NONE):
            return f"gave {_kind_of(found)}; a text is needed"
        if self.name in ADJUSTMENTS:
            return self._wrong_items(found, Adjustment, wrong_adjustment)
        if self.name == "propose":
            return self._wrong_items(found, Proposal, wrong_proposal)
        if self.name == "park" and found is not None:
            return self._wrong_items([found], Proposal, wrong_proposal)
        return ""

    def _wrong_items(self, found: Any, kind: type[Any], wrong_in: Callable[[Any], str]) -> str:
        """What is wrong with one of the values of a list, in words; empty for nothing."""
        for one in found:
            if not isinstance(one, kind):
                return f"gave {_kind_of(one)} where {kind.__name__} is needed"
            if wrong := wrong_in(one):
                return f"gave {kind.__name__} of {one.symbol} with {wrong}"
        return ""


def _wrong_property(name: str, found: Any) -> str:
    """What is wrong with the value of a property, in words; empty for nothing."""
    if name in WORDS and not (isinstance(found, tuple | list) and all(isinstance(word, str) for word in found)):
        return f"gave {_kind_of(found)}; a tuple of symbols is needed, an empty one for none"
    if name in WHOLE_NUMBERS and not (isinstance(found, int) and not isinstance(found, bool) and found >= 1):
        given = found if isinstance(found, int | float) else _kind_of(found)
        return f"gave {given}; a whole number from 1 on is needed"
    return ""


def _wrong_array(found: Any, market: Market) -> str:
    wanted = np.shape(market.values("close"))
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
        return f"gave {_kind_of(found)}; an array of numbers is needed, one for each symbol"
    if found.shape != wanted:
        given, needed = (" × ".join(map(str, shape)) or "1" for shape in (found.shape, wanted))
        return f"gave {given} values where {needed} are needed, one for each symbol"
    return ""


def _kind_of(found: Any) -> str:
    if isinstance(found, np.ndarray):
        return f"an array of {found.dtype}"
    return "nothing" if found is None else f"a value of type {type(found).__name__}"


def _told(error: BaseException, module: str) -> str:
    """File and line, what Python calls the error and what it says."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if "read-only" in str(error):
        said += " (the market's arrays are the bars of the run: change a copy of them, market.values(...).copy())"
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    if where := _line(error, module):
        return f"{where}: {said}"
    # A module that is not there is named by Python well enough.
    return str(error) if isinstance(error, ImportError) else said


def _line(error: BaseException, module: str) -> str:
    """The innermost line of the part's own package in the traceback; empty where none is."""
    package = module.partition(".")[0]
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package:
            found = f"{frame.f_code.co_filename}, line {line}"
    return found
