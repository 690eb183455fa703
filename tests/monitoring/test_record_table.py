"""Screens of the operator on narrow terminals: every number and every word is there, whole."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.text import Text

from backtests.reports.scoreboard import SCREEN_DAYS, scoreboard_of
from brokers.operator.differences import Difference, Kind
from brokers.operator.positions import PositionReport
from brokers.operator.tables import differences_table, positions_table
from commands.plain_console import PlainConsole
from commands.views.scoreboard import _daily
from commands.views.status import _screen
from commands.views.whatif import _print
from monitoring.record_table import Column, RecordTable
from monitoring.status import status
from monitoring.whatif import Shock, what_if
from tests.backtests.sample import sample_record, sample_table
from tests.monitoring.journals import trader_state

WIDTHS = (60, 80, 100, 120, 200)


def printed(screen, width: int) -> list[str]:
    """The lines of a screen; all fit into the width."""
    out = io.StringIO()
    console = PlainConsole(file=out, width=width)
    screen(console) if callable(screen) else console.print(screen, highlight=False)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    return lines


def words(lines) -> set[str]:
    # What names a record stands at its head, without the heading of its column.
    return {word.rstrip(":") for line in lines for word in line.split()} - {"symbol", "limit", "day", "of"}


def trader():
    state = trader_state()
    (amd,) = state.positions
    goog = replace(amd, symbol="GOOG", quantity=1234.5, price=178.9, stop=165.44, target=1950.5, protected=1234.5)
    btc = replace(amd, symbol="BTC/USD", quantity=0.12345678, entry_price=67_123.45, price=61_123.1, protected=0.0)
    return replace(state, positions=(amd, goog, btc))


def positions():
    one = PositionReport("AAPL", "ours", Decimal(50), 170.01, 168.9, 161.5, 195.5, True, True, 8.51, Decimal(50), "")
    other = replace(one, symbol="BTC/USD", owner="ours 10, by hand 34", held=Decimal("0.12345678"), target_works=False)
    return positions_table([one, other])


def scores():
    names = ("Win rate", "Profit factor", "Maximum daily drawdown", "Average R", "Slippage of traded value",
             "Exits by hand", "Position time protected", "Filled within 30 s")  # fmt: skip
    texts = [{"label": name, "text": f"{12.34 + k}%"} for k, name in enumerate(names)]
    return _daily([{"day": "2024-03-04", "trades": 12, "scores": texts}])


SCREENS = {
    "status": lambda console: console.print(_screen(status(trader())), highlight=False),
    "whatif": lambda console: _print(what_if(trader(), Shock("as given", -0.1)), console),
    "positions": positions(),
    "scoreboard": scores(),
}


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_number_and_no_word_is_cut_or_split(name, width):
    assert words(printed(SCREENS[name], width)) == words(printed(SCREENS[name], 400))


def test_a_difference_is_told_in_whole_words():
    table = differences_table(
        [Difference(Kind.GONE, "rf-20240304-AAPL-entry-1", "50 at 170.25", "unknown to it", "x " * 60)]
    )
    for width in WIDTHS:
        assert words(printed(table, width)) == words(printed(table, 400))


def test_fields_of_every_record_stand_below_one_another():
    lines = printed(positions(), 80)
    assert len({line.index("entry:") for line in lines if "entry:" in line}) == 1
    assert lines[1].strip() == "AAPL" and any(line.strip() == "BTC/USD" for line in lines)


def test_days_of_the_scoreboard_are_a_table_at_80_columns():
    table = sample_table(40)
    lines = printed(scoreboard_of(sample_record(table), {}), 80)
    assert sum(re.match(r"20\d\d-\d\d-\d\d +[^ ]", line) is not None for line in lines) == SCREEN_DAYS


def test_an_empty_field_is_left_out_of_a_record_and_text_is_no_markup():
    table = RecordTable([Column("name"), Column("a heading of some length"), Column("value", right=True)])
    table.add("[red]x", "", "1")
    assert [line.rstrip() for line in printed(table, 18)] == ["[red]x", "  value: 1"]


def test_prose_goes_on_in_the_next_line_before_the_columns_are_given_up():
    table = RecordTable([Column("name"), Column("why", prose=True), Column("USD", right=True)])
    table.add("A", "words that go on for some time", Text("-1,024.80"))
    lines = printed(table, 40)
    assert re.match(r"name +why +USD", lines[0]) and lines[1].rstrip().endswith("-1,024.80")
