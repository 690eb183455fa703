from __future__ import annotations

import pytest
from pydantic import ValidationError

from risk.sector_cap import SectorCap
from tests.risk.helpers import book, market, module, position, proposal

SECTORS = {
    "MARA": "crypto", "RIOT": "crypto", "COIN": "crypto", "HOOD": "crypto",
    "AMD": "semis", "AVGO": "semis", "MU": "semis", "SH": "crypto",
    "NVDA": "mega", "AAPL": "mega", "TSLA": "autos", "NFLX": "streaming", "SPY": "etfs", "ROKU": "growth",
}  # fmt: skip
MARKET = market(dict.fromkeys([*SECTORS, "XXX", "YYY"], 100.0), sectors=SECTORS)


def judge(candidate: str, held: list[str], **settings: object):
    return module(SectorCap, **settings).review(proposal(candidate), book(*(position(s, 1) for s in held)), MARKET)


@pytest.mark.parametrize(
    ("held", "candidate", "code"),
    [
        ([], "MARA", "OK"),  # 1 of 1: the share does not count yet
        (["MARA"], "RIOT", "OK"),  # 2 of 2
        (["MARA", "RIOT"], "COIN", "SECTOR_CAP: crypto share 1.00 > 0.40"),
        (["MARA", "RIOT"], "AMD", "OK"),  # 1 of 3
        (["MARA", "AMD"], "RIOT", "SECTOR_CAP: crypto share 0.67 > 0.40"),
        (["MARA", "AMD", "NVDA"], "RIOT", "SECTOR_CAP: crypto share 0.50 > 0.40"),
        (["MARA", "AMD", "NVDA", "TSLA"], "RIOT", "OK"),  # 2 of 5 is exactly 0.40
        (["MARA", "RIOT", "AMD", "NVDA", "TSLA", "NFLX", "SPY"], "COIN", "OK"),  # 3 of 8
        (["MARA", "RIOT", "COIN", "AMD", "NVDA", "TSLA", "NFLX", "SPY"], "HOOD", "SECTOR_CAP: crypto 3/3"),
        (["XXX", "AMD"], "YYY", "SECTOR_CAP: unclassified share 0.67 > 0.40 (give YYY a label in universe.sectors)"),
    ],
)
def test_the_rule(held, candidate, code):
    verdict = judge(candidate, held)
    assert verdict.code == code
    assert verdict.refused == (code != "OK")


def test_the_verdict_says_which_sector_and_how_many():
    inputs = judge("COIN", ["MARA", "RIOT"]).inputs
    assert (inputs["sector"], inputs["sector_positions"], inputs["positions"]) == ("crypto", 2, 2)


def test_pending_entries_count_like_positions():
    waiting = book(position("MARA", 1), position("AMD", 1), pending=[proposal("RIOT")])
    assert module(SectorCap).review(proposal("COIN"), waiting, MARKET).refused


def test_hedges_neither_count_nor_are_refused():
    hedged = book(position("MARA", 1), position("SH", 50, role="hedge"))
    assert module(SectorCap).review(proposal("RIOT"), hedged, MARKET).code == "OK"
    full = book(*(position(s, 1) for s in ("MARA", "RIOT", "COIN", "HOOD")))
    assert module(SectorCap).review(proposal("SH", role="hedge"), full, MARKET).code == "OK"


@pytest.mark.parametrize(
    ("settings", "held", "candidate"),
    [
        ({"max_positions": 1}, ["MARA"], "RIOT"),
        ({"max_share_frac": 0.35}, ["MARA", "AMD", "NVDA", "TSLA"], "RIOT"),
        ({"share_from_positions": 6}, ["MARA", "AMD", "NVDA"], "RIOT"),
    ],
)
def test_every_setting_has_an_effect(settings, held, candidate):
    assert judge(candidate, held, **settings).refused != judge(candidate, held).refused


@pytest.mark.parametrize("settings", [{"max_share_frac": 0.2}, {"share_from_positions": 2}, {"max_positions": 0}])
def test_settings_that_would_stop_all_trading_are_refused(settings):
    with pytest.raises(ValidationError):
        module(SectorCap, **settings)
