"""``new``: the files and lines of a new rule, complete and green, to be changed into what it should do."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.composition import HELP_OPTIONS
from config.errors import Refusal

ROOT = Path(__file__).parents[2]
REGISTRY, DEFAULTS, SCENES = "strategies/registry.py", "config/base.yaml", "tools/example_scenes.py"
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_REGISTERED = re.compile(
    r'RISK_MODULES = Registry\(.*?\n    \{\n(?P<lines>(?:        "[^\n]*\n)+)    \},\n\)', re.DOTALL
)
_SECTION = "    recent_form: "
"""Line of the defaults before which those of the new rule are written."""

_END_OF_SCENES = "\n    ):\n        yield Scene("
"""In the documentation every rule shows what it says on a scene; this one is of a small account."""

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=False,
    context_settings=HELP_OPTIONS,
)


@app.callback()
def new() -> None:
    """Begin something new in a checkout of this project."""


@app.command("risk-module", epilog="\b\nExamples:\n  risk-first new risk-module share_price_cap")
def risk_module(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name in the configuration, e.g. share_price_cap.")],
) -> int:
    """Make a risk rule, its tests, its place among the rules and its defaults.

    What is made refuses shares that are too dear for the account, and passes every test: change it into your own.
    """
    for place in add_risk_module(ROOT, name):
        typer.echo(place)
    typer.echo("Now: python tools/document_risk_modules.py renews docs/risk-modules.md;")
    typer.echo(f"     python -m pytest tests/risk/test_{name}.py tests/risk/test_contract.py tests/test_docs.py")
    typer.echo(f"     risk-first backtest --set risk.chain+={name}")
    return 0


def add_risk_module(root: Path, name: str) -> list[str]:
    """Write the files and lines of a new rule.

    Parameters
    ----------
    root : Path
        A checkout of this project.
    name : str
        Lower case, words joined by underscores.

    Returns
    -------
    list of str
        The files that were written or changed, relative to ``root``.

    Raises
    ------
    Refusal
        If the name cannot be used, is taken, or ``root`` is no checkout; nothing is written then.
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise Refusal(f"{name} cannot name a rule; write small letters, digits and underscores, e.g. share_price_cap")
    files = {f"risk/{name}.py": "risk_module.py.j2", f"tests/risk/test_{name}.py": "test_risk_module.py.j2"}
    changed = (REGISTRY, DEFAULTS, SCENES)
    for place in changed:
        if not (root / place).is_file() or not (root / "tests" / "risk").is_dir():
            raise Refusal(
                f"{root} is no checkout of this project, it lacks {place} or tests/risk; clone it to add a rule"
            )
    for place in files:
        if (root / place).exists():
            raise Refusal(f"{place} is there already; choose another name")
    cls = "".join(word.capitalize() for word in name.split("_"))
    registry, defaults, scenes = (_read(root / place) for place in changed)
    found = _REGISTERED.search(registry)
    if found is None or f"\n{_SECTION}" not in defaults or scenes.count(_END_OF_SCENES) != 1:
        raise Refusal(f"a file of {changed} has another form than this command knows; docs/start-here.md has the steps")
    if f'        "{name}": ' in found["lines"]:
        raise Refusal(f"{name} is registered in {REGISTRY} already; choose another name")
    end = found.end("lines")
    registry = f'{registry[:end]}        "{name}": "risk.{name}:{cls}",\n{registry[end:]}'
    section = f"    {name}:\n      max_share_price_frac: 0.05 # of equity; price of one share, at most\n"
    defaults = defaults.replace(f"\n{_SECTION}", f"\n{section}{_SECTION}", 1)
    scene = "        (book(equity=3_000.0, cash=3_000.0), wish(quantity=1), {}),"
    scenes = scenes.replace(_END_OF_SCENES, f"\n{scene}{_END_OF_SCENES}")
    for place, template in files.items():
        (root / place).write_text(_rendered(template, name=name, cls=cls, code=name.upper()), encoding="utf-8")
    for place, text in zip(changed, (registry, defaults, scenes), strict=True):
        (root / place).write_text(text, encoding="utf-8")
    return [*files, *changed]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _rendered(template: str, **values: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("commands.developer", "templates")
    # What is written is Python, not a page.
    return (
        Environment(
            loader=loader,
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            autoescape=False,  # noqa: S701  # see above
        )
        .get_template(template)
        .render(values)
    )
