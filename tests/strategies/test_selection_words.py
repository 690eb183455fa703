"""The watch list's code as screens say it; what is recorded stays as it was."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from commands.plain_console import PlainConsole
from commands.views.explain_screen import show
from dashboard.words import FILTERS
from monitoring.explain import Explanation, story
from monitoring.rows import DecisionRow
from risk.model import Verdict
from strategies.selection_words import beyond_watch_list, code_in_words

WORDS = "WATCH_LIST: number 6 by score, only the best 5 are considered"


def test_a_place_beyond_the_last_one_is_told_in_words():
    assert beyond_watch_list(6, 5) == "WATCH_LIST: place 6 of 5"
    assert code_in_words(beyond_watch_list(6, 5)) == WORDS
    assert FILTERS["in_words"](beyond_watch_list(6, 5)) == WORDS


def test_every_other_code_stays_as_it_is():
    for code in ("OK", "EXECUTE_LIMIT: 2 of 2 taken in this scan", "SECTOR_CAP: crypto_adjacent 3/3", "WATCH_LIST"):
        assert code_in_words(code) == code


def test_one_share_is_told_as_one():
    assert code_in_words("EQUITY_SIZER: 1 shares, 9.1% of equity") == "EQUITY_SIZER: 1 share, 9.1% of equity"
    for code in ("EQUITY_SIZER: 11 shares", "EQUITY_SIZER: 0.1 shares", "EQUITY_SIZER: 2,001 shares"):
        assert code_in_words(code) == code


def test_explain_says_it_in_words():
    verdict = Verdict("selection", beyond_watch_list(6, 5), 0, 0, {"score": 61.0})
    now = datetime(2024, 3, 4, 15, 30, tzinfo=UTC)
    decision = DecisionRow(1, now, "AMD", "buy", "entry", "x", 61, 100, 95, 115, 2, 0, 0, "refused", "", (verdict,))
    out = io.StringIO()
    show(PlainConsole(file=out, width=200), Explanation("AMD", "symbol", (story(decision),), ()), everything=True)
    assert out.getvalue().count(WORDS) == 2 and "place 6 of 5" not in out.getvalue()
