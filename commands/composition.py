"""Builds a command out of a function whose parameters are groups of options.

A group is a dataclass whose fields are ``Annotated`` with typer's options. A command names the groups that it
takes, so that an option is defined once and is the same everywhere.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, get_type_hints

import typer

from commands.usage import refused
from config.errors import Refusal, exit_status
from config.process.secret_guard import secret_among
from config.values.printable import one_line

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}


class Command:
    """One command of the command line.

    Parameters
    ----------
    function : callable
        Returns the exit status. A parameter annotated with a dataclass stands for the dataclass's fields.
    examples : sequence of str
        Shown at the end of the help.
    """

    def __init__(self, function: Callable[..., int], examples: Sequence[str]) -> None:
        self.function = function
        self.examples = tuple(examples)
        app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        app.command(context_settings=HELP_OPTIONS, epilog=self._epilog())(_flattened(function))
        self.click = typer.main.get_command(app)

    def main(self, argv: Sequence[str] | None = None, name: str | None = None) -> int:
        """Run the command line of this command alone; returns the exit status."""
        return exit_status(lambda: refused(lambda: invoked(self.click, argv, name)))

    def _epilog(self) -> str:
        # The mark keeps each example on a line of its own.
        return "\n\n".join(["\b\n" + "\n".join(("Examples:", *(f"  {line}" for line in self.examples)))])


def invoked(click: Any, argv: Sequence[str] | None, name: str | None) -> int:
    """Parse a command line and run its command; typer's own ``main`` would turn an interruption into a status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    for argument in arguments:
        try:
            os.fsencode(argument)
        except UnicodeEncodeError:
            # No file can have such a name, and no shell passes it; a program that calls this one does.
            raise Refusal(f"argument {one_line(argument)[:80]}: is no text; write it in UTF-8") from None
    if variable := secret_among(arguments):
        raise Refusal(
            f"an argument holds the secret of {variable}, and every user of this machine can read arguments: leave it "
            "in the environment or in a file for --dotenv, and name files otherwise"
        )
    try:
        with click.make_context(name, arguments) as context:
            return int(click.invoke(context) or 0)
    except typer.Exit as end:
        return end.exit_code


def command(*examples: str) -> Callable[[Callable[..., int]], Command]:
    """Make a command out of a function; its docstring is the help."""
    return lambda function: Command(function, examples)


def gathered(*groups: Any) -> dict[str, Any]:
    """The values of several groups of options by name."""
    return {field.name: getattr(group, field.name) for group in groups for field in dataclasses.fields(group)}


def given(*groups: Any) -> set[str]:
    """Names of the options of which the user wrote another value than the default."""
    return {
        field.name
        for group in groups
        for field in dataclasses.fields(group)
        if getattr(group, field.name) != _default(field)
    }


def _flattened(function: Callable[..., int]) -> Callable[..., int]:
    """The function with the fields of its groups as parameters, as typer wants it."""
    hints = get_type_hints(function, include_extras=True)
    hints.pop("return", None)
    groups: dict[str, type[Any]] = {
        name: kind for name, kind in hints.items() if isinstance(kind, type) and dataclasses.is_dataclass(kind)
    }

    def call(**values: Any) -> int:
        arguments = {
            name: kind(**{field.name: values.pop(field.name) for field in dataclasses.fields(kind)})
            for name, kind in groups.items()
        }
        return function(**arguments, **values)

    plain = inspect.signature(function).parameters
    parameters = list(_ordered(_parameters(plain, hints, groups)))
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__doc__ = function.__doc__
    call.__name__ = function.__name__
    return call


def _parameters(plain: Any, hints: dict[str, Any], groups: dict[str, Any]) -> Iterator[inspect.Parameter]:
    for name, parameter in plain.items():
        if name not in groups:
            yield parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
            continue
        fields = get_type_hints(groups[name], include_extras=True)
        for field in dataclasses.fields(groups[name]):
            yield inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=_default(field), annotation=fields[field.name]
            )


def _ordered(parameters: Iterable[inspect.Parameter]) -> Iterator[inspect.Parameter]:
    seen: set[str] = set()
    for parameter in parameters:
        if parameter.name in seen:
            raise TypeError(f"two groups of options have {parameter.name}")
        seen.add(parameter.name)
        yield parameter


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
