"""YAML as people mean it: duplicate keys are refused, ``ON`` stays a ticker, ``10:30`` stays a time.

PyYAML reads YAML 1.1, where ``NO`` and ``ON`` are booleans, ``10:30`` is 630 and ``1e-3`` is text.
This reader resolves the scalars of YAML 1.2 only, and no anchors, aliases and tags.
"""

from __future__ import annotations

import copy
import functools
import re
from typing import Any

import yaml

from config.errors import Refusal

DEEPEST = 24
LONGEST_NUMBER = 40
"""Characters: more than any setting needs, fewer than Python's and JSON's readers of numbers choke on."""
SHOWN = 40
_NO_CHARACTER = re.compile("[\ud800-\udfff]")
"""Halves of pairs: no file has one in its name, and JSON's readers refuse them."""


class _StrictLoader(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        # A value that refers to another can refer to itself, or grow without end out of a few lines.
        event = self.peek_event()  # type: ignore[no-untyped-call]  # its stubs have no types
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            problem = f"{event.anchor!r} is an anchor or alias: write the value out where it is meant"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        if (tag := getattr(event, "tag", None)) is not None:
            problem = f"{tag.rpartition(':')[2][:SHOWN]!r} is a tag: write the value without it"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        if _NO_CHARACTER.search(getattr(event, "value", None) or ""):
            problem = "half of a character is written with \\u: write the character itself"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        self.depth += 1
        if self.depth > DEEPEST:
            problem = f"it is nested more than {DEEPEST} deep: no setting is"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != "tag:yaml.org,2002:str":
                problem = f"the key {key_node.value!r} is not text: put it in quotes"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            if key_node.value in seen:
                problem = f"the key {key_node.value!r} is written twice: keep one"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


# Without the resolvers of YAML 1.1 that the class would inherit.
_StrictLoader.yaml_implicit_resolvers = {}
_NUMBER_START = list("-+.0123456789")
for _tag, _pattern, _first in (
    ("bool", r"true|True|false|False", list("tTfF")),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+", _NUMBER_START),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", _NUMBER_START),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", _NUMBER_START),
):
    _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), _first)


def _integer(loader: _StrictLoader, node: yaml.ScalarNode) -> int:
    return int(_short(node))


def _short(node: yaml.ScalarNode) -> str:
    text: str = node.value
    if len(text) > LONGEST_NUMBER:
        problem = f"a number of {len(text)} characters: write a shorter one"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return text


def _number(loader: _StrictLoader, node: yaml.ScalarNode) -> float:
    text = _short(node).lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_StrictLoader.add_constructor("tag:yaml.org,2002:int", _integer)
_StrictLoader.add_constructor("tag:yaml.org,2002:float", _number)


@functools.lru_cache(maxsize=64)
def _document(text: str) -> Any:
    return yaml.load(text, Loader=_StrictLoader)  # noqa: S506  # safer than the SafeLoader that it extends


def parse(text: str, source: str) -> Any:
    """Read one YAML document.

    Parameters
    ----------
    text : str
        The document.
    source : str
        Where it comes from, for the message.

    Returns
    -------
    object
        Dictionaries with text keys, lists and scalars; None for an empty document.

    Raises
    ------
    Refusal
        A syntax error, an anchor, alias or tag, a duplicate key, a key that is not text, what is nested too deep,
        half of a character or a number too long to be meant, with the line.
    """
    try:
        # The same few files are read for every run of a search; what is handed out is a copy.
        return copy.deepcopy(_document(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}, line {mark.line + 1}" if mark else source
        raise Refusal(f"{place}: not valid YAML, {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise Refusal(f"{source}: not valid YAML, {error}") from None
