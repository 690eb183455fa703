"""What is logged reaches the file and the screen, in the venue's time, for its owner alone, and without secrets."""

from __future__ import annotations

import base64
import io
import json
import logging
import stat
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from rich.console import Console

from brokers.reporting.events import EventKind, about
from brokers.reporting.log_file import JsonLines, LogFile
from brokers.reporting.screen import Screen
from config.values.masker import Masker
from config.values.secrets import Secrets

KEY = "PKTEST/0123+abc=é'x"
TOKEN = "123456:telegram-bot-token"
SECRETS = Secrets(
    ALPACA_API_SECRET=SecretStr(KEY),
    DATABASE_URL=SecretStr("postgresql://trader:pass-word-of-db@host/journal"),
    NOTIFY_URLS=SecretStr(
        f"tgram://{TOKEN}/998877665544 json://me:webhook-password@127.0.0.1:1/,mailto://me:p%40ss-of-mail@host"
    ),
)
VENUE = datetime(2024, 3, 5, 14, 31, 7, tzinfo=UTC)
SPELLINGS = [
    KEY,
    quote(KEY),
    quote(KEY, safe=""),
    base64.b64encode(KEY.encode()).decode(),
    base64.b64encode(f"x:{KEY}".encode()).decode(),
    base64.urlsafe_b64encode(f"user:{KEY}".encode()).decode(),
    KEY.encode().hex(),
    KEY.encode().hex().upper(),
    repr(KEY),
    "pass-word-of-db",
    "telegram-bot-token",
    "998877665544",
    "webhook-password",
    "p%40ss-of-mail",
    "p@ss-of-mail",
]


@pytest.fixture
def logger():
    found = logging.getLogger("brokers.reporting.test")
    found.propagate, before = False, found.handlers[:]
    found.setLevel(logging.DEBUG)
    yield found
    found.handlers[:] = before


def file_in(folder, *, size=10_000_000):
    return LogFile(folder / "state", JsonLines(Masker.of(SECRETS), lambda: VENUE), size, 3)


def screen_on(stream, *, everything=False, terminal=False):
    console = Console(file=stream, force_terminal=terminal, width=200)
    return Screen(console, Masker.of(SECRETS), lambda: VENUE, everything=everything, same_within_s=60.0)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_secret_reaches_file_or_screen(spelling, logger, tmp_path):
    stream = io.StringIO()
    logger.addHandler(file_in(tmp_path))
    logger.addHandler(screen_on(stream, everything=True))
    try:
        raise ValueError(f"in a traceback: {spelling}")
    except ValueError:
        logger.exception("told: %s", spelling, extra=about(EventKind.ERROR, spelling, more={"deep": [spelling]}))
    written = (tmp_path / "state/log/trader.jsonl").read_text()
    for text in (written, stream.getvalue()):
        assert "in a traceback: ****" in text or "****" in text
        assert spelling not in text
        assert json.dumps(spelling)[1:-1] not in text


def test_an_event_is_a_line_of_json_with_both_times(logger, tmp_path):
    logger.addHandler(file_in(tmp_path))
    logger.warning(
        "%s is %s", "AAPL", "bare", extra=about(EventKind.UNPROTECTED, "AAPL", seconds=3.0, nan=float("nan"))
    )
    (row,) = map(json.loads, (tmp_path / "state/log/trader.jsonl").read_text().splitlines())
    assert datetime.fromisoformat(row.pop("time")).tzinfo is not None
    assert row == {
        "venue_time": "2024-03-05T14:31:07.000+00:00",
        "level": "WARNING",
        "logger": logger.name,
        "message": "AAPL is bare",
        "event": "unprotected",
        "symbol": "AAPL",
        "over": False,
        "fields": {"seconds": 3.0, "nan": None},
    }


def test_the_log_rotates_and_is_for_its_owner_alone(logger, tmp_path):
    logger.addHandler(file_in(tmp_path, size=2_000))
    for number in range(100):
        logger.info("line %d of some length, so that the file is full soon", number)
    folder = tmp_path / "state/log"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["trader.jsonl", "trader.jsonl.1", "trader.jsonl.2", "trader.jsonl.3"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)} == {0o700}
    assert all(json.loads(line) for path in folder.iterdir() for line in path.read_text().splitlines())


def test_the_screen_shows_events_and_warnings_in_the_time_of_new_york(logger):
    stream, everything = io.StringIO(), io.StringIO()
    logger.addHandler(screen_on(stream))
    logger.addHandler(screen_on(everything, everything=True))
    logger.info("only a line")
    logger.info("gauges", extra=about(EventKind.READING))
    logger.info("bought", extra=about(EventKind.FILL, "AAPL"))
    logger.warning("careful")
    assert stream.getvalue().splitlines() == [
        "2024-03-05T09:31:07-0500 INFO bought",
        "2024-03-05T09:31:07-0500 WARNING careful",
    ]
    assert len(everything.getvalue().splitlines()) == 4


def test_a_warning_that_repeats_is_shown_once_a_minute(logger):
    stream = io.StringIO()
    screen = screen_on(stream)
    for second in range(0, 61, 2):
        for text in ("the venue is silent", f"try {second}"):
            record = logging.LogRecord(logger.name, logging.WARNING, "", 7, text, (), None)
            record.created = 1_000.0 + second
            screen.handle(record)
    shown = [line.partition("WARNING ")[2] for line in stream.getvalue().splitlines()]
    assert [line for line in shown if "silent" in line] == [
        "the venue is silent", "the venue is silent (and 29 times since it was shown)",
    ]  # fmt: skip
    assert len(shown) == 2 + 31, "others are shown each time"


def test_a_screen_that_is_gone_costs_the_line_alone(logger):
    stream = io.StringIO()
    logger.addHandler(screen_on(stream))
    stream.close()
    logger.warning("nobody reads this")
