"""Universes from CSV files: order, labels, and every fault named."""

from __future__ import annotations

import pytest

from config import Refusal
from config.reading.universe import read_universe


def test_symbols_in_order_and_labels_where_there_are_some(tmp_path):
    path = tmp_path / "u.csv"
    path.write_text("name, Symbol ,sector\nNvidia,nvda,semis\nFord, F ,\n,,\n\nBerkshire,BRK.B\n", encoding="utf-8-sig")
    assert read_universe(path) == (["NVDA", "F", "BRK.B"], {"NVDA": "semis"})


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_separators_that_a_file_of_bars_may_have_too(tmp_path, separator):
    path = tmp_path / "u.csv"
    text = '"Name";Symbol;sector\r\n"Nvidia, Inc.";nvda;semis\r\nFord; F ;\r\n'
    path.write_text(text.replace(";", separator), encoding="utf-8-sig", newline="")
    assert read_universe(path) == (["NVDA", "F"], {"NVDA": "semis"})


def test_symbols_that_look_like_missing_values_are_symbols(tmp_path):
    path = tmp_path / "u.csv"
    path.write_text("ticker\nNA\nON\n")
    assert read_universe(path) == (["NA", "ON"], {})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no such file"),
        (b"", "needs a header with a column named symbol"),
        (b"symbol\n", "needs a header with a column named symbol"),
        (b"AAPL\nMSFT\n", "needs a header with a column named symbol"),
        (b"symbol,sector\n,\n", "the column symbol is empty"),
        (b"symbol,sector\nAAPL,x\n,y\n", "symbol '' at row 2 is no ticker"),
        (b"symbol\nTWO WORDS\n", "symbol 'TWO WORDS' at row 1 is no ticker; write a ticker, e.g."),
        (b"symbol\nAA\x00PL\n", "symbol 'AA\\x00PL' at row 1 is no ticker"),
        (b"symbol\nAAPL\nMSFT\naapl\n", "AAPL is at row 1 and at row 3; remove one of the rows"),
        (b"symbol,sector\nAAPL,mega,tech\n", "row 1 has 3 fields, the header 2; correct the row"),
        (b"symbol\n\xff\xfe\n", "cannot be read as CSV"),
    ],
)
def test_refusals_name_the_file(tmp_path, content, told):
    path = tmp_path / "u.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Refusal) as refusal:
        read_universe(path)
    assert str(refusal.value).startswith(f"--universe {path}: ")
    assert told in str(refusal.value)
