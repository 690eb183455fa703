"""What a page needs to know: where the journal, the state folder and the reports are, and who may ask."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

VARIABLE = "RISK_FIRST_DASHBOARD"
"""Brings the settings to the page's process: the journal's address may hold a password, a command line is no secret."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class PageSettings:
    """Paths as text; ``journal`` is a file or ``postgresql://…``, ``token`` what a reader has to show.

    ``followers`` browsers may follow the page at once, ``answer_s`` is how long another process is waited for, and
    ``kept_answers`` how many answers are kept for all browsers.
    """

    journal: str
    state_dir: str
    runs: str
    token: str
    host: str = "127.0.0.1"
    port: int = 8787
    beat_s: float = 2.0
    followers: int = 64
    answer_s: float = 30.0
    kept_answers: int = 32

    def text(self) -> str:
        return json.dumps(asdict(self))

    @property
    def state_folder(self) -> Path:
        return Path(self.state_dir)

    @property
    def runs_folder(self) -> Path:
        return Path(self.runs)


def from_environment() -> PageSettings:
    """The settings that ``VARIABLE`` holds, which is taken out of the environment."""
    return PageSettings(**json.loads(os.environ.pop(VARIABLE)))
