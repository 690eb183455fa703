"""Universe files: order, cap, sectors, and every fault named."""

import pytest

from backtests.universe_file import read_universe
from config.errors import Refusal


def test_universe_keeps_order_caps_and_sectors(tmp_path):
    path = tmp_path / "u.csv"
    path.write_text("symbol,sector,name\nnvda,mega_tech,Nvidia\nNA,,\nBRK.B,finance,Berkshire\n")
    assert read_universe(path).symbols == ("NVDA", "NA", "BRK.B")
    assert read_universe(path, cap=2).sectors == {"NVDA": "mega_tech"}
    assert read_universe(path, cap=99).symbols == ("NVDA", "NA", "BRK.B")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("AAPL\nMSFT\n", "no column symbol"),
        ("symbol\n", "no symbols"),
        ("", "cannot be read"),
        ("symbol,sector\nAAPL,x\n,y\n", "at row 2 is no ticker"),
        ("symbol\nAAPL\naapl\n", "AAPL at row 2 is there twice"),
        ("symbol\nTWO WORDS\n", "'TWO WORDS' at row 1 is no ticker"),
    ],
)
def test_bad_universe_is_refused(tmp_path, text, words):
    path = tmp_path / "u.csv"
    path.write_text(text)
    with pytest.raises(Refusal, match=words):
        read_universe(path)


def test_bad_universe_arguments_are_refused(tmp_path):
    for path, cap, words in [("none.csv", None, "no such file"), ("u.txt", None, "not a .csv"), ("u.csv", 0, "--cap")]:
        with pytest.raises(Refusal, match=words):
            read_universe(tmp_path / path, cap)
