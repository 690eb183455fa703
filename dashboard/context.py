"""What every page shares: the journal, the state file, the market view, the templates, and who follows the page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import jinja2
from aiohttp import web

from config.errors import Refusal
from config.values.printable import shown
from dashboard.kept_answers import KeptAnswers
from dashboard.settings import PageSettings
from dashboard.words import FILTERS
from monitoring.journal_reader import JournalReader, Statements
from monitoring.market_view import VIEW_FILE, MarketView
from monitoring.metrics import Counts
from monitoring.signs import signs
from monitoring.state import MISSED_BEATS, STATE_FILE, TraderState, read_state
from monitoring.status import Status, status

T = TypeVar("T")


class Context:
    """One page's parts; what reads a file or a database runs beside the loop.

    Parameters
    ----------
    settings : PageSettings
    templates : jinja2.BaseLoader
    """

    def __init__(self, settings: PageSettings, templates: jinja2.BaseLoader) -> None:
        self.settings = settings
        self.journal = JournalReader(settings.journal)
        self.view = MarketView(settings.state_folder / VIEW_FILE)
        self.counts = Counts()
        self.templates = jinja2.Environment(
            loader=templates,
            autoescape=True,
            finalize=shown,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        self.templates.filters.update(FILTERS)
        self.followers: set[asyncio.Queue[str]] = set()
        self.kept = KeptAnswers(self._mark, settings.beat_s, settings.kept_answers)
        self._account = ""
        self._task: asyncio.Task[None] | None = None
        self.mark = ""
        self.board: tuple[str, dict[str, Any]] | None = None
        """The scoreboard of a journal's mark: it is worked out once for each."""

    def secret(self) -> str:
        """The account's number, which no page shows."""
        return self._account

    async def ask(self, question: Callable[[Statements], T]) -> T:
        """Ask the journal, on a connection of its own."""
        return await asyncio.to_thread(self._ask, question)

    def _ask(self, question: Callable[[Statements], T]) -> T:
        with self.journal.open() as db:
            if not self._account:
                self._account = str(db.scalar("SELECT value FROM meta WHERE key = 'account_id'") or "")
            return question(db)

    def state(self) -> TraderState | None:
        """What the trader wrote last."""
        return read_state(self.settings.state_folder / STATE_FILE)

    def status(self) -> Status | None:
        """What it means now; None where no trader ever wrote here."""
        state = self.state()
        return None if state is None else status(state)

    def page(self, name: str, request: web.Request, **values: Any) -> web.Response:
        """A page from its template."""
        found: Status | None = values.get("status")
        text = self.templates.get_template(f"{name}.html.j2").render(
            signs=() if found is None else signs(found),
            path=request.path,
            here=name,
            now=datetime.now(UTC),
            beat_s=self.settings.beat_s,
            missed_beats=MISSED_BEATS,
            mark=self.mark,
            **{"status": None, **values},
        )
        return web.Response(text=text, content_type="text/html")

    async def start(self, _: web.Application) -> None:
        self._task = asyncio.create_task(self._beat())

    async def stop(self, _: web.Application) -> None:
        if self._task is not None:
            self._task.cancel()
        for queue in self.followers:
            queue.put_nowait("")

    async def _beat(self) -> None:
        """Once a beat, tell every follower that the page lives and whether there is news."""
        while True:
            began = time.monotonic()
            try:
                self.mark = await asyncio.to_thread(self._mark)
            except Refusal as refusal:
                self.mark = str(hash(str(refusal)))
            for queue in self.followers:
                if queue.qsize() < MISSED_BEATS:
                    queue.put_nowait(self.mark)
            await asyncio.sleep(max(0.1, self.settings.beat_s - (time.monotonic() - began)))

    def _mark(self) -> str:
        """A word that changes with whatever a page shows."""
        path = self.settings.state_folder / STATE_FILE
        try:
            written = str(path.stat().st_mtime_ns)
        except OSError:
            written = "none"
        found = self.status()
        alive = found.sign_of_life if found is not None else "none"
        return f"{written} {alive} {self.journal.mark()}"


CONTEXT = web.AppKey("context", Context)
