"""What a venue or a file says forges no line, moves no cursor, and is no markup, wherever it is written."""

from __future__ import annotations

import io
import json
import logging
from types import SimpleNamespace

import pytest
from rich.table import Table
from rich.text import Text

from backtests.reports.formatting import csv_text
from brokers.notifications.log_notices import NoticeHandler
from brokers.reporting.events import EventKind, about
from brokers.reporting.log_file import JsonLines
from brokers.reporting.screen import Screen
from commands.plain_console import PlainConsole
from config.errors import Refusal, exit_status
from config.values.masker import Masker
from config.values.printable import one_line, printable

FORGED = "filled\n2023-03-09 10:00:00 INFO sold\r\x1b[2J\x1b]0;title\x07\x9b31m\u202egnp.\u200b\u2028[bold][/x] :smile:"
HIDDEN = "\x1b\r\x07\x9b\u202e\u200b\u2028"


def record(text: str, **extra: object) -> logging.LogRecord:
    found = logging.LogRecord("brokers.x", logging.WARNING, __file__, 1, "the venue says %s", (text,), None)
    vars(found).update(extra)
    return found


@pytest.mark.parametrize("terminal", [True, False])
def test_a_line_of_the_screen_stays_one(terminal):
    stream = io.StringIO()
    console = PlainConsole(file=stream, force_terminal=terminal, color_system=None, width=400)
    screen = Screen(console, Masker(), lambda: None, everything=True, same_within_s=60)
    screen.emit(record(FORGED))
    text = stream.getvalue()
    assert text.count("\n") == 1 and not set(text) & set(HIDDEN)
    assert r"\n2023-03-09" in text and r"\u202egnp" in text and "[bold][/x] :smile:" in text


def test_so_do_those_of_the_log_file_and_of_notices():
    row = JsonLines(Masker(), lambda: None).format(record(FORGED, **about(EventKind.FILL, FORGED, reason=FORGED)))
    assert not set(row) & set(HIDDEN) and "\n" not in row
    told = json.loads(row)
    for text in (told["message"], told["symbol"], told["fields"]["reason"]):
        assert not set(text) & {*HIDDEN, "\n"}
    notices = []
    NoticeHandler(notices.append, Masker(), lambda: None).emit(record(FORGED, **about(EventKind.FILL, FORGED)))
    assert not set(notices[0].text) & {*HIDDEN, "\n"}


def test_tables_and_lines_of_commands_show_what_is_there():
    stream = io.StringIO()
    console = PlainConsole(file=stream, force_terminal=True, color_system=None, width=200)
    table = Table(box=None)
    table.add_column("x\x1b[0m")
    table.add_row(FORGED)
    table.add_row(Text(FORGED))
    console.print(table)
    console.print(FORGED, style="bold")
    text = stream.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert not set(text) & set(HIDDEN)
    assert text.count("[bold][/x] :smile:") == 3


def test_a_refusal_is_one_line_without_escapes(capsys):
    def refuse() -> int:
        raise Refusal(f"{FORGED}.csv: is no file")

    assert exit_status(refuse) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and not set(said) & set(HIDDEN)


def test_a_cell_of_a_csv_file_is_text_and_no_formula():
    rows = [SimpleNamespace(reason=text) for text in (FORGED, "=1+1", "@x", "+1", "-2%", "fine, so far")]
    text = csv_text(("reason",), rows)
    assert not set(text) & set(HIDDEN) and text.count("\n") == 7
    assert text.endswith("'=1+1\n'@x\n'+1\n'-2%\n\"fine, so far\"\n")


def test_what_people_have_to_read_stays():
    text = "RSI(14) 25.1 × 3 – stop → 161.60 USD, żółć, 日本, é"
    assert one_line(text) == printable(text) == text
    assert printable("a\tb\nc") == "a\tb\nc"
