"""Universes from CSV files."""

from __future__ import annotations

import pytest

from config import Refusal
from config.universe import read_universe


def test_symbols_in_order_once_and_labels_where_there_are_some(tmp_path):
    path = tmp_path / "u.csv"
    path.write_text("name, Symbol ,sector\nNvidia,nvda,semis\nFord, F ,\nNvidia,NVDA,semis\n,,\n", encoding="utf-8-sig")
    assert read_universe(path) == (["NVDA", "F"], {"NVDA": "semis"})


def test_ticker_is_a_name_for_the_column_too(tmp_path):
    path = tmp_path / "u.csv"
    path.write_text("ticker\nAAPL\nON\n")
    assert read_universe(path) == (["AAPL", "ON"], {})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no such file"),
        (b"", "needs a header with a column named symbol"),
        (b"symbol\n", "needs a header with a column named symbol"),
        (b"AAPL\nMSFT\n", "needs a header with a column named symbol"),
        (b"symbol,sector\n,x\n", "is empty"),
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
