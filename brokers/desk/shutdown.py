"""The last seconds of a process: orders stay at the venue, nothing new is sent, nothing is left unprotected."""

from __future__ import annotations

import logging
import time

from brokers.desk.desk import LiveDesk
from config.errors import Refusal

PAUSE_S = 0.1

log = logging.getLogger(__name__)


def shut_down(desk: LiveDesk, within_s: float) -> None:
    """End what is under way before the process ends, as far as ``within_s`` local seconds allow.

    Orders that rest are left as they are; a close that has not sold yet is called off, so that its stop goes back.
    Of an entry that has filled in part the rest is cancelled, or its exits would not work.
    """
    desk.shutting_down = True
    end = time.monotonic() + within_s
    if not desk.submit or not desk.lock.acquire(timeout=within_s):
        return
    desk.exits.call_off()
    desk.targets.call_off()
    desk.lock.release()
    while (left := end - time.monotonic()) > 0:
        try:
            in_part = any(order.filled_quantity for order in desk.entries.waiting)
            if not (desk.exits.tasks or desk.protector.log.present or in_part):
                break
            desk.tick(left)
        except Exception as error:
            # Whatever it is, the process has to end in order.
            log.warning("shutting down: %s", error)
        time.sleep(PAUSE_S)
    _tell_what_stays(desk)


def _tell_what_stays(desk: LiveDesk) -> None:
    for symbol, why in desk.protector.log.present.items():
        log.error("%s: left with %s; start again to protect it", symbol, why)
    try:
        waiting = desk.entries.waiting
    except Refusal as refusal:
        log.error("shutting down: whether entries still wait is not known, %s", refusal)
        return
    for order in waiting:
        log.warning("%s: an entry waits on at the venue, the next start ends it", order.symbol)
