"""The log of a live run: screen, file and notifications, all without secrets."""

from __future__ import annotations

import logging
from datetime import datetime
from logging.handlers import MemoryHandler
from pathlib import Path

from rich.console import Console

from brokers.desk.lifecycle.session import TradingSession, tell_another_day
from brokers.journal.marks import RUNNING, UNDELIVERED
from brokers.notifications.log_notices import NoticeHandler
from brokers.notifications.notice import Notice, read, written
from brokers.notifications.notifier import TITLE, Notifier, first_of
from brokers.notifications.targets import channels
from brokers.reporting.events import EventKind, about
from brokers.reporting.log_file import JsonLines, LogFile
from brokers.reporting.screen import Screen
from config import Refusal, Settings
from config.operating import operating
from config.values.markets import NEW_YORK_ZONE
from config.values.masker import Masker
from config.values.secrets import Secrets

LOGGERS = ("brokers", "backtests", "strategies")
KEPT_UNTIL_OPEN = 1_000
"""Records that wait for the file, which lies in the state folder."""
SHOWN = 4
"""Characters of the account's number that a message's title shows."""

log = logging.getLogger(__name__)


class RunLog:
    """Takes what is logged to the screen at once, and to the file and the notifications once the session is open.

    Parameters
    ----------
    console : Console
    secrets : Secrets
        What is masked everywhere.
    quiet : bool
        Warnings only, on the screen.
    verbose : bool
        Everything on the screen.
    """

    def __init__(self, console: Console, secrets: Secrets, *, quiet: bool, verbose: bool) -> None:
        self._masker = Masker.of(secrets)
        self._session: TradingSession | None = None
        self._notifier: Notifier | None = None
        self._file: LogFile | None = None
        same_within_s = operating().screen.same_within_s
        screen = Screen(console, self._masker, self._now, everything=verbose, same_within_s=same_within_s)
        screen.setLevel(logging.WARNING if quiet else logging.INFO)
        self._early = _Early(KEPT_UNTIL_OPEN)
        for name in LOGGERS:
            logger = logging.getLogger(name)
            for earlier in logger.handlers:
                # Of another run in this process.
                earlier.close()
            logger.handlers[:] = [screen, self._early]
            logger.setLevel(logging.INFO)
            logger.propagate = False

    def _now(self) -> datetime | None:
        return None if self._session is None else self._session.venue.clock.now()

    def open(self, session: TradingSession, settings: Settings, *, lasting: bool) -> None:
        """The state folder is there: write the file, and send notifications of a run that is ``lasting``.

        Raises
        ------
        Refusal
            The log cannot be written, or an address for notifications is wrong.
        """
        watching = operating()
        folder = Path(settings.live.state_dir)
        try:
            self._file = LogFile(folder, JsonLines(self._masker, self._now), watching.log.max_bytes, watching.log.kept)
        except OSError as error:
            raise Refusal(f"{folder}/log: cannot be written ({error.strerror}); make it writable") from None
        self._session = session
        for name in LOGGERS:
            logging.getLogger(name).addHandler(self._file)
        self._early.hand_over(self._file)
        session.before_close.append(self._close)
        tell_another_day(session, settings.pace.speed)
        if lasting:
            self._notify(session, settings)
            self._tell_last_run(session)

    def _notify(self, session: TradingSession, settings: Settings) -> None:
        urls, watching = settings.secrets.NOTIFY_URLS, operating().notifications
        kept = session.journal.mark(UNDELIVERED)
        left = read(kept) if kept else []
        if left:
            log.warning("%s", first_of(left, session.venue.clock.now()), extra=about(EventKind.UNDELIVERED))
        if urls is None:
            return

        def keep(notices: list[Notice]) -> None:
            session.journal.keep_mark(UNDELIVERED, written(notices) if notices else None)

        self._notifier = Notifier(channels(urls.get_secret_value(), watching), watching, keep, left, title_of(session))
        handler = NoticeHandler(self._notifier.put, self._masker, self._now)
        for name in LOGGERS:
            logging.getLogger(name).addHandler(handler)
        self._notifier.start()

    def _tell_last_run(self, session: TradingSession) -> None:
        """A run that was killed could not say so itself, nor one that could not write the journal as it ended."""
        now = session.venue.clock.now().astimezone(NEW_YORK_ZONE)
        if began := session.journal.mark(RUNNING):
            log.warning(
                "the run that began %s did not end by itself, as far as the journal knows: it was killed, this machine "
                "stopped, or nothing could be written as it ended; what it left is looked at first",
                datetime.fromisoformat(began).astimezone(NEW_YORK_ZONE).isoformat(timespec="seconds"),
                extra=about(EventKind.CRASH),
            )
        session.journal.keep_mark(RUNNING, now.isoformat(timespec="seconds"))

    def _close(self) -> None:
        """Before the journal is closed: send what waits, and say that this run has ended in order."""
        session, notifier = self._session, self._notifier
        self._notifier = None
        if session is None:
            return
        if notifier is not None:
            left = notifier.close(operating().notifications.close_s)
            if left:
                log.warning("%d notifications reached nobody; the next start tells and sends them", len(left))
            log.info("%d messages were delivered, critical ones within %.1f s", notifier.delivered, notifier.longest_s)
        try:
            session.journal.keep_mark(RUNNING, None)
        except Refusal as refusal:
            log.debug("the end of the run could not be written down: %s", refusal)


def title_of(session: TradingSession) -> str:
    """By which two traders on one phone are told apart: profile, kind of account and the end of its number."""
    account = session.account_id
    number = account if len(account) <= SHOWN else f"…{account[-SHOWN:]}"
    return " ".join(part for part in (TITLE, session.profile, session.mode, number) if part)


class _Early(MemoryHandler):
    """Keeps the first records until there is a file to write them to."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity, flushLevel=logging.CRITICAL + 1, flushOnClose=False)
        self._over = False

    def shouldFlush(self, record: logging.LogRecord) -> bool:  # noqa: N802  # logging's name
        return len(self.buffer) > self.capacity

    def emit(self, record: logging.LogRecord) -> None:
        if not self._over:
            super().emit(record)

    def hand_over(self, target: logging.Handler) -> None:
        """Write what waits; from here on nothing is kept."""
        self._over = True
        self.setTarget(target)
        self.flush()
