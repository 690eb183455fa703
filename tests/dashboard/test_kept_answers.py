"""What many browsers ask for at once is worked out once, and never shown after it has changed."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from dashboard.kept_answers import KeptAnswers


class World:
    """Counts what is worked out; ``mark`` is what the trader has written."""

    def __init__(self, beat_s=60.0, most=8):
        self.mark, self.made, self.status = "one", 0, 200
        self.kept = KeptAnswers(lambda: self.mark, beat_s, most)

    async def make(self):
        self.made += 1
        told = f"{self.mark} {self.made}"
        await asyncio.sleep(0.01)
        return web.Response(text=told, content_type="text/html", status=self.status)

    def ask(self, *paths, method="GET"):
        async def all_at_once():
            asked = (self.kept.answer(make_mocked_request(method, path), self.make) for path in paths)
            return [answer.text for answer in await asyncio.gather(*asked)]

        return asyncio.run(all_at_once())


def test_twenty_that_ask_at_once_get_one_answer():
    world = World()
    assert world.ask(*["/"] * 20) == ["one 1"] * 20
    assert world.ask("/") == ["one 1"]


def test_news_are_never_kept_back():
    world = World()
    assert world.ask("/equity.json") == ["one 1"]
    world.mark = "two"
    assert world.ask(*["/equity.json"] * 3) == ["two 2"] * 3


def test_ages_on_a_page_are_no_older_than_a_beat():
    world = World(beat_s=0.0)
    assert world.ask("/") == ["one 1"]
    assert world.ask("/") == ["one 2"]


@pytest.mark.parametrize("path", ["/metrics", "/beats", "/decision/2/remedy", "/report/a/report.html", "/symbol"])
def test_what_must_be_worked_out_each_time_is(path):
    world = World()
    assert world.ask(path, path) == ["one 1", "one 2"]
    assert world.ask("/", "/", method="HEAD") == ["one 3", "one 4"]


def test_filters_and_symbols_are_told_apart_and_few_are_kept():
    world = World(most=2)
    assert len(set(world.ask("/decisions", "/decisions?outcome=sent", "/symbol/AMD", "/candles/AMD"))) == 4
    assert len(world.kept._kept) == 2 and world.kept._turns == {}


def test_what_went_wrong_is_not_kept():
    world = World()
    world.status = 503
    assert world.ask("/") == ["one 1"]
    world.status = 200
    assert world.ask("/") == ["one 2"]
