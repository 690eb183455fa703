"""Settings of the user's own: the page's file, and the listing that ``show-config`` prints, read again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from commands.app import main
from commands.runs import show_config
from config import load
from config.errors import Refusal
from config.reading.loader import FOLDER
from tests.backtests.commands import bars

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
PRINTED = "risk-first show-config > mine.yaml && risk-first backtest --config mine.yaml"
QUICK = ["--engine", "replay", "--no-report", "--quiet", "--start", "2020-01-02", "--end", "2020-03-31", "--json"]


@pytest.fixture
def listing(monkeypatch, tmp_path, capsys) -> Path:
    """What the example prints, in the folder of the test."""
    monkeypatch.chdir(tmp_path)
    assert main(["show-config"]) == 0
    mine = tmp_path / "mine.yaml"
    mine.write_text(capsys.readouterr().out, encoding="utf-8")
    return mine


def told(capsys, *argv: str) -> dict:
    capsys.readouterr()
    assert main(["backtest", *QUICK, *argv]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def test_the_file_of_the_page_is_taken(monkeypatch, tmp_path):
    text = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(text, encoding="utf-8")
    settings = load(files=["mine.yaml"])
    assert settings.sizing.risk_frac == 0.01 and settings.risk.modules["sector_cap"]["max_positions"] == 2
    assert settings.risk.chain.index("trailing_stop") == settings.risk.chain.index("cash_buffer") - 1
    assert "inverse_hedge" not in settings.risk.chain and "SMCI" not in settings.universe.symbols
    assert main(["show-config", "--config", "mine.yaml", "--verbose"]) == 0


@pytest.mark.parametrize("data", ["embedded", "bars.parquet"])
def test_the_example_of_the_help_and_of_the_page_runs_as_it_is_printed(listing, data, capsys):
    assert PRINTED in PAGE and PRINTED in Path(show_config.__file__).read_text(encoding="utf-8")
    bars().to_parquet("bars.parquet")
    source = [] if data == "embedded" else ["--data", data]
    plain, read_again = told(capsys, *source), told(capsys, *source, "--config", str(listing))
    for same in ("config_hash", "symbols", "benchmark", "metrics", "notes"):
        assert read_again[same] == plain[same], same


def test_what_was_changed_in_a_listing_is_chosen(listing):
    text = listing.read_text(encoding="utf-8")
    listing.write_text(
        text.replace("  bars: 60\n", "  bars: 15\n").replace("  risk_frac: 0.02\n", "  risk_frac: 0.01\n")
    )
    settings = load(files=[listing])
    assert settings.provenance.chosen("pace.bars") and settings.provenance.chosen("sizing.risk_frac")
    assert not settings.provenance.chosen("universe.symbols") and not settings.provenance.chosen("universe.benchmark")
    listing.write_text(text.replace("bars: 60", "bars: true"), encoding="utf-8")
    with pytest.raises(Refusal, match=r"pace\.bars is true; write a whole number"):
        load(files=[listing])


def test_a_listing_overrules_an_earlier_file_also_where_it_says_the_default(listing, tmp_path):
    earlier = tmp_path / "earlier.yaml"
    earlier.write_text("sizing: {risk_frac: 0.005}\nuniverse: {benchmark: QQQ}\n", encoding="utf-8")
    settings = load(files=[earlier, listing])
    assert (settings.sizing.risk_frac, settings.source_of("sizing.risk_frac")) == (0.02, str(listing))
    assert settings.universe.benchmark == "SPY"


def test_the_defaults_copied_are_a_listing_too_and_a_short_file_is_none(tmp_path):
    copied = tmp_path / "copied.yaml"
    copied.write_text((FOLDER / "base.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    settings = load("swing", [copied])
    assert settings.pace.bars == 60 and not settings.provenance.chosen("universe.symbols")
    short = tmp_path / "short.yaml"
    short.write_text("pace: {bars: 60}\n", encoding="utf-8")
    assert load(files=[short]).provenance.chosen("pace.bars")
