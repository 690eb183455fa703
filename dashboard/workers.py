"""Asks another process what needs the rules or the reports, so that the page's own stays small."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from dashboard.settings import VARIABLE, PageSettings

AT_ONCE = 2
"""Such processes at a time; further questions wait."""
_ROOT = Path(__file__).parent.parent
_turns = asyncio.Semaphore(AT_ONCE)


async def answer(settings: PageSettings, question: dict[str, Any]) -> dict[str, Any]:
    """The answer to one question; ``{"error": …}`` where there is none."""
    async with _turns:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "dashboard.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(settings),
            cwd="/",
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(json.dumps(question).encode()), settings.answer_s)
        except TimeoutError:
            process.kill()
            await process.wait()
            return {"error": "no answer in time"}
    try:
        found: dict[str, Any] = json.loads(out)
    except ValueError:
        return {"error": "the answer could not be worked out"}
    return found


def environment(settings: PageSettings) -> dict[str, str]:
    """What a process of the page needs of the environment, and no key of an account."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    kept |= {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1", VARIABLE: settings.text()}
    return kept
