"""What a market view says of its own moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np

from config.values.markets import NEW_YORK_ZONE
from market.market import Market


def test_whether_the_last_bar_is_of_the_session_of_now_goes_by_new_york():
    chance, found = Random(5), {True: 0, False: 0, "changed clocks": 0}
    for _ in range(4000):
        # Every kind of hour, the ones around midnight and around the changes of the clocks among them.
        opened = datetime(2024, chance.choice([3, 7, 11]), 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(20_000))
        now = opened + timedelta(minutes=chance.choice([5, 60, 300, 1380]))
        times = np.array([[opened.timestamp()], [now.timestamp()]])
        market = Market(time=now, row=0, symbols=(), index={}, columns={}, sectors={}, times=times)
        local, later = opened.astimezone(NEW_YORK_ZONE), now.astimezone(NEW_YORK_ZONE)
        assert market.in_its_session is (local.date() == later.date())
        found[market.in_its_session] += 1
        found["changed clocks"] += local.utcoffset() != later.utcoffset()
    assert min(found.values()) > 10
