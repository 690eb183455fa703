"""The version of this package."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, requires
from importlib.metadata import version as installed_version
from pathlib import Path

PACKAGE = "risk-first-trader"
PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def version() -> str:
    """The installed version; in a checkout that is not installed, the one its project file names."""
    try:
        return installed_version(PACKAGE)
    except PackageNotFoundError:
        project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
        return f"{project['version']} (source tree)"


def required(package: str) -> str:
    """The exact version of a package that this one requires; empty where it names none."""
    try:
        found = requires(PACKAGE) or []
    except PackageNotFoundError:
        found = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    exact = (line.partition("==") for line in found)
    return next((pinned for name, sign, pinned in exact if sign and name.strip() == package), "")
