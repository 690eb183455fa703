"""Answers that take a moment: what ended meanwhile is no older than what was read before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.brokers.kraken.scene import BTC, KrakenScene, WatchedRest
from tests.brokers.rehearsal.kraken.market import served


def take_a_moment(scene: KrakenScene, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Each answer is read so long after it was made."""
    sent = WatchedRest._sent

    def later(self, *args, **values):
        answer = sent(self, *args, **values)
        scene.server.advance_to(scene.server.now + timedelta(seconds=seconds))
        scene.clock.time = scene.server.now
        return answer

    monkeypatch.setattr(WatchedRest, "_sent", later)


@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_what_fills_at_once_is_in_the_books_at_once(tmp_path, monkeypatch, seconds):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.settle(2)
        take_a_moment(scene, monkeypatch, seconds)
        scene.enter(BTC, 100)
        began = server.now
        while not scene.stopped() == scene.held() == scene.positions.book.quantity(BTC) > 0:
            assert (server.now - began).total_seconds() < 6
            scene.step(0.5)
        scene.close()
