"""The last seconds of a process: orders stay at the venue, nothing new is sent, nothing is left bare."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from config.errors import Refusal

if TYPE_CHECKING:
    from brokers.desk.desk import LiveDesk

PAUSE_S = 0.1

log = logging.getLogger(__name__)


def leave(desk: LiveDesk, within_s: float) -> None:
    """End what is under way, as far as ``within_s`` local seconds allow.

    Orders that rest are left as they are; a close that has not sold yet is called off, so that its stop goes back.
    Of an entry that has filled in part the rest is cancelled, or its exits would not work.
    """
    desk.leaving = True
    end = time.monotonic() + within_s
    if not desk.submit:
        return
    if not desk.lock.acquire(timeout=within_s):
        _tell_no_look(desk, f"one step has taken {desk.lock.held_s:.0f} s, the journal or the venue does not answer")
        return
    desk.closing.call_off()
    desk.lock.release()
    seen, failed = desk.floor.view, ""
    while (left := end - time.monotonic()) > 0:
        try:
            in_part = any(order.filled_quantity for order in desk.entries.waiting)
            if not (desk.closing.tasks or desk.protector.naked or in_part):
                break
            desk.tick(left)
        except Exception as error:
            # Whatever it is, the process has to end in order.
            failed = str(error)
            log.warning("leaving: %s", error)
        time.sleep(PAUSE_S)
    if failed and desk.floor.view is seen:
        _tell_no_look(desk, failed)
        return
    _tell_what_stays(desk)


def _tell_no_look(desk: LiveDesk, why: str) -> None:
    """What is known without the desk's lock and the journal, and of when that is."""
    bare = "; ".join(f"{symbol} had {what}" for symbol, what in sorted(desk.protector.naked.items()))
    log.error(
        "leaving: no look was possible (%s); at %s %s; start again to cover what is bare",
        why, desk.floor.view.time.isoformat(timespec="seconds"), bare or "every position had its stop",
    )  # fmt: skip


def _tell_what_stays(desk: LiveDesk) -> None:
    for symbol, why in desk.protector.naked.items():
        log.error("%s: left with %s; start again to cover it", symbol, why)
    try:
        waiting = desk.entries.waiting
    except Refusal as refusal:
        log.error("leaving: whether entries still wait is not known, %s", refusal)
        return
    for order in waiting:
        log.warning("%s: an entry waits on at the venue, the next start ends it", order.symbol)
