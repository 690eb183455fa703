"""Turns what typer says of a wrong command line into one sentence with the way out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any

from typer.exceptions import TyperException

from commands.options import SETTING_OF
from config.errors import Refusal
from config.reading.former_names import FORMER_ARGUMENTS

NEAR = 0.8
"""Likeness, 0 to 1, from which on a name is offered instead of another; a far guess misleads."""
_EXTRA = re.compile(r"unexpected extra argument\(s\) \((.*)\)$", re.DOTALL)
LONGEST_WORD = 80
FOLDERS = frozenset({"--state-dir", "--out", "--dir", "--folder", "--run"})
"""Options of other commands that name a folder, which some take as an argument of its own."""
FOLDER_PLACES = frozenset({"PLACE", "FOLDER", "DIR", "BUNDLE"})
_UNKNOWN_COMMAND = re.compile(r"No such command '(.*?)'\.", re.DOTALL)
_NEEDS = re.compile(r"Option '([^']+)' requires an argument")


def refused(run: Callable[[], int]) -> int:
    """The status of a command; Refusal, in one sentence, where typer did not understand the command line."""
    try:
        return run()
    except TyperException as error:
        message = _sentence(error)
    # Raised out here, as the error holds the whole command line, and with it what may be secret.
    raise Refusal(message)


def near(word: str, known: Iterable[str]) -> str:
    """``did you mean …?`` where a name is really near, else the pointer to the help."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=NEAR)
    return f"did you mean {found[0]}?" if found else "see --help"


def _sentence(error: TyperException) -> str:
    unknown = getattr(error, "option_name", "")
    text = error.format_message()
    if found := _NEEDS.search(text):
        return f"argument {found[1]}: expected one argument; see --help"
    if unknown and text.startswith("No such option"):
        word = unknown.split("=")[0]
        if hint := FORMER_ARGUMENTS.get(word):
            return f"{word} is not an argument here; {hint}"
        known = _options(error)
        if word in FOLDERS and (place := _place_of_folder(error)):
            return f"{word} is not an argument of this command; write the folder alone, where {place} stands"
        if "--set" in known and (setting := SETTING_OF.get(word)):
            return f"{word} is not an argument of this command; write --set {setting}"
        return f"{word} is not an argument; {near(word, known)}"
    if found := _EXTRA.search(text):
        return f"{found[1].split(' ')[0][:LONGEST_WORD]} is not an argument; see --help"
    if commands := _commands(error):
        context: Any = getattr(error, "ctx", None)
        if found := _UNKNOWN_COMMAND.match(text):
            return f"{found[1][:LONGEST_WORD]} is not a command of {context.info_name}; {near(found[1], commands)}"
        if text.startswith("Missing command"):
            return f"{context.info_name} needs a command: {' or '.join(commands)}; see --help"
    if text.startswith("Missing "):
        name = _name(error)
        return f"{name} is missing; see --help"
    if name := _name(error):
        return f"argument {name}: {error.message.removeprefix('Value error, ').rstrip('.')}; see --help"
    return f"{text[:1].lower()}{text[1:].rstrip('.')}; see --help"


def _commands(error: TyperException) -> list[str]:
    """The commands of the command that has commands of its own; none of another."""
    context = getattr(error, "ctx", None)
    listed = None if context is None else getattr(context.command, "list_commands", None)
    return [] if listed is None else list(listed(context))


def _name(error: TyperException) -> str:
    parameter = getattr(error, "param", None)
    if parameter is None:
        return ""
    options = [option for option in parameter.opts if option.startswith("--")]
    return str(options[0]) if options else str(parameter.metavar or (parameter.name or "").upper())


def _place_of_folder(error: TyperException) -> str:
    """The name of the command's argument that is a folder and is written without an option; empty where it has none."""
    context = getattr(error, "ctx", None)
    parameters = [] if context is None else context.command.get_params(context)
    places = [str(p.metavar or p.name or "").upper() for p in parameters if p.param_type_name == "argument"]
    return next((place for place in places if place in FOLDER_PLACES), "")


def _options(error: TyperException) -> list[str]:
    context = getattr(error, "ctx", None)
    if context is None:
        return []
    return [option for parameter in context.command.get_params(context) for option in parameter.opts]
