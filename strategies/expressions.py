"""Conditions and scores written in YAML: a small grammar over features, parsed, never executed as Python.

Numbers, features by name, ``+ - * /``, comparisons, ``and or not``, brackets and ``previous(name)``; nothing else.
"""

from __future__ import annotations

import ast
import difflib
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from config.errors import Refusal
from config.reading.error_messages import NEAR
from market.bars import FIELDS
from market.feature_registry import LIBRARY, forms, parse
from market.indicator_library import known, refuse_too_many
from market.market import Market

LONGEST = 500
"""Characters of an expression."""
ARITHMETIC: dict[type[ast.operator], Callable[..., np.ndarray]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
COMPARISONS: dict[type[ast.cmpop], Callable[..., np.ndarray]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
PREVIOUS = "previous"
PAGE = "docs/writing-a-signal.md"
EXAMPLE = "write e.g. rsi_14 < 30 and close > sma_200"
SLIPS = {
    "=": "compare with <, <=, > or >=",
    "<>": "compare with <, <=, > or >=",
    "&": "write and",
    "|": "write or",
    "!": "write not",
    "AND": "write and",
    "OR": "write or",
    "NOT": "write not",
}
"""Parts that other languages have, and what they are called here."""
PERCENT = re.compile(r"[\d.]+\s*%(?!\s*[\w(])")
FRACTION_OF_BARS = re.compile(r"[A-Za-z]\w*_\d+\.\d+")
_GLUED = re.compile(r"(.*[a-z])(\d+)")
_WORD = re.compile(r"(.+?)((?:_\d+)*)")

Evaluate = Callable[[Market], np.ndarray]


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression. ``columns`` are the features that it reads, by the name that it has in the text.

    ``of(market)`` gives its value for every symbol, shape ``(symbols,)``: bool of a condition, float of a number.
    """

    text: str
    columns: dict[str, str]
    condition: bool
    of: Evaluate


def parsed(text: str) -> Expression:
    """Read an expression.

    Raises
    ------
    Refusal
        It is none, uses what the grammar does not have, or names a feature that there is not or that looks ahead.
    """
    if len(text) > LONGEST:
        raise Refusal(f"is longer than {LONGEST} characters; make two rules of it")
    line = " ".join(text.split())
    try:
        tree = ast.parse(line, mode="eval").body
    except SyntaxError as error:
        raise Refusal(_not_read(line, error)) from None
    except (ValueError, RecursionError, MemoryError):
        raise Refusal(f"{text!r} cannot be read; {EXAMPLE}") from None
    columns: dict[str, str] = {}
    of, condition = _read(tree, columns)
    return Expression(text, columns, condition, of)


def _not_read(text: str, error: SyntaxError) -> str:
    """Which part of a text is no part of an expression, and what to write instead."""
    shown = f"{text!r} cannot be read"
    if found := PERCENT.search(text):
        return f"{shown}: {found.group()} is not understood; write the number as the reading has it, e.g. 30 or 0.05"
    if found := FRACTION_OF_BARS.search(text):
        return f"{shown}: {found.group()} is not understood; the numbers of a feature are whole"
    if error.msg.endswith("was never closed") or error.msg.startswith("unmatched"):
        return f"{shown}: {error.msg}; {EXAMPLE}"
    begin, end = error.offset or 0, error.end_offset or 0
    part = text[begin - 1 : end - 1] if 0 < begin < end else ""
    if not part:
        return f"{shown}: something is missing at its end; {EXAMPLE}"
    # Two words in a row: the slip may be the one before.
    words = re.findall(r"\w+", text[: begin - 1])
    if part not in SLIPS and words and words[-1] in SLIPS:
        part = words[-1]
    return f"{shown}: {part} is not understood; {SLIPS.get(part, EXAMPLE)}"


def _read(node: ast.expr, columns: dict[str, str]) -> tuple[Evaluate, bool]:
    """How a part is evaluated, and whether it is a condition."""
    if isinstance(node, ast.BoolOp):
        parts = [_condition(part, columns) for part in node.values]
        join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        return lambda market: join.reduce([part(market) for part in parts]), True
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _condition(node.operand, columns)
        return lambda market: np.logical_not(inner(market)), True
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _number(node.operand, columns)
        return lambda market: np.negative(number(market)), False
    if isinstance(node, ast.Compare) and all(type(op) in COMPARISONS for op in node.ops):
        sides = [_number(side, columns) for side in (node.left, *node.comparators)]
        signs = [COMPARISONS[type(op)] for op in node.ops]
        pairs = list(zip(signs, sides[:-1], sides[1:], strict=True))
        # A comparison with a value that is not there is false, and so is its opposite.
        return lambda market: np.logical_and.reduce([sign(a(market), b(market)) for sign, a, b in pairs]), True
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        left, right, act = _number(node.left, columns), _number(node.right, columns), ARITHMETIC[type(node.op)]
        return lambda market: _quiet(act, left(market), right(market)), False
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        value = float(node.value)
        return lambda market: np.full(len(market.symbols), value), False
    if isinstance(node, ast.Name | ast.Attribute):
        column = _column(node, columns)
        return lambda market: market.values(column).astype(float), False
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == PREVIOUS:
        if len(node.args) == 1 and not node.keywords and isinstance(node.args[0], ast.Name | ast.Attribute):
            column = _column(node.args[0], columns)
            return lambda market: _before(market, column), False
        raise Refusal(f"{ast.unparse(node)}: previous takes the name of one feature")
    raise Refusal(
        f"{ast.unparse(node)} is not understood; there are numbers, features, + - * /, comparisons, and, or, not, "
        "previous(feature)"
    )


def _condition(node: ast.expr, columns: dict[str, str]) -> Evaluate:
    of, condition = _read(node, columns)
    if not condition:
        raise Refusal(f"{ast.unparse(node)} is a number where a condition belongs; compare it, e.g. with > 0")
    return of


def _number(node: ast.expr, columns: dict[str, str]) -> Evaluate:
    of, condition = _read(node, columns)
    if condition:
        raise Refusal(f"{ast.unparse(node)} is a condition where a number belongs")
    return of


def _column(node: ast.Name | ast.Attribute, columns: dict[str, str]) -> str:
    """The column of a name: a price or volume, a feature of this package, or an indicator of the library."""
    name = ast.unparse(node)
    if name not in columns:
        columns[name] = name if name in FIELDS else _feature(name)
    return columns[name]


def _feature(name: str) -> str:
    if name.endswith("_") and "." not in name:
        raise Refusal(f"{name}: a whole number from 1 up follows without a sign or a space, e.g. {name}20")
    refuse_too_many(name)
    try:
        parse(name)
    except Refusal:
        # Only here, as its library takes seconds to import.
        indicators = known()
        word, rest = _WORD.fullmatch(name.partition(".")[0]).groups()  # type: ignore[union-attr]  # matches any name
        if word in forms() and not all(map(int, rest.split("_")[1:])):
            raise Refusal(f"{name}: 0 is no number of bars; write a number from 1 up") from None
        if word not in indicators:
            raise Refusal(
                f"{name}: there is no price, feature or indicator of that name; {_meant(word, rest)}"
            ) from None
        parse(f"{LIBRARY}{name}")
        return f"{LIBRARY}{name}"
    return name


def _meant(word: str, numbers: str) -> str:
    """The nearest name with the numbers that were written, where one is really near; else where all names are."""
    own = forms()
    names = [*FIELDS, *own, *known()]
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=NEAR)
    # Numbers are often written without the line before them, which makes a short word look like another.
    if (glued := _GLUED.fullmatch(word.lower())) and (glued[1] in names or not near):
        near = difflib.get_close_matches(glued[1], names, n=1, cutoff=NEAR)
        numbers = f"_{glued[2]}{numbers}"
    if not near:
        return f"all names are in {PAGE}"
    taken = "" if near[0] in FIELDS or own.get(near[0]) == near[0] else numbers
    return f"did you mean {near[0]}{taken}? All names are in {PAGE}"


def _before(market: Market, column: str) -> np.ndarray:
    rows = market.window(column, 2)
    return rows[0].astype(float) if len(rows) == 2 else np.full(len(market.symbols), np.nan)


def _quiet(act: Callable[..., np.ndarray], left: np.ndarray, right: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        result = act(left, right)
    return np.where(np.isfinite(result), result, np.nan)
