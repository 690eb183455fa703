"""A study repeats with its seed, goes on after a kill, and counts what it lost."""

from __future__ import annotations

import dataclasses
import json
import pickle

import numpy as np
import optuna
import pytest
from filelock import FileLock

from backtests.research.monte_carlo import monte_carlo
from backtests.research.search.executors import InProcess, executor
from backtests.research.search.optimise import optimise
from backtests.research.search.registry import TrialRegistry
from backtests.research.search.space import file_space, grid_space
from backtests.research.search.study import Plan, Study
from backtests.research.search.trials import (
    Trial,
    all_settings,
    require_keys,
    run_trial,
    session_labels,
    settings_with,
)
from config.errors import Refusal
from tests.backtests.research.lab import FAST, RSI, STOP, context, market
from tests.own_parts import install

SEARCH = f"{RSI}: {{low: 35, high: 50}}\n{STOP}: {{low: 1.0, high: 4.0}}\n"
TPE = Plan("tpe", 10, 3, 4, 4, "sharpe")
GRID = Plan("grid", 0, 0, 4, 4, "sharpe")


class Died(BaseException):
    """Stands for a process that is killed: nothing after it is done."""


class DyingExecutor:
    """Ends the process's work in its n-th batch, before anything of it is told."""

    def __init__(self, batch: int) -> None:
        self.left = batch

    def map(self, function, shared, items):
        self.left -= 1
        if self.left < 0:
            raise Died
        return InProcess().map(function, shared, items)


@pytest.fixture(scope="module")
def shared():
    return context()


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "search.yaml"
    path.write_text(SEARCH)
    return file_space(path)


def study(folder, shared, space, plan=TPE):
    return Study(folder, shared, space, plan, TrialRegistry(folder.parent / "trials.jsonl"), "hash")


def lines(registry):
    return sum(1 for _ in registry.entries())


def tried(result):
    return [tuple(result.trials[n].parameters.values()) for n in sorted(result.trials)]


def test_a_trial_leaves_returns_by_session_and_repeats(shared):
    one, two = run_trial(shared, {RSI: 40.0}), run_trial(pickle.loads(pickle.dumps(shared)), {RSI: 40.0})
    assert one.trades > 3 and one.sharpe == two.sharpe and np.array_equal(one.returns, two.returns)
    assert len(one.returns) == len(session_labels(shared)) == 300
    assert run_trial(shared, {RSI: 5.0}).refused.count("full_score_rsi") == 1


def test_a_seed_gives_the_same_study_and_another_seed_another(tmp_path, shared, space):
    first = study(tmp_path / "a", shared, space).run(InProcess())
    again = study(tmp_path / "b", shared, space).run(InProcess())
    other = study(tmp_path / "c", shared, space, dataclasses.replace(TPE, seed=4)).run(InProcess())
    assert len(first.trials) == 10
    assert tried(first) == tried(again) != tried(other)


def test_a_step_is_a_plain_number_in_trials_and_register(tmp_path, shared):
    ranges = tmp_path / "search.yaml"
    ranges.write_text(f"{RSI}: {{low: 35, high: 50}}\n{STOP}: {{low: 1.0, high: 4.0, step: 0.05}}\n")
    space = file_space(ranges)
    random = dataclasses.replace(TPE, sampler="random", trials=12)
    search = study(tmp_path / "a", shared, space, random)
    result = search.run(InProcess())
    drawn = [trial.params[STOP] for trial in search._study.trials]
    used = [trial.parameters[STOP] for trial in result.trials.values()]
    assert used == [round(value, 2) for value in drawn]
    assert any(value != round(value, 2) for value in drawn), "some steps add up to no plain number"
    register = (tmp_path / "trials.jsonl").read_text()
    assert sum(str(value) in register for value in used) == 12


@pytest.mark.slow  # Processes are started that import everything.
def test_workers_change_nothing(tmp_path, shared, space):
    alone = study(tmp_path / "a", shared, space).run(InProcess())
    with executor(2) as cores:
        together = study(tmp_path / "b", shared, space).run(cores)
    assert tried(alone) == tried(together)
    assert [t.sharpe for t in alone.trials.values()] == [t.sharpe for t in together.trials.values()]


@pytest.mark.parametrize("batch", [0, 1, 2])
def test_a_killed_study_goes_on_and_becomes_the_same(tmp_path, shared, space, batch):
    whole = study(tmp_path / "a", shared, space).run(InProcess())
    registry = TrialRegistry(tmp_path / "trials.jsonl")
    before = lines(registry)
    with pytest.raises(Died):
        study(tmp_path / "b", shared, space).run(DyingExecutor(batch))
    lost = lines(registry) - before - batch * TPE.batch
    gone_on = study(tmp_path / "b", shared, space).run(InProcess())
    assert sorted(tried(gone_on)) == sorted(tried(whole))
    assert gone_on.failed == lost > 0
    # Those that were lost had begun and stay in the register; tried again they are the same trials, as all are.
    assert lines(registry) - before == 10 + lost and registry.count("hash") == 10


class DyingAmongTrials:
    """Ends the process's work in the middle of a batch."""

    def map(self, function, shared, items):
        yield from InProcess().map(function, shared, items[:3])
        raise Died


def test_what_a_killed_batch_had_finished_is_kept(tmp_path, shared, space):
    told = []
    with pytest.raises(Died):
        study(tmp_path / "a", shared, space).run(DyingAmongTrials(), told.append)
    assert told == [0, 1, 1, 1]
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "a" / "returns").iterdir()}
    gone_on = study(tmp_path / "a", shared, space).run(InProcess())
    assert len(kept) == 3 and all(path.stat().st_mtime_ns == then for path, then in kept.items())
    assert (len(gone_on.trials), gone_on.failed) == (10, 1)


def test_a_study_that_died_while_telling_goes_on(tmp_path, shared, space, monkeypatch):
    whole = study(tmp_path / "a", shared, space).run(InProcess())
    told = []
    real = Study._tell

    def dying(self, asked, trial):
        if len(told) == 6:
            raise Died
        told.append(asked.number)
        real(self, asked, trial)

    with monkeypatch.context() as patch:
        patch.setattr(Study, "_tell", dying)
        with pytest.raises(Died):
            study(tmp_path / "b", shared, space).run(InProcess())
    gone_on = study(tmp_path / "b", shared, space).run(InProcess())
    assert gone_on.failed == 2
    assert sorted(tried(gone_on)) == sorted(tried(whole))


def test_a_grid_is_tried_whole_and_once(tmp_path, shared):
    grid = grid_space([f"{RSI}=35,40,45", f"{STOP}=1.5,2.5"])
    plan = GRID
    result = study(tmp_path / "a", shared, grid, plan).run(InProcess())
    assert tried(result) == [tuple(c.values()) for c in grid.combinations()] and grid.size == 6
    again = study(tmp_path / "a", shared, grid, plan).run(DyingExecutor(0))
    assert tried(again) == tried(result)


def test_the_gate_of_a_trial_keeps_what_its_own_rule_keeps():
    """A gate that keeps what the base's rule keeps refuses the entries that the trial's rule lets through."""
    buffer = "risk.modules.cash_buffer.buffer_frac"
    chain = {"risk.chain": ["cash_buffer"], "risk.modules.cash_buffer.min_position_frac": 0.025}
    strict, loose = (context(**chain, **{buffer: kept}) for kept in (0.975, 0.5))
    varied, run = run_trial(strict, {buffer: 0.5}), run_trial(loose, {})
    none = run_trial(strict, {})
    assert (none.refused, none.trades) == ("", 0) and 0 < run.trades == varied.trades
    assert varied.total_return == run.total_return and varied.config_hash == run.config_hash
    assert settings_with(loose.settings, {"risk.chain": []}).policy_gate.min_cash_frac == 0.0


def test_joined_keys_take_the_same_value(tmp_path, shared):
    slow = "signals.modules.trend.slow_bars"
    grid = grid_space([f"{FAST}+{STOP}=2,4", f"{RSI}=40"])
    assert grid.size == 2
    require_keys(shared.settings, list(grid.distributions), "--grid")
    modules = settings_with(shared.settings, {f"{FAST}+{slow}": 4}).signals.modules
    assert modules["trend"]["fast_bars"] == modules["trend"]["slow_bars"] == 4
    result = study(tmp_path / "a", shared, grid, GRID).run(InProcess())
    assert tried(result) == [(2, 40), (4, 40)]
    with pytest.raises(Refusal, match="there is no setting slow_bar"):
        require_keys(shared.settings, [f"{FAST}+signals.modules.trend.slow_bar"], "--grid")


def test_what_no_trial_would_read_is_not_searched(shared):
    base, target = settings_with(shared.settings, {"exits.model": "fixed"}).as_dict(), "exits.models.atr.target_atr"
    with pytest.raises(Refusal, match=f"--grid {target}: changes nothing, as atr does not run"):
        require_keys(base, [target], "--grid")
    with pytest.raises(Refusal, match=r"stop_atr: changes nothing, as exits\.model fixed sets the stops"):
        require_keys(base, [STOP], "--grid")
    # With the model itself among what varies some trials read it; of keys that move together one is enough.
    require_keys(base, [STOP, "exits.model"], "--grid")
    require_keys(base, [f"{STOP}+{RSI}"], "--grid")


def test_combinations_that_cannot_be_are_set_aside(tmp_path, shared):
    grid = grid_space([f"{FAST}=9,30", f"{RSI}=40"])
    shared = dataclasses.replace(shared, key="other")
    result = study(tmp_path / "a", shared, grid, GRID).run(InProcess())
    assert len(result.trials) == 1 and ["fast_bars < middle_bars" in why for why in result.refused.values()] == [True]
    impossible = grid_space([f"{FAST}=30,40"])
    with pytest.raises(Refusal, match=r"every configuration of the search was refused: .*fast_bars"):
        study(tmp_path / "b", shared, impossible, GRID).run(InProcess())


def test_a_folder_of_another_study_is_refused(tmp_path, shared, space):
    study(tmp_path / "a", shared, space)
    with pytest.raises(Refusal, match="holds a study with other seed; choose another --out"):
        study(tmp_path / "a", shared, space, dataclasses.replace(TPE, seed=9))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "letter.txt").write_text("")
    with pytest.raises(Refusal, match="is not empty and holds no study"):
        study(tmp_path / "b", shared, space)


def test_one_process_at_a_time(tmp_path, shared, space):
    mine = study(tmp_path / "a", shared, space)
    with FileLock(tmp_path / "a" / ".lock"), pytest.raises(Refusal, match="another process works on this study"):
        mine.run(InProcess())


def test_the_folder_holds_verdict_tables_and_a_page_without_network(tmp_path, shared, space):
    registry = TrialRegistry(tmp_path / "trials.jsonl")
    done = optimise(tmp_path / "a", shared, space, TPE, InProcess(), registry, "hash", notes=("made up",))
    out = json.loads((tmp_path / "a" / "summary.json").read_text())
    assert {"study", "trials", "best", "dsr", "pbo", "seconds"} <= set(out)
    assert (out["trials"], out["trials_ever"], out["notes"][0]) == (10, 10, "made up")
    assert out["best"]["number"] == max(done.study.trials, key=lambda n: done.study.trials[n].sharpe)
    lines = (tmp_path / "a" / "trials.csv").read_text().splitlines()
    assert len(lines) == 11 and lines[0].startswith(f"number,state,{RSI},{STOP},objective,sharpe")
    returns = (tmp_path / "a" / "returns.csv").read_text().splitlines()
    assert len(returns) == 301 and len(returns[0].split(",")) == 11
    page = (tmp_path / "a" / "report.html").read_text()
    assert "0.5 = chance" in page and page.count("<svg") == 2
    assert "<script" not in page and "src=" not in page and "href=" not in page
    again = optimise(tmp_path / "a", shared, space, TPE, DyingExecutor(0), registry, "hash", notes=("made up",))
    assert again.document["best"] == done.document["best"] and again.document["trials_ever"] == 10


def test_more_trials_ever_mean_a_lower_deflated_ratio(tmp_path, shared, space):
    registry = TrialRegistry(tmp_path / "trials.jsonl")
    first = optimise(tmp_path / "a", shared, space, TPE, InProcess(), registry, "hash")
    other = dataclasses.replace(TPE, seed=4)
    second = optimise(tmp_path / "b", shared, space, other, InProcess(), registry, "hash")
    assert (first.verdict.counted, second.verdict.counted) == (10, 20)
    again = optimise(tmp_path / "c", shared, space, other, InProcess(), registry, "hash")
    assert again.verdict == dataclasses.replace(second.verdict, cross=again.verdict.cross)


def test_a_configuration_is_one_trial_whichever_study_tries_it(tmp_path, shared):
    registry = TrialRegistry(tmp_path / "trials.jsonl")
    for number, (values, counted) in enumerate([("2,3", 2), ("2.0,3.0,2.5", 3), ("2.5,4", 4)]):
        done = optimise(
            tmp_path / str(number), shared, grid_space([f"{STOP}={values}"]), GRID, InProcess(), registry, "d"
        )
        assert done.document["trials_ever"] == registry.count("d") == counted
    later = dataclasses.replace(shared, key="later", start=shared.table.opens_at[30])
    optimise(tmp_path / "later", later, grid_space([f"{STOP}=2"]), GRID, InProcess(), registry, "d")
    assert registry.count("d") == 5


def test_a_strategy_that_never_trades_has_no_edge_whatever_its_cash_earns(tmp_path):
    never = context(**{RSI: 5.0, RSI.replace("oversold", "full_score"): 1.0, "fills.cash_interest_frac": 0.05})
    registry = TrialRegistry(tmp_path / "trials.jsonl")
    done = optimise(tmp_path / "a", never, grid_space([f"{STOP}=2,3"]), GRID, InProcess(), registry, "d")
    best = done.document["best"]
    assert (best["trades"], best["sharpe"], best["sharpe_interval"]) == (0, None, None) and best["total_return"] > 0.04
    assert (done.verdict.verdict, done.document["dsr"], done.document["pbo"]) == ("no edge", None, None)
    assert "never move, so that it has no Sharpe ratio" in done.verdict.sentence()
    page = (tmp_path / "a" / "report.html").read_text()
    assert "not defined, as the account never moved" in page and ">nan" not in page


def test_a_range_follows_the_type_of_its_setting(tmp_path, shared):
    path, bars = tmp_path / "ranges.yaml", "signals.modules.mean_reversion.rsi_bars"
    path.write_text(
        f"{STOP}: {{low: 1, high: 3}}\n{bars}: {{low: 10, high: 19}}\n{RSI}: {{low: 35, high: 45, step: 5}}\n"
    )
    random = dataclasses.replace(TPE, sampler="random")
    registry = TrialRegistry(tmp_path / "trials.jsonl")
    done = optimise(tmp_path / "a", shared, file_space(path), random, InProcess(), registry, "d")
    drawn = {key: [t.parameters[key] for t in done.study.trials.values()] for key in (STOP, bars, RSI)}
    assert all(1 < value < 3 and value % 1 for value in drawn[STOP])
    assert all(type(value) is int and 10 <= value <= 19 for value in drawn[bars]) and set(drawn[RSI]) <= {35, 40, 45}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no ranges"), ("a: 5", "is no range"), ("a: {low: 1}", "is no range"),
        ("a: {low: 2, high: 1}", "low must be below high"),
        ("a: {low: 0, high: 1, log: true}", "log needs low above 0"),
        ("a: {low: x, high: 1}", "must be numbers"), ("a: [[1, 2], 3]", "lists can't be searched"),
    ],
)  # fmt: skip
def test_a_search_file_that_is_none_is_refused(tmp_path, text, why):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(Refusal, match=why):
        file_space(tmp_path / "s.yaml")


@pytest.mark.parametrize(
    ("options", "why"),
    [(["a"], "write KEY=v1,v2"), (["a=1,,2"], "write KEY=v1,v2"), (["a=1", "a=2"], "given twice"),
     (["a+b=1", "b=2"], "--grid b: is given twice")],
)  # fmt: skip
def test_a_grid_that_is_none_is_refused(options, why):
    with pytest.raises(Refusal, match=why):
        grid_space(options)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("sizing.risk_fraction", "there is no setting risk_fraction; .*risk_frac"),
        ("fills.fee_frac", "same for all trials"),
    ],
)
def test_keys_that_cannot_be_searched_are_refused(shared, key, why):
    with pytest.raises(Refusal, match=why):
        require_keys(shared.settings, [key], "--grid")


def test_words_are_read_as_the_settings_read_them():
    assert grid_space(["a=1,2.5,true,NO"]).grid == {"a": (1, 2.5, True, "NO")}


def test_calmar_of_a_trial_without_drawdown_is_its_return():
    trial = Trial({}, "", np.zeros(2), 1.0, 0.2, 0.0, 1, 0.0)
    assert (trial.objective("calmar"), dataclasses.replace(trial, max_drawdown=0.1).objective("calmar")) == (0.2, 2.0)


@pytest.mark.parametrize(
    ("url", "why"), [("http://x", "write dask://HOST:PORT"), ("dask://127.0.0.1:1", "no cluster answers there")]
)  # fmt: skip
def test_a_cluster_that_is_none_is_refused(url, why, monkeypatch):
    if url.startswith("dask"):
        distributed = pytest.importorskip("distributed")
        monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(Refusal, match=why), executor(1, url):
        pass


def refuse(*arguments, **keywords):
    raise OSError("timed out")


def test_market_of_the_lab_is_whole():
    assert len(market()) == 320
    assert optuna.__version__


REMEMBERS = """\
KEPT[market.row] = market.values("close").copy()
later = KEPT.get(market.row + 1)
return silent if later is None else np.where(later > market.values("close"), 80.0, np.nan)"""


def test_a_trial_knows_nothing_that_own_code_kept_of_another(tmp_path, monkeypatch):
    """In whatever order they run: what was seen in an earlier trial is the future of a later one."""
    install(monkeypatch, tmp_path, REMEMBERS)
    shared = context(**{"signals.enabled": ["mine"]})
    items = [{"exits.models.fixed.stop_frac": stop} for stop in (0.03, 0.05)]
    found = [list(InProcess().map(run_trial, shared, order)) for order in (items, items[::-1])]
    assert all(trial.trades == 0 and not trial.refused for trials in found for trial in trials)
    assert shared.columns


MINE = "signals.modules.mine.floor_score"


def test_a_setting_of_own_code_that_nobody_has_set_is_searched(tmp_path, monkeypatch):
    install(monkeypatch, tmp_path, "return silent")
    shared = context(**{"signals.enabled": ["mine"]})
    assert "mine" not in shared.settings["signals"]["modules"]
    done = optimise(tmp_path / "grid", shared, grid_space([f"{MINE}=50,70"]), GRID, InProcess(),
                    TrialRegistry(tmp_path / "trials.jsonl"), "hash")  # fmt: skip
    assert [trial.parameters for trial in done.study.trials.values()] == [{MINE: 50}, {MINE: 70}]
    assert not any(trial.refused for trial in done.study.trials.values())
    ranges = tmp_path / "search.yaml"
    ranges.write_text(f"{MINE}: {{low: 40, high: 60}}\n")
    found = file_space(ranges).typed(all_settings(shared.settings))
    assert isinstance(found.distributions[MINE], optuna.distributions.FloatDistribution)
    with pytest.raises(Refusal, match=r"there is no setting floor_scor; did you mean floor_score\?"):
        require_keys(all_settings(shared.settings), [MINE[:-1]], "--grid")
    with pytest.raises(Refusal, match=r"changes nothing, as mine does not run; signals\.enabled\+=mine switches it on"):
        require_keys(all_settings(context().settings), [MINE], "--grid")


def test_a_default_of_a_rule_in_yaml_is_searched():
    rule = {"dip": {"when": "close > 1"}}
    shared = context(**{"signals.rules": rule, "signals.enabled": ["dip"], "exits.model": "atr"})
    key = "signals.rules.dip.stop_atr"
    require_keys(all_settings(shared.settings), [key], "--grid")
    assert settings_with(shared.settings, {key: 3}).signals.rules["dip"]["stop_atr"] == 3


def test_random_strategies_know_nothing_that_own_code_kept_of_the_run(tmp_path, monkeypatch):
    install(monkeypatch, tmp_path, REMEMBERS)
    found = monte_carlo(context(**{"signals.enabled": ["mine"]}), 2, 1, InProcess())
    assert [found.run.trades, *(outcome.trades for outcome in found.random)] == [0, 0, 0]
