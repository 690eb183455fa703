"""The look-ahead check passes what is causal and finds every leak that is planted."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest

import live_trader
from backtests.checks.lookahead import CUT_OFF, INVENTED, Leak, check, invented_from
from brokers.record import OrderRecord, RunRecord
from config.errors import Refusal
from market import feature_registry
from market.features import FeatureTable
from risk.model import BracketTerms, Decision, Proposal, Verdict
from strategies.registry import STRATEGIES
from tests.backtests.sample import sample_table
from tests.own_parts import install

YEAR = ("--start", "2020-01-02", "--end", "2020-12-31")
DAYS = ("--start", "2023-06-06", "--end", "2023-06-08")
EAGER = ("--set", "selection.min_confidence=0.5")
"""Every condition that is just met may enter: many decisions to compare."""


def lookahead(capsys, *argv: str, cuts: int = 3) -> tuple[int, str]:
    """Exit status and what was printed by ``--lookahead``."""
    status = live_trader.main(["--backtest", "--quiet", "--lookahead", str(cuts), *argv])
    captured = capsys.readouterr()
    assert captured.err == ""
    return status, captured.out


@pytest.mark.parametrize(
    ("profile", "window", "decisions", "features"),
    [("active", (*YEAR, *EAGER), 50, 500_000), ("swing", YEAR, 250, 500_000), ("intraday", DAYS, 500, 250_000)],
)
def test_the_shipped_profiles_are_clean(capsys, tmp_path, monkeypatch, profile, window, decisions, features):
    monkeypatch.chdir(tmp_path)
    status, told = lookahead(capsys, "--profile", profile, *window)
    assert (status, "LEAK" in told, "no look-ahead found" in told) == (0, False, True)
    # Comparing nothing finds nothing.
    compared = re.search(r"compared: ([\d,]+) decisions, ([\d,]+) feature values", told)
    assert [int(number.replace(",", "")) for number in compared.groups()] >= [decisions, features]
    assert len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", told)) == 3
    assert list(tmp_path.iterdir()) == []


def shifted(values: np.ndarray) -> np.ndarray:
    """Every bar shows the next one's value."""
    return np.roll(values, -1, axis=0)


def centred(values: np.ndarray) -> np.ndarray:
    """Every bar shows the mean of its neighbours, one of which is still to come."""
    return (np.roll(values, 1, axis=0) + values + np.roll(values, -1, axis=0)) / 3


def normalised(values: np.ndarray) -> np.ndarray:
    """Score of a value within the whole sample."""
    return 50 + 10 * (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)


def filled_backwards(values: np.ndarray) -> np.ndarray:
    """What is not known yet is taken from the first value that is."""
    first = values[np.argmax(np.isfinite(values), axis=0), np.arange(values.shape[1])]
    return np.where(np.isfinite(values), values, first)


def plant_feature(monkeypatch, leak: Callable[[np.ndarray], np.ndarray]) -> None:
    honest = feature_registry._REGISTRY["rsi"]
    leaking = replace(honest, compute=lambda own, bars: leak(honest.compute(own, bars)))
    monkeypatch.setitem(feature_registry._REGISTRY, "rsi", leaking)


@pytest.mark.parametrize("leak", [shifted, centred, normalised])
@pytest.mark.parametrize(("profile", "window"), [("active", YEAR), ("intraday", DAYS)])
def test_a_feature_that_knows_the_future_is_found(capsys, monkeypatch, leak, profile, window):
    plant_feature(monkeypatch, leak)
    status, told = lookahead(capsys, "--profile", profile, *window, cuts=1)
    assert status == 1
    leaks = [line for line in told.splitlines() if line.startswith("LEAK")]
    assert any("rsi_14 of " in line and "cut off from" in line for line in leaks)
    assert any("rsi_14 of " in line and "invented from" in line for line in leaks)
    assert f"{len(leaks)} leaks" in told


def test_a_feature_that_fills_its_warm_up_from_later_bars_is_found(capsys, monkeypatch):
    """No decision is made in the warm-up, so only the features tell."""
    plant_feature(monkeypatch, filled_backwards)
    status, told = lookahead(capsys, "--start", "2013-01-02", "--end", "2013-01-31", cuts=1)
    assert status == 1 and "LEAK rsi_14 of AAPL at 2013-01-02" in told
    assert "nothing was decided before the cuts" in told


def plant_strategy(monkeypatch, name: str) -> tuple[str, str]:
    monkeypatch.setitem(STRATEGIES._built_in, "planted", f"tests.backtests.planted:{name}")
    return "--strategy", "planted"


@pytest.mark.slow
@pytest.mark.parametrize(("profile", "window"), [("active", YEAR), ("intraday", DAYS)])
@pytest.mark.parametrize("name", ["PeeksAtTheFormingBar", "PeeksADayAhead", "SizesByTheFuture"])
def test_a_strategy_that_buys_by_the_next_bar_is_found(capsys, monkeypatch, name, profile, window):
    """It sends its orders past the pipeline, so that neither features nor decisions give it away."""
    chosen = plant_strategy(monkeypatch, name)
    status, told = lookahead(capsys, *chosen, "--profile", profile, *window, cuts=6)
    leaks = [line for line in told.splitlines() if line.startswith("LEAK")]
    assert status == 1 and any(line.startswith("LEAK order at 20") and "AAPL" in line for line in leaks)
    assert not any("rsi_14" in line for line in leaks)
    if name == "SizesByTheFuture":
        assert all(re.search(r" quantity (1 became 2|2 became 1) when", line) for line in leaks)


@pytest.mark.parametrize(("profile", "window"), [("active", YEAR), ("intraday", DAYS)])
def test_its_honest_twin_is_clean(capsys, monkeypatch, profile, window):
    chosen = plant_strategy(monkeypatch, "Honest")
    status, told = lookahead(capsys, *chosen, "--profile", profile, *window, cuts=6)
    assert (status, "LEAK" in told) == (0, False)


def test_a_strategy_that_fails_without_later_bars_is_found(capsys, monkeypatch):
    chosen = plant_strategy(monkeypatch, "CountsOnTheFuture")
    status, told = lookahead(capsys, *chosen, "--start", "2020-01-02", "--end", "2020-03-31", cuts=2)
    assert status == 1
    assert "LEAK the run" in told and "finished became KeyError" in told


KEEPS_CLOSES = """\
c = market._columns["close"]
if {kept} is None or len({kept}) < len(c):
    {keep}
later = {kept}[min(market.row + 1, len({kept}) - 1)]
return np.where(later > market.values("close") * 1.01, 80.0, np.nan)"""
IN_A_MODULE = KEEPS_CLOSES.format(kept="KEPT.get(0)", keep="KEPT[0] = np.array(c)")
IN_A_CLASS = KEEPS_CLOSES.format(kept="Mine.kept", keep="Mine.kept = np.array(c)")
HONEST = 'KEPT[market.row] = 1\nreturn np.where(market.values("close") > 100 + len(KEPT) % 3, 80.0, np.nan)'


@pytest.mark.parametrize(("scores", "found"), [(IN_A_MODULE, 1), (IN_A_CLASS, 1), (HONEST, 0)])
def test_what_a_signal_keeps_of_one_run_is_gone_in_the_next(capsys, tmp_path, monkeypatch, scores, found):
    install(monkeypatch, tmp_path, scores)
    chosen = ("--set", "signals.enabled=[mine]", "--start", "2020-01-02", "--end", "2020-06-30")
    status, told = lookahead(capsys, *chosen, cuts=2)
    assert status == found and ("LEAK decision" in told) is bool(found)
    assert "looks of one bar ahead were tested at 2 of 125 sessions" in told


def test_too_short_a_window_is_refused(capsys):
    status = live_trader.main(["--backtest", "--lookahead", "5", "--start", "2020-01-02", "--end", "2020-01-08"])
    assert (status, capsys.readouterr().err) == (2, "--lookahead 5: 5 bars are too few for it; widen the window\n")


def test_invented_bars_differ_from_the_cut_on_and_nowhere_else():
    table = sample_table(bars=60)
    table.close[45, 2] = math.nan
    other = invented_from(table, 40, seed=1)
    for name in ("open", "high", "low", "close", "volume"):
        one, two = getattr(table, name), getattr(other, name)
        assert np.array_equal(one[:40], two[:40])
        changed = one[40:] != two[40:]
        assert changed[1:].all() and (name in ("open", "high", "low") or changed[0].all())
    # What an order sent at the cut trades against is known then.
    assert np.array_equal(table.open[40], other.open[40])
    assert np.array_equal(np.isnan(table.close), np.isnan(other.close))
    there = ~np.isnan(other.close)
    top = np.maximum(other.open, other.close)[there]
    assert (other.high[there] >= top * (1 - 1e-12)).all()
    assert (other.low[there] <= np.minimum(other.open, other.close)[there] * (1 + 1e-12)).all()
    again, differently = invented_from(table, 40, seed=1), invented_from(table, 40, seed=2)
    assert np.array_equal(other.high, again.high, equal_nan=True)
    assert not np.array_equal(other.high, differently.high, equal_nan=True)


# ---- what is compared, one reading at a time ------------------------------------------------------------


def run_of(record: RunRecord):
    """A stand-in for the run on any table: this record and no feature."""
    return lambda table: SimpleNamespace(
        record=record, strategy=SimpleNamespace(feed=SimpleNamespace(features=FeatureTable(table, [], {})))
    )


def decided(table, row: int, **changes) -> Decision:
    terms = BracketTerms("buy", stop_frac=0.05, target_frac=0.15)
    given = {"atr": 2.0, "score": 60.0, "price": 100.0, "stop": 95.0, "target": 115.0, **changes}
    proposal = Proposal(
        symbol="AMD", side="buy", signal="trend", quantity=10, terms=terms, reason="", role="hedge", **given
    )
    return Decision(table.opens_at[row].to_pydatetime(), proposal, 10, (Verdict("sizer", "OK", 10, 10),))


def ordered(table, row: int, filled: int | None = None, **changes) -> OrderRecord:
    given = {
        "symbol": "AMD", "side": "buy", "quantity": 10, "type": "market", "limit_price": None, "stop_price": None,
        "role": "entry", "status": "working", **changes,
    }  # fmt: skip
    order = OrderRecord(time=table.opens_at[row].to_pydatetime(), client_order_id="AMD-1", parent_id="", **given)
    if filled is not None:
        order.status, order.filled_time = "filled", table.opens_at[filled].to_pydatetime()
        order.filled_price, order.filled_quantity = given.get("filled_price", 100.0), order.quantity
    return order


def leaks_of(whole: RunRecord, altered: RunRecord, variant: str) -> list[Leak]:
    """One cut, at row 20 of 41; the altered record stands for both variants, one is looked at."""
    table = sample_table(bars=41)
    runs = iter([run_of(whole), run_of(altered), run_of(altered)])
    found = check(lambda given: next(runs)(given), table, table.opens_at[0], table.opens_at[-1], cuts=1)
    assert found.cuts == (table.opens_at[20],)
    return [leak for leak in found.leaks if leak.variant == variant]


TABLE = sample_table(bars=41)
LAST = {CUT_OFF: 19, INVENTED: 20}  # newest opening at which both runs see the same


@pytest.mark.parametrize("variant", [CUT_OFF, INVENTED])
@pytest.mark.parametrize("name", ["score", "price", "stop", "target", "atr"])
def test_every_figure_of_a_decision_counts(variant, name):
    row = LAST[variant]
    one, two = (RunRecord(decisions=[decided(TABLE, row, **{name: value})]) for value in (1.0, 2.0))
    (leak,) = leaks_of(one, two, variant)
    assert (leak.what, leak.time) == ("decision", TABLE.opens_at[row])
    assert str(leak).endswith(f"symbol AMD, {name} 1.0 became symbol AMD, {name} 2.0")
    when, cut = (f"{moment:%Y-%m-%d %H:%M}" for moment in (leak.time, leak.cut))
    assert leak.line == f"decision at {when}: AMD {name} 1 became 2 when the data are {variant} from {cut}"
    assert leaks_of(one, one, variant) == []
    later = [RunRecord(decisions=[decided(TABLE, row + 1, **{name: value})]) for value in (1.0, 2.0)]
    assert leaks_of(*later, variant) == []


def test_of_several_figures_the_first_is_told_and_of_verdicts_the_first_rule():
    ruled = [("OK", 10), ("SECTOR_CAP: 40% of 35%", 4)]
    chains = [(Verdict("sizer", "OK", 10, 10), Verdict("sector_cap", code, 10, after)) for code, after in ruled]
    one, two = (replace(decided(TABLE, 5), verdicts=chain) for chain in chains)
    (leak,) = leaks_of(RunRecord(decisions=[one]), RunRecord(decisions=[two]), CUT_OFF)
    assert "AMD verdicts sector_cap OK, 10 to 10 became sector_cap SECTOR_CAP: 40% of 35%, 10 to 4 when" in leak.line
    one, two = (decided(TABLE, 5, score=s, price=s, stop=s, target=s) for s in (60.0, 70.5))
    (leak,) = leaks_of(RunRecord(decisions=[one]), RunRecord(decisions=[two]), CUT_OFF)
    assert "AMD score 60 became 70.5 (price, stop and more too) when" in leak.line and "target 70.5" in str(leak)


def test_another_symbol_or_order_in_its_place_is_told_by_name():
    one, two = (
        replace(decided(TABLE, 5), proposal=replace(decided(TABLE, 5).proposal, symbol=s)) for s in ("AMD", "BA")
    )
    (leak,) = leaks_of(RunRecord(decisions=[one]), RunRecord(decisions=[two]), CUT_OFF)
    assert ": AMD became BA when the data are cut off from " in leak.line


def test_a_leak_is_a_short_line_and_whole_in_json(capsys, monkeypatch):
    plant_feature(monkeypatch, shifted)
    _, told = lookahead(capsys, *YEAR, *EAGER, cuts=1)
    lines = [line for line in told.splitlines() if line.startswith("LEAK")]
    assert lines and max(map(len, lines)) < 200 and not any("((" in line for line in lines)
    _, told = lookahead(capsys, *YEAR, *EAGER, "--json", cuts=1)
    assert all(" differs when the data are " in leak for leak in json.loads(told)["leaks"])


def test_what_a_signal_reads_by_itself_is_said_to_be_left_out(capsys):
    _, told = lookahead(capsys, "--start", "2020-01-02", "--end", "2020-03-31", cuts=1)
    assert "not covered: data that a signal or a rule reads by itself" in told


def test_what_is_not_a_number_is_no_difference():
    """Each reading makes a NaN of its own, and a NaN equals none."""
    one, two = (RunRecord(decisions=[decided(TABLE, 5, atr=float("nan"))]) for _ in range(2))
    assert leaks_of(one, two, CUT_OFF) == []


@pytest.mark.parametrize("variant", [CUT_OFF, INVENTED])
def test_a_decision_too_many_is_found_at_its_time(variant):
    both = [decided(TABLE, 5), decided(TABLE, 9)]
    one, two = RunRecord(decisions=both), RunRecord(decisions=both[:1])
    for whole, altered in ((one, two), (two, one)):
        (leak,) = leaks_of(whole, altered, variant)
        assert leak.time == TABLE.opens_at[9] and "nothing" in (leak.full, leak.altered)
        assert ("AMD is there, and is not when" if whole is one else "AMD is not there, and is when") in leak.line


@pytest.mark.parametrize("variant", [CUT_OFF, INVENTED])
@pytest.mark.parametrize("change", [{"quantity": 11}, {"side": "sell"}, {"type": "limit"}, {"role": "hedge"}])
def test_every_sent_order_counts_up_to_the_last_common_moment(variant, change):
    row = LAST[variant]
    one, two = RunRecord(orders=[ordered(TABLE, row)]), RunRecord(orders=[ordered(TABLE, row, **change)])
    (leak,) = leaks_of(one, two, variant)
    assert (leak.what, leak.time) == ("order", TABLE.opens_at[row])
    later = [RunRecord(orders=[ordered(TABLE, row + 1, **extra)]) for extra in ({}, change)]
    assert leaks_of(*later, variant) == []


def test_what_became_of_an_exit_later_is_no_leak():
    exits = [ordered(TABLE, 5, role="stop", type="stop", quantity=q, stop_price=s) for q, s in ((10, 95), (4, 99))]
    assert leaks_of(*(RunRecord(orders=[order]) for order in exits), INVENTED) == []


@pytest.mark.parametrize("variant", [CUT_OFF, INVENTED])
def test_fills_count_while_their_bar_is_the_same(variant):
    def records(row: int) -> list[RunRecord]:
        orders = [ordered(TABLE, 5, filled=row) for _ in range(2)]
        orders[1].filled_price = 101.0
        return [RunRecord(orders=[order]) for order in orders]

    (leak,) = leaks_of(*records(19), variant)
    assert leak.full.endswith("filled_price 100.0") and leak.altered.endswith("filled_price 101.0")
    assert leaks_of(*records(20), variant) == []
    one, two = (RunRecord(orders=[ordered(TABLE, 5, filled=row)]) for row in (19, None))
    (leak,) = leaks_of(one, two, variant)
    assert "filled_time" in leak.full and leak.altered == "client_order_id AMD-1"


def test_a_cut_behind_the_first_bar_compares_no_later_bars():
    """The bar before the first is none: taken for the last, everything would be compared."""
    table = sample_table(bars=3)
    late = [RunRecord(orders=[ordered(table, 2, quantity=q)]) for q in (10, 11, 11)]
    runs = iter([run_of(record) for record in late])
    assert check(lambda given: next(runs)(given), table, table.opens_at[0], table.opens_at[-1], cuts=1).clean


def test_a_refusal_of_the_altered_run_stays_one():
    def refuse(table):
        if len(table) < 41 or table.source.endswith(")"):
            raise Refusal("no bars")
        return run_of(RunRecord())(table)

    with pytest.raises(Refusal, match="no bars"):
        check(refuse, TABLE, TABLE.opens_at[0], TABLE.opens_at[-1] + timedelta(days=1), cuts=1)
