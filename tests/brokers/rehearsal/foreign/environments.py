"""An environment of its own for each foreign client.

Tests talk to this machine only, so the environments are made beforehand, which takes a minute::

    python -m tests.brokers.rehearsal.foreign.environments

They are kept in the folder FOREIGN_CLIENTS, or in one for temporary files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

PATIENCE_S = 300
PYTHON_CLIENT = "alpaca-trade-api==3.2.0"
NODE_CLIENT = "@alpacahq/alpaca-trade-api@3.1.3"
ROOM = Path(os.environ.get("FOREIGN_CLIENTS") or Path(tempfile.gettempdir()) / f"foreign-clients-{os.getuid()}")
READY = "ready"


def _folder(client: str) -> Path:
    return ROOM / "".join(letter if letter.isalnum() else "-" for letter in client).strip("-")


def _prepared(client: str) -> Path:
    """The folder of a client; skips the test where it isn't there."""
    folder = _folder(client)
    if not (folder / READY).is_file():
        pytest.skip(f"{client} is not installed; try python -m {__spec__.name if __spec__ else __name__}")
    return folder


def python_client() -> Path:
    """The interpreter that has alpaca-trade-api for Python."""
    return _prepared(PYTHON_CLIENT) / "env" / "bin" / "python"


def node_client() -> Path:
    """A folder in which node finds alpaca-trade-api."""
    return _prepared(NODE_CLIENT)


def _commands(client: str) -> list[Sequence[str | Path]]:
    if client == NODE_CLIENT:
        return [["npm", "install", "--no-audit", "--no-fund", client]]
    python, uv = _folder(client) / "env" / "bin" / "python", shutil.which("uv")
    if uv is None:
        return [[sys.executable, "-m", "venv", "env"], [python, "-m", "pip", "install", client]]
    return [[sys.executable, "-m", "venv", "--without-pip", "env"], [uv, "pip", "install", "--python", python, client]]


def _install(client: str) -> str:
    """What went wrong, empty for nothing."""
    folder = _folder(client)
    if (folder / READY).is_file():
        return ""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for command in _commands(client):
        try:
            subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
        except subprocess.CalledProcessError as error:
            return str(error.stderr or error.stdout).strip() or str(error)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    (folder / READY).touch()
    return ""


def main() -> int:
    """Install what can be installed; the number of clients that can't."""
    failed = 0
    for client in (PYTHON_CLIENT, NODE_CLIENT):
        wrong = _install(client)
        failed += bool(wrong)
        sys.stdout.write(f"{client}: {wrong or f'ready in {_folder(client)}'}\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
