"""--once and --scan: one iteration, told in full."""

from __future__ import annotations

import pytest

import live_trader
from tests.backtests.commands import verdicts_told

SIX = ("AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA")


@pytest.mark.parametrize(
    ("argv", "watched"),
    [
        ("--end 2018-02-06", {"SYN_EW6", "SYN_INV"}),
        ("--profile intraday --end 2023-06-08 --set selection.min_confidence=0.5", set()),
    ],
)
def test_once_and_scan_tell_every_symbol_and_scan_sends_nothing(capsys, shown, tmp_path, argv, watched):
    told = {}
    for mode in ("--once", "--scan"):
        assert live_trader.main(["--backtest", "--quiet", mode, *argv.split()]) == 0
        told[mode] = capsys.readouterr().out
    once, scan = shown
    lines = verdicts_told(told["--scan"])
    sent = {symbol: line.replace(" would send ", " sent ") for symbol, line in lines.items()}
    assert [line.split() for line in verdicts_told(told["--once"]).values()] == [line.split() for line in sent.values()]
    assert lines.keys() == {*SIX, *watched}
    accepted = [line for line in lines.values() if " would send " in line]
    assert len(accepted) == len(scan.strategy.plan.entries) == len(once.strategy.plan.entries) >= 1
    said = ("would send", "no signal", "below the threshold", "watched, not traded", "refused")
    assert all(any(word in line for word in said) for line in lines.values())
    assert "nothing submitted" in told["--scan"] and "\norder " not in told["--scan"]
    assert "nothing submitted" not in told["--once"] and told["--once"].count("\norder ") == len(accepted)
    assert scan.record.orders == [] and scan.record.decisions == once.record.decisions
    assert {o.role for o in once.record.orders} == {"entry", "stop", "target"}
    assert scan.strategy.broker.ledger.positions == {} and len(once.strategy.broker.ledger.positions) >= 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", ["2023-06-08", "2022-11-25"])
def test_one_intraday_iteration_sees_every_bar_closed_before_it(capsys, shown, end):
    """At the opening of the last bar of the day, half days included: not a minute and a bar earlier."""
    assert live_trader.main(f"--backtest --scan --profile intraday --end {end}".split()) == 0
    (scan,) = shown
    table = scan.table
    assert scan.strategy.plan.time == table.opens_at[-1]
    assert scan.strategy.broker.ledger.positions == {}
    k = table.symbols.index("AAPL")
    line = verdicts_told(capsys.readouterr().out)["AAPL"]
    assert f"{table.close[len(table) - 2, k]:,.2f}" in line


def test_outside_the_scan_windows_that_is_the_reason(capsys, shown):
    """A half day ends before the second window opens."""
    argv = "--backtest --scan --profile swing --set signals.enabled=[momentum,vwap] --end 2022-11-25"
    argv += " --set selection.min_confidence=0.5 --set pace.bars=5"
    assert live_trader.main(argv.split()) == 0
    lines = verdicts_told(capsys.readouterr().out)
    assert "outside the scan windows" in lines["META"] and shown[0].strategy.plan.decisions == ()


def test_every_verdict_of_a_crowded_scan_is_explained(capsys, shown):
    argv = "--backtest --scan --profile swing --end 2020-03-13 --set selection.execute=1"
    argv += " --set selection.min_confidence=0.5 --set selection.only_a_plus=false"
    assert live_trader.main(argv.split()) == 0
    told = capsys.readouterr().out
    decisions = shown[0].strategy.plan.decisions
    assert len(decisions) >= 2
    for decision in decisions:
        (line,) = [line for line in told.splitlines() if line.startswith(f"{decision.proposal.symbol} buy by ")]
        assert all(v.module in line and v.code in line for v in decision.verdicts)


def test_the_seed_changes_made_up_bars_only(capsys, shown):
    def scan(*argv: str) -> dict[str, str]:
        assert live_trader.main(["--backtest", "--scan", *argv]) == 0
        assert shown[-1].record.orders == []
        return verdicts_told(capsys.readouterr().out)

    intraday = ("--profile", "intraday", "--start", "2023-06-05", "--end", "2023-06-08")
    assert scan(*intraday) == scan(*intraday, "--seed", "0") != scan(*intraday, "--seed", "1")
    assert scan("--seed", "0") == scan("--seed", "1")
