from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.alpaca.limits import Need, SlidingWindowLimiter
from brokers.network.breaker import BreakerState, CircuitBreaker
from tests.brokers.alpaca.scripted import FakeClock


def bucket(clock: FakeClock, **more) -> SlidingWindowLimiter:
    return SlidingWindowLimiter(clock=clock, sleep=clock.sleep, **more)


def worst_minute(times: list[float], window: float = 60.0) -> int:
    """The most that lie in any window that is closed at both ends."""
    return max(sum(start <= time <= start + window for time in times) for start in times)


def test_a_steadily_refilled_bucket_would_be_caught():
    refilled = [0.0] * 200 + [i * 0.3 for i in range(1, 201)]
    assert worst_minute(refilled) == 400


@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from(Need)), min_size=1, max_size=120))
def test_no_minute_has_more_than_the_limit(steps):
    clock = FakeClock()
    limited = bucket(clock, limit=20, reserve=5)
    taken: list[tuple[float, Need]] = []
    for pause, need in steps:
        clock.now += pause
        if limited.take(need, 100.0):
            taken.append((clock.now, need))
    for need, most in ((Need.ORDERS, 20), (Need.LISTINGS, 15), (Need.PRICES, 10)):
        times = [time for time, of in taken if of >= need]
        assert not times or worst_minute(times) <= most


def test_two_hundred_go_at_once_and_the_next_waits_a_minute():
    clock = FakeClock()
    limited = bucket(clock)
    assert all(limited.take(Need.ORDERS, 0.0) for _ in range(200))
    assert not limited.take(Need.ORDERS, 59.0)
    assert clock.now == 0.0
    assert limited.take(Need.ORDERS, 61.0)
    assert clock.now == pytest.approx(60.0, abs=0.01)


def test_prices_leave_room_for_listings_and_listings_for_orders():
    limited = bucket(FakeClock())
    assert [sum(limited.take(need, 0.0) for _ in range(300)) for need in Need] == [140, 30, 30]


def test_a_minute_is_shorter_where_time_runs_faster():
    clock = FakeClock()
    limited = bucket(clock, limit=1, reserve=0, window_s=1.0)
    assert limited.take(Need.ORDERS, 0.0)
    assert limited.take(Need.ORDERS, 2.0)
    assert clock.now == pytest.approx(1.0, abs=0.01)


def test_after_a_429_nothing_goes_until_its_time_is_over():
    clock = FakeClock()
    limited = bucket(clock)
    limited.turned_away(3.0)
    assert not limited.take(Need.ORDERS, 2.9)
    assert limited.take(Need.ORDERS, 3.1)
    assert clock.now == pytest.approx(3.0)


def test_one_wait_is_told_once_however_many_requests_find_no_room(caplog):
    clock = FakeClock()
    limited = bucket(clock)
    limited.turned_away(60.0)
    for _ in range(500):
        assert not limited.take(Need.LISTINGS, 0.0)
        clock.now += 0.1
    assert [r.getMessage() for r in caplog.records] == ["429, too many requests: nothing is asked or sent for 60 s"]
    assert limited.why_none(Need.LISTINGS) == "429, too many requests: the venue takes none for 10 s more"
    clock.now = 61.0
    assert all(limited.take(Need.PRICES, 0.0) for _ in range(140))
    assert not any(limited.take(Need.PRICES, 0.0) for _ in range(50))
    assert caplog.records[1].getMessage().startswith("own rate limit: 140 of 200 requests of a minute are spent, 60")
    assert len(caplog.records) == 2


def test_where_all_are_spent_nothing_is_said_to_be_kept():
    clock = FakeClock()
    limited = bucket(clock)
    for _ in range(200):
        assert limited.take(Need.ORDERS, 0.0)
        clock.now += 0.1
    assert limited.why_none(Need.ORDERS) == (
        "own rate limit: all 200 requests of a minute are spent, this one can go in 40 s"
    )
    assert limited.why_none(Need.LISTINGS).endswith("are spent, this one can go in 43 s")
    clock.now += 43.0
    assert limited.take(Need.LISTINGS, 0.0)


def test_threads_share_the_limit():
    limited = bucket(FakeClock(), limit=100, reserve=0)
    granted: list[bool] = []

    def ask() -> None:
        granted.extend(limited.take(Need.ORDERS, 0.0) for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 100


def test_the_breaker_opens_after_three_in_a_row_and_tries_once_per_pause():
    clock = FakeClock()
    breaker = CircuitBreaker(clock=clock)
    heard: list[tuple[str, str]] = []
    breaker.listeners.append(lambda before, now: heard.append((before, now)))
    breaker.failed()
    breaker.failed()
    breaker.answered()
    breaker.failed()
    breaker.failed()
    assert (breaker.open, breaker.failures, breaker.permits()) == (False, 2, True)
    breaker.failed()
    assert (breaker.open, breaker.state, breaker.permits()) == (True, BreakerState.OPEN, False)
    clock.now = 0.9
    assert not breaker.ready
    clock.now = 1.0
    assert breaker.ready
    assert breaker.permits()
    assert not breaker.permits()
    assert breaker.open
    breaker.failed()
    clock.now = 2.9
    assert not breaker.permits()
    clock.now = 3.0
    assert breaker.permits()
    breaker.answered()
    assert (breaker.open, breaker.failures, breaker.permits()) == (False, 0, True)
    assert heard == [
        ("closed", "open"), ("open", "trial"), ("trial", "open"), ("open", "trial"), ("trial", "closed"),
    ]  # fmt: skip


def test_stray_failures_cost_a_second_and_a_host_that_is_gone_is_tried_once_in_ten():
    """The pauses between trials that fail double; after an answer the next one begins anew."""
    clock = FakeClock()
    breaker = CircuitBreaker(most=3, clock=clock)

    def pauses(trials: int) -> list[float]:
        for _ in range(3):
            breaker.failed()
        found = []
        for _ in range(trials):
            began = clock.now
            while not breaker.permits():
                clock.now += 0.5
            found.append(clock.now - began)
            breaker.failed()
        return found

    assert pauses(6) == [1, 2, 4, 8, 10, 10]
    breaker.answered()
    assert pauses(2) == [1, 2]


def test_a_trial_without_an_outcome_holds_the_others_back_for_the_longest_pause():
    clock = FakeClock()
    breaker = CircuitBreaker(most=1, clock=clock)
    breaker.failed()
    clock.now = 1.0
    assert breaker.permits()
    clock.now = 10.9
    assert not breaker.permits()
    clock.now = 11.0
    assert breaker.permits()


def test_urgent_requests_that_fail_do_not_put_off_the_next_trial():
    clock = FakeClock()
    breaker = CircuitBreaker(most=1, clock=clock)
    breaker.failed()
    for clock.now in (0.4, 0.9):
        breaker.failed()
    clock.now = 1.0
    assert breaker.permits()


def test_a_listener_may_ask_the_breaker():
    breaker = CircuitBreaker(most=1)
    seen: list[bool] = []
    breaker.listeners.append(lambda before, now: seen.append(breaker.ready))
    breaker.failed()
    assert seen == [False]


def test_the_log_tells_when_it_opens_and_closes(caplog):
    breaker = CircuitBreaker(most=1)
    breaker.failed()
    breaker.answered()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_one_trial_among_many_threads():
    clock = FakeClock()
    breaker = CircuitBreaker(most=1, clock=clock)
    breaker.failed()
    clock.now = 10.0
    granted: list[bool] = []
    threads = [threading.Thread(target=lambda: granted.append(breaker.permits())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 1


def test_what_waits_is_dropped_and_what_comes_after_it_waits_anew():
    limited = SlidingWindowLimiter(limit=1, reserve=0, window_s=1.0)
    assert limited.take(Need.ORDERS, 0.0)
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(limited.take(Need.ORDERS, 30.0)))
    waiting.start()
    time.sleep(0.15)
    limited.drop_waiting()
    waiting.join(0.5)
    assert answers == [False]
    assert limited.take(Need.ORDERS, 2.0)


def test_what_the_venue_counted_for_others_counts_here_until_it_begins_anew():
    clock = FakeClock()
    limited = bucket(clock)
    assert limited.take(Need.LISTINGS, 0.0)
    limited.told(200, 30, 20.0)
    assert limited.spent == "170 of 200 requests of a minute are spent"
    assert not limited.take(Need.LISTINGS, 0.0)
    assert limited.take(Need.ORDERS, 0.0)
    limited.told(200, 29, 19.9)
    assert limited.spent == "171 of 200 requests of a minute are spent"
    clock.now += 20.1
    assert limited.spent == "2 of 200 requests of a minute are spent"
    limited.told(200, 199, 60.0)
    assert limited.spent == "2 of 200 requests of a minute are spent"


def test_room_takes_no_place():
    limited = bucket(FakeClock())
    assert all(limited.room(Need.PRICES, 140) for _ in range(300))
    assert not limited.room(Need.PRICES, 141)
    assert limited.take(Need.ORDERS, 0.0)
    assert not limited.room(Need.PRICES, 140)
