from __future__ import annotations

from brokers.desk.execution import unprotected_alarm
from brokers.desk.execution.unprotected_alarm import UnprotectedAlarm, WatchedLock
from brokers.reporting.events import EventKind
from brokers.reporting.standing_conditions import Condition, StandingConditions
from tests.live_venue import wait_until


def test_the_alarm_outlives_whatever_goes_wrong_in_it(caplog, monkeypatch):
    monkeypatch.setattr(unprotected_alarm, "POLL_S", 0.01)
    monkeypatch.setattr(unprotected_alarm, "HELD_S", 0.1)
    lock, asked = WatchedLock(), list[int]()

    def unprotected():
        asked.append(1)
        if len(asked) < 5:
            raise RuntimeError("dictionary changed size during iteration")
        return {"AAPL": "10 shares without a working stop"}

    conditions = (
        Condition(EventKind.VENUE_DOWN, lambda: {"the venue": 1 / 0}, 0.0, "{subject}", "{subject}"),
        Condition(EventKind.STREAM_DOWN, lambda: {"trade updates": "lost"}, 0.0, "no {subject}", "{subject}"),
    )
    alarm = UnprotectedAlarm(lock, unprotected, StandingConditions(conditions, 300.0))
    with lock:
        alarm.start()
        wait_until(lambda: "AAPL has 10 shares" in caplog.text, 5)
    alarm.stop()
    assert "no trade updates" in caplog.text
    assert caplog.text.count("whether the desk is held up is not known") == 1
    assert caplog.text.count("whether venue_down lasts is not known") == 1
