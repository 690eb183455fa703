"""The scoreboard, and what backtests, walks forward and optimisations left in the folder of runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from dashboard.context import CONTEXT
from dashboard.security import REPORT_POLICY, AsItIs
from dashboard.words import quantity, share, signed, signed_share, usd
from dashboard.workers import answer

SHOWN = {
    ".html": "text/html",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".csv": "text/plain",
    ".md": "text/plain",
}
MARKS = ("summary.json", "run.json", "report.html", "tearsheet.html")
"""Files of which every run, walk forward and optimisation leaves at least one; other folders are no report."""
HIDDEN = frozenset({"state"})
"""Folders inside a run that are no report: a rehearsal's state has its journal."""
MOST_RUNS, MOST_FILES = 200, 40
LARGEST_BYTES = 64_000_000

FIGURES: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("trials", "trials", quantity),
    ("windows", "windows", quantity),
    ("trades", "trades", quantity),
    ("win_rate", "win rate", share),
    ("profit_factor", "profit factor", usd),
    ("avg_r", "average R", signed),
    ("total_return", "return", signed_share),
    ("sharpe", "Sharpe", usd),
    ("max_drawdown", "maximum drawdown", share),
    ("windows_above_zero", "windows above zero", share),
    ("dsr", "deflated Sharpe", usd),
    ("pbo", "probability of overfitting", usd),
    ("final_equity", "equity at the end", lambda value: usd(value, 0)),
)
"""Names in a summary, what they are called, and how they are written."""


@dataclass(frozen=True, slots=True)
class Report:
    """One run's folder: its figures, and the files that can be looked at."""

    name: str
    changed: datetime
    summary: dict[str, Any]
    files: tuple[str, ...]

    @property
    def kind(self) -> str:
        """What was run, and over which days."""
        s = self.summary
        what = "walk-forward" if "windows_above_zero" in s else "optimisation" if "best" in s else s.get("mode", "")
        days = [str(s.get(name) or s.get(f"test_{name}") or "")[:10] for name in ("start", "end")]
        told = " ".join(filter(None, (str(what or ""), str(s.get("profile") or ""))))
        return f"{told}, {days[0]} to {days[1]}" if all(days) else told

    @property
    def figures(self) -> list[tuple[str, str]]:
        """Figures of the run, or of the best trial of a search, as they are written; those that it has."""
        places = [part for part in (self.summary.get("metrics"), self.summary.get("best"), self.summary) if part]
        found = []
        for name, word, written in FIGURES:
            value = next((p[name] for p in places if isinstance(p, dict) and name in p), None)
            if isinstance(value, int | float):
                found.append((word, written(float(value))))
        return found


async def scoreboard(request: web.Request) -> web.Response:
    """What was measured beside what is hoped for, in all and by day."""
    context = request.app[CONTEXT]
    mark = await asyncio.to_thread(context.journal.mark)
    if context.board is None or context.board[0] != mark:
        context.board = mark, await answer(context.settings, {"question": "scoreboard"})
    found = context.board[1]
    return context.page("scoreboard", request, status=await asyncio.to_thread(context.status), board=found)


async def reports(request: web.Request) -> web.Response:
    """Every run whose folder is there, the latest first."""
    context = request.app[CONTEXT]
    found = await asyncio.to_thread(_reports, context.settings.runs_folder)
    status = await asyncio.to_thread(context.status)
    return context.page("reports", request, status=status, reports=found, runs=context.settings.runs)


async def report_file(request: web.Request) -> web.StreamResponse:
    """One file of a run, shown so that nothing in it runs."""
    folder = request.app[CONTEXT].settings.runs_folder
    path = await asyncio.to_thread(_inside, folder, request.match_info["name"])
    if path is None:
        raise web.HTTPNotFound
    kind = SHOWN[path.suffix.lower()]
    charset = None if kind.startswith("image") else "utf-8"
    body = await asyncio.to_thread(path.read_bytes)
    answer_kind = AsItIs if kind.startswith("image") else web.Response
    response = answer_kind(body=body, content_type=kind, charset=charset)
    response.headers["Content-Security-Policy"] = REPORT_POLICY
    return response


def _inside(folder: Path, name: str) -> Path | None:
    """The file of that name within the folder of runs, whatever links and dots it is written with; None elsewhere."""
    try:
        root = folder.resolve(strict=True)
        path = (root / name).resolve(strict=True)
        inside = path.is_relative_to(root) and path.is_file() and path.stat().st_size <= LARGEST_BYTES
    except (OSError, ValueError, RuntimeError):
        return None
    hidden = HIDDEN & set(path.relative_to(root).parts) if inside else {"outside"}
    return path if inside and not hidden and path.suffix.lower() in SHOWN else None


def _reports(folder: Path) -> list[Report]:
    try:
        folders = sorted((f for f in folder.iterdir() if f.is_dir()), key=lambda f: f.stat().st_mtime, reverse=True)
    except OSError:
        return []
    return [report for f in folders[:MOST_RUNS] if (report := _report(folder, f)) is not None]


def _report(root: Path, folder: Path) -> Report | None:
    if not any((folder / mark).is_file() for mark in MARKS):
        return None
    pages = sorted(
        (p for p in folder.rglob("*") if p.suffix in (".html", ".md") and not HIDDEN & set(p.relative_to(root).parts)),
        key=lambda p: (len(p.parts), p.name),
    )
    summary: dict[str, Any] = {}
    try:
        raw = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        summary = raw if isinstance(raw, dict) else {}
    except (OSError, ValueError):
        pass
    names = tuple(str(page.relative_to(root)) for page in pages[:MOST_FILES])
    return Report(folder.name, datetime.fromtimestamp(folder.stat().st_mtime, UTC), summary, names)


ROUTES = [
    web.get("/scoreboard", scoreboard),
    web.get("/reports", reports),
    web.get("/report/{name:.+}", report_file),
]
