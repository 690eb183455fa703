"""One spelling inside, each source's at its border, and nothing that could be a path."""

from __future__ import annotations

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import Refusal, load
from config.values.symbols import at_yahoo, canonical, is_symbol, spelled

SPELLINGS = {
    "BRK.B": ("BRK.B", "BRK-B", "BRK/B", "brk-b", " BRK.B \t"),
    "BF.B": ("BF.B", "bf/b", "BF-B"),
    "BTC/USD": ("BTC/USD", "BTC-USD", "btc-usd"),
    "BAC.PRL": ("BAC.PRL", "BAC-PL", "BAC.PL", "BAC-PRL"),
    "OXY.WS": ("OXY.WS", "OXY-WT", "OXY/WS"),
    "ABC.U": ("ABC.U", "ABC-UN", "ABC/U"),
    "NA": ("NA", "na"),
    "TRUE": ("TRUE",),
    "^GSPC": ("^GSPC", "^gspc"),
    "SAP.DE": ("SAP.DE",),
    "VOD.L": ("VOD.L",),
    "ES=F": ("ES=F",),
    "SYN_INV": ("SYN_INV",),
}
AT_YAHOO = {
    "BRK.B": "BRK-B", "BF.B": "BF-B", "BTC/USD": "BTC-USD", "BAC.PRL": "BAC-PL", "OXY.WS": "OXY-WT", "ABC.U": "ABC-UN",
    "AAPL": "AAPL", "^GSPC": "^GSPC", "SAP.DE": "SAP.DE", "VOD.L": "VOD.L", "ES=F": "ES=F",
}  # fmt: skip
NO_SYMBOLS = (
    "", " ", "../../X", "A/../../X", "/X", "X/", "A//B", "A..B", "A/B/C", ".", "..", "A\\B", "A\0B", "A B", "~X",
    "A\nB", "AAPL;", "*", "\u0410APL", "X" * 25, "A.", "-A", "C:X",
)  # fmt: skip


@pytest.mark.parametrize(("symbol", "written"), [(s, w) for s, many in SPELLINGS.items() for w in many])
def test_every_spelling_is_one_symbol(symbol, written):
    assert canonical(written) == symbol


@pytest.mark.parametrize(("symbol", "there"), AT_YAHOO.items())
def test_yahoos_spelling_and_back(symbol, there):
    assert at_yahoo(symbol) == there
    assert canonical(there) == symbol


@pytest.mark.parametrize("text", NO_SYMBOLS)
def test_what_is_no_symbol_is_refused(text):
    with pytest.raises(ValueError, match=r"write a ticker, e\.g\. AAPL, BRK\.B"):
        canonical(text)
    assert spelled(text) == text


@given(st.text(alphabet=string.ascii_letters + string.digits + "./-^_= \\\0", max_size=12))
def test_a_spelling_is_final_and_no_path(text):
    symbol = spelled(text)
    if symbol == text and not text.isupper():
        return
    try:
        canonical(symbol)
    except ValueError:
        return
    assert canonical(symbol) == symbol
    assert ".." not in symbol
    assert not set("/\\\0") & set(at_yahoo(symbol))


def test_both_spellings_in_the_settings_are_one_symbol():
    settings = load(overrides=["universe.symbols=[BRK-B, bf/b]", "live.adopt=[BRK/B]", "gate.restricted=[brk.b]"])
    assert settings.universe.symbols == ("BRK.B", "BF.B")
    assert settings.live.adopt == settings.gate.restricted == ("BRK.B",)
    assert settings.universe.sectors["BRK.B"] == "financials"
    with pytest.raises(Refusal, match=r"universe\.symbols names BRK\.B twice"):
        load(overrides=["universe.symbols=[BRK-B, BRK.B]"])
    assert load(overrides=["universe.sectors={BRK-B: mine}"]).universe.sectors["BRK.B"] == "mine"


@pytest.mark.parametrize(
    "text",
    ["../../X", "A/../../X", "..", ".", "A/..", "/etc/passwd", "A//B", "C:\\X", "A\x00", "A\nB", "~X", "-X", "A B", "*",
     "A?", "\u202eX", "x" * 25, "", "A/B/C", ".X", "X.", "%2e%2e%2f"],
)  # fmt: skip
def test_what_is_a_path_is_no_symbol(text, tmp_path, monkeypatch):
    from brokers.backtest import yahoo
    from brokers.desk.data.yahoo import YahooFallback

    assert not is_symbol(text)
    monkeypatch.setattr(yahoo, "yahoo_helper", lambda: pytest.fail("a file was looked for"))
    assert yahoo._cached(text) == (None, False)
    assert yahoo.yahoo_bars(None, text) is None
    assert len(YahooFallback().bars(text, 1440, datetime(2024, 1, 2, tzinfo=UTC))) == 0


@pytest.mark.parametrize("text", ["AAPL", "BRK.B", "BTC/USD", "^GSPC", "EURUSD=X", "BAC.PRL", "A"])
def test_real_symbols_are_some(text):
    assert is_symbol(text)
