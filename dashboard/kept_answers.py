"""Answers that several browsers ask for at once are worked out once for all of them."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

Make = Callable[[], Awaitable[web.StreamResponse]]
PAGES = frozenset({"/", "/symbols", "/decisions", "/orders"})
FEEDS = ("/equity.json", "/candles/", "/symbol/")


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, and what the trader had written when it was worked out."""

    mark: str
    at: float
    text: str
    content_type: str


class KeptAnswers:
    """Keeps the latest answers for as long as nothing that they show has changed, and no longer than a beat.

    Parameters
    ----------
    mark : callable
        A word that changes with whatever a page shows.
    beat_s : float
        Ages are written on pages, so that an answer is kept no longer than that.
    most : int
        Answers that are kept.
    """

    def __init__(self, mark: Callable[[], str], beat_s: float, most: int) -> None:
        self._mark, self._beat_s, self._most = mark, beat_s, most
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._turns: dict[str, asyncio.Lock] = {}

    async def answer(self, request: web.Request, make: Make) -> web.StreamResponse:
        """The answer to a request, from what is kept or else by ``make``."""
        if request.method != "GET" or not (request.path in PAGES or request.path.startswith(FEEDS)):
            return await make()
        key = request.path_qs
        turn = self._turns.setdefault(key, asyncio.Lock())
        try:
            async with turn:
                mark = await asyncio.to_thread(self._mark)
                found = self._kept.get(key)
                if found is None or found.mark != mark or time.monotonic() - found.at > self._beat_s:
                    response = await make()
                    if type(response) is not web.Response or response.status != 200 or response.text is None:
                        return response
                    found = Kept(mark, time.monotonic(), response.text, response.content_type)
                    self._kept[key] = found
                self._kept.move_to_end(key)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        finally:
            if not turn.locked():
                self._turns.pop(key, None)
        return web.Response(text=found.text, content_type=found.content_type)
