import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from backtests.reports.outputs import write_records
from brokers.journal import Journal
from brokers.record import RunRecord
from commands.app import main
from commands.plain_console import PlainConsole
from commands.views.explain_screen import show
from config.errors import Refusal
from monitoring.explain import Explanation, RunSource, day_after, explain, moment_of, session_after, source_of, story
from monitoring.journal_reader import JournalReader
from monitoring.rows import DecisionRow, ReadingRow
from monitoring.state import JOURNAL_FILE, STATE_FILE, write_state
from risk.model import Decision, Verdict
from strategies.registry import RISK_MODULES
from strategies.remedies import remedy_for
from tests.monitoring.journals import ACCOUNT, BEGIN, HALTED, plan, proposal, small_folder, trader_state

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    state = small_folder(tmp_path_factory.mktemp("explain") / "state")
    return source_of(state, state / JOURNAL_FILE)


def test_a_symbol_is_told_with_its_size_now_and_what_it_lacks(source):
    found = explain(source, "PLTR")
    assert (found.stories, found.orders) == ((), ())
    assert found.now is not None and found.now.text == "mean_reversion: RSI(14) 47.2, needs below 30"
    assert (found.now.allowed, found.now.bound_by) == (410, "equity_sizer: notional")
    assert explain(source, "PLTR", BEGIN - timedelta(days=1)).empty
    assert explain(source, "AMD").counts[0] >= 1 and explain(source, "AMD", BEGIN - timedelta(days=1)).counts == (0, 0)


def test_a_time_is_told_with_what_was_decided_and_what_was_not(source):
    found = explain(source, "", BEGIN + timedelta(minutes=3))
    assert [s.decision.symbol for s in found.stories] == ["AMD", "MARA", "MU", "ODD"]
    assert [r.symbol for r in found.silent] == ["PLTR"]
    assert explain(source, "", BEGIN - timedelta(days=1)).empty


def test_an_order_is_told_with_its_family_and_its_decision(source):
    found = explain(source, "v-2")
    assert [o.role for o in found.orders] == ["entry", "stop"]
    assert [s.decision.symbol for s in found.stories] == ["AMD"]
    assert found.stories[0].bound_by == "equity_sizer: notional"
    assert "more equity or a larger sizing.max_notional_frac" in found.stories[0].change


@pytest.mark.parametrize(
    "reason", ["61 became 60 at the quote 171.2500; RSI", "stop near; 61 became 60 at the quote 171.2500"]
)
def test_a_size_that_the_quote_cut_is_not_blamed_on_the_sizer_alone(source, reason):
    (decision,) = source.decisions("AMD", None, 1)
    (entry,) = source.entries_of(decision)
    told = story(decision, [replace(entry, quantity=60, reason=reason)])
    assert (told.bound_by, told.cut) == ("equity_sizer: notional", "61 became 60 at the quote 171.2500")
    decided = f"a lower quote: 61 cost {decision.final * decision.price:,.2f} USD at {decision.price:,.2f}, and "
    assert told.cut_change.startswith(decided) and "at most 5% more" in told.cut_change
    out = io.StringIO()
    show(PlainConsole(file=out, width=300), Explanation("AMD", "symbol", (told,), ()), everything=False)
    lines = out.getvalue().splitlines()
    by_rule = next(n for n, line in enumerate(lines) if "decided by equity_sizer: notional" in line)
    assert "max_notional_frac" in lines[by_rule + 1]
    by_quote = lines.index("  after the rules, 61 became 60 at the quote 171.2500")
    assert by_quote > by_rule and lines[by_quote + 1] == f"  it would take: {told.cut_change}"
    assert (story(decision, [entry]).cut, story(decision, [entry]).cut_change) == ("", "")


def test_what_is_held_and_one_share_are_told_once_and_as_one(source):
    out = io.StringIO()
    show(PlainConsole(file=out, width=300), explain(source, "AMD"), everything=False)
    assert ": held or on its way: one position a symbol" in out.getvalue() and "held, held" not in out.getvalue()
    one = Verdict("equity_sizer", "x", 5, 1, {"by_risk": 5.0, "by_notional": 1.0})
    assert remedy_for(one, 100.0).text.endswith("the notional cap allows 1 share")
    assert remedy_for(replace(one, inputs={"by_risk": 1.0, "by_notional": 5.0}), 100.0).text.endswith("allows 1 share")


def test_what_is_wrong_now_comes_with_the_answer_and_not_with_one_about_the_past(tmp_path):
    state = small_folder(tmp_path / "state")
    asked = source_of(state, state / JOURNAL_FILE)
    write_state(state / STATE_FILE, trader_state(halts=HALTED))
    assert [sign.kind for sign in explain(asked, "AMD").signs] == ["unprotected", "halt"]
    assert [sign.kind for sign in explain(asked, "v-2").signs] == ["unprotected", "halt"]
    assert [sign.kind for sign in explain(asked, "PLTR").signs] == ["halt"]
    assert explain(asked, "AMD", BEGIN + timedelta(minutes=3)).signs == ()
    write_state(state / STATE_FILE, trader_state(halts=HALTED, ended="the trader was ended"))
    assert explain(asked, "AMD").signs == ()


def decided(
    module: str, code: str, before: float = 50, after: float = 0, until: datetime | None = None, **inputs: object
):
    verdict = Verdict(module, code, before, after, inputs, until)
    return DecisionRow(
        1, BEGIN, "AMD", "buy", "entry", "x", 70, 100.0, 95, 115, 2, 50, after, "refused", "", (verdict,)
    )


@pytest.mark.parametrize(
    ("verdict", "words", "unlocks"),
    [
        (decided("exposure_budget", "EXPOSURE_BUDGET: day 2/2 positions"), "the next session", "2024-03-05 09:30"),
        (decided("exposure_budget", "EXPOSURE_BUDGET: week 10/10"), "a position that closes", "2024-03-11 09:30"),
        (decided("exposure_budget", "EXPOSURE_BUDGET: no budget known"), "has to be known", None),
        (decided("drawdown_halt", "DRAWDOWN_HALT: 3.1% below"), "the next session", "2024-03-05 09:30"),
        (decided("peak_halt", "PEAK_HALT: x", until=datetime(2024, 3, 11, tzinfo=NEW_YORK)), "the end of the halt",
         "2024-03-11 09:30"),
        (decided("peak_halt", "PEAK_HALT: x", until=datetime(2024, 3, 8, 14, 5, tzinfo=NEW_YORK)), "end of the halt",
         "2024-03-08 14:05"),
        (decided("cash_buffer", "CASH_BUFFER: x", spendable=1_000.0), "4,000.00 USD more free cash for 50", None),
        (decided("sector_cap", "SECTOR_CAP: semis 3/3", sector="semis"), "a position of semis has to be closed", None),
        (decided("correlation_cap", "CORRELATION_CAP: x", alike={"MU": 0.8, "NVDA": 0.9}), "one of MU, NVDA", None),
        (decided("policy_gate", "GATE_NEW_POSITIONS: 2 of 2"), "the next session", "2024-03-05 09:30"),
        (decided("policy_gate", "GATE_RESTRICTED: x"), "gate.restricted", None),
        (decided("selection", "EXECUTE_LIMIT: 2 of 2"), "the next scan", None),
        (decided("equity_sizer", "EQUITY_SIZER: 0 shares", by_risk=0, by_notional=5), "a nearer stop", None),
        (decided("desk", "DESK_SIZE: nothing is left of it at 9.0000; x"), "a quote nearer the price that", None),
        (decided("desk", "DESK_QUOTE: AMD has no price now, its last one is 9.0000"), "a price of the symbol", None),
        (decided("desk", "DESK_STOP: 9.0000 is at or beyond the stop 9"), "the code tells what it was", None),
        (decided("somebody_elses", "SOMEBODY: x"), "the rule is not installed here", None),
    ],
)  # fmt: skip
def test_each_rule_tells_its_own_remedy_and_when_time_frees_it(verdict, words, unlocks):
    told = story(verdict)
    assert words in told.change
    found = None if told.unlocks is None else told.unlocks.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M")
    assert found == unlocks


def test_every_rule_of_the_package_answers_for_a_bare_refusal():
    asked = 0
    for name in RISK_MODULES.places():
        assert remedy_for(Verdict(name, f"{name.upper()}: x", 1, 0), 100.0).text
        asked += 1
    assert asked >= 15


def test_the_session_after_knows_weekends_holidays_and_weeks():
    friday = datetime(2024, 3, 28, 15, 0, tzinfo=UTC)
    # Good Friday is none.
    assert session_after(friday, next_week=False).strftime("%Y-%m-%d %H:%M") == "2024-04-01 09:30"
    assert session_after(datetime(2024, 3, 25, 15, tzinfo=UTC), next_week=True).strftime("%Y-%m-%d") == "2024-04-01"


def test_days_and_weeks_of_coins_turn_at_midnight_utc():
    late = datetime(2024, 3, 8, 23, 30, tzinfo=UTC)
    assert day_after(late, next_week=False) == datetime(2024, 3, 9, tzinfo=UTC)
    assert day_after(late, next_week=True) == datetime(2024, 3, 11, tzinfo=UTC)
    spent = replace(decided("exposure_budget", "EXPOSURE_BUDGET: day 2/2 positions"), symbol="BTC/USD", time=late)
    assert story(spent).unlocks == datetime(2024, 3, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2024-03-04 10:30", datetime(2024, 3, 4, 10, 30, tzinfo=NEW_YORK)),
        ("2024-03-04T10:30:00+00:00", datetime(2024, 3, 4, 10, 30, tzinfo=UTC)),
        ("2024-03-04", datetime(2024, 3, 4, 23, 59, 59, 999999, tzinfo=NEW_YORK)),
        ("yesterday", None),
        ("AAPL", None),
        ("2024-13-04", None),
    ],
)
def test_times_as_people_write_them(text, found):
    assert moment_of(text) == found


def test_a_run_s_folder_is_read_like_a_journal(tmp_path):
    verdict = {
        "module": "sector_cap",
        "code": "SECTOR_CAP: semis 3/3",
        "before": 50,
        "after": 0,
        "inputs": {"sector": "semis"},
    }
    lines = [
        {"time": f"2024-03-0{k}T09:30:00-05:00", "symbol": "AMD", "side": "buy", "signal": "trend", "score": 70,
         "price": 100, "stop": 95, "target": 115, "atr": None, "proposed_quantity": 50,
         "final_quantity": 0, "outcome": "refused",
         "verdicts": [verdict]}
        for k in (4, 5)
    ]  # fmt: skip
    (tmp_path / "decisions.jsonl").write_text(
        "".join(json.dumps(x) + "\n" for x in [*lines, {"interrupted": "SIGINT"}])
    )
    (tmp_path / "orders.csv").write_text(
        "time,client_order_id,parent_id,symbol,side,quantity,type,limit_price,stop_price,role,status,filled_quantity,"
        "filled_price,filled_time,reason\n"
        "2024-03-04T09:30:00-05:00,e1,,AMD,buy,50,limit,100.1,,entry,filled,50,100.05,2024-03-04T09:30:00-05:00,why\n"
        "2024-03-04T09:30:00-05:00,e1-stop,e1,AMD,sell,50,stop,,95,stop,working,0,,,leg\n# interrupted by SIGINT\n"
    )
    silent = ReadingRow(BEGIN, "MU", 90.0, 1.0, "silent", "RSI 47.2, needs below 30")
    source = RunSource(tmp_path, lambda at: [silent])
    found = explain(source, "AMD", latest=1)
    assert [s.decision.time.day for s in found.stories] == [5] and found.counts == (2, 2)
    assert found.stories[0].change == "a position of semis has to be closed"
    assert [o.id for o in explain(source, "e1-stop").orders] == ["e1", "e1-stop"]
    assert explain(source, "MU").now == silent
    # Up to a moment: what is called earlier is earlier, and an entry comes before its exits.
    early = explain(source, "AMD", lines_at(4), latest=1)
    assert early.counts == (1, 2) and [o.id for o in early.orders] == ["e1"]
    with pytest.raises(Refusal, match="is not the complete folder of a run"):
        explain(RunSource(tmp_path / "nothing"), "AMD")


def lines_at(day: int, hour: int = 9, minute: int = 30) -> datetime:
    return datetime(2024, 3, day, hour, minute, tzinfo=NEW_YORK)


def test_a_run_s_reading_knows_what_was_decided_with_its_bar(tmp_path):
    refused = Verdict("sector_cap", "SECTOR_CAP: semis 3/3", 50, 0, {"sector": "semis"})
    write_records(
        tmp_path,
        RunRecord(initial_equity=100.0, decisions=[Decision(lines_at(5), proposal("AMD", 0), 50, (refused,))]),
    )

    def read(at: datetime | None) -> list[ReadingRow]:
        """Daily bars: the one of Monday the 4th, until that of Tuesday has closed."""
        day = 4 if at is not None and at < lines_at(5, 16, 0) else 5
        told = "trend scores 70, but nothing was decided with this bar"
        return [ReadingRow(lines_at(day, 16, 0), s, 9.0, 1.0, "blocked", told) for s in ("AMD", "MU")]

    source = RunSource(tmp_path, read)
    # Between two iterations, and on a symbol: what was decided with the bar is not said to be undecided.
    found = explain(source, "", lines_at(5, 10, 30))
    assert [s.decision.symbol for s in found.stories] == ["AMD"] and [r.symbol for r in found.silent] == ["MU"]
    assert explain(source, "AMD", lines_at(5, 10, 30)).now is None
    # After the close and before the opening that decides.
    evening = explain(source, "", lines_at(4, 17, 0))
    assert evening.stories == ()
    assert [(r.status, r.text) for r in evening.silent] == [
        ("decided", "at 2024-03-05 09:30:00 with this bar"),
        ("blocked", "trend scores 70, but nothing was decided with this bar"),
    ]
    # The next bar has closed, and nothing was decided with it.
    assert explain(source, "", lines_at(5, 17, 0)).stories == ()
    assert explain(source, "AMD").now.status == "blocked"


def test_the_end_of_a_halt_is_in_a_run_s_files(tmp_path):
    until = datetime(2024, 3, 9, tzinfo=NEW_YORK)
    refused = Verdict("peak_halt", "PEAK_HALT: 10.2% below", 50, 0, {"equity": 90.0}, until)
    decision = Decision(BEGIN, proposal("AMD", 0), 50, (refused,))
    write_records(tmp_path, RunRecord(initial_equity=100.0, decisions=[decision]))
    (found,) = explain(RunSource(tmp_path), "AMD").stories
    assert found.steps[0].verdict.until == until and found.steps[0].verdict.inputs == {"equity": 90.0}
    # A Saturday's midnight: entries go on when Monday's session opens.
    assert found.unlocks == datetime(2024, 3, 11, 9, 30, tzinfo=NEW_YORK)


def test_a_reading_from_before_the_last_decision_is_none_of_now(tmp_path):
    state = small_folder(tmp_path / "state")
    source = source_of(state, state / JOURNAL_FILE)
    assert explain(source, "AMD").now is not None
    with Journal(state / JOURNAL_FILE, ACCOUNT, lambda: BEGIN) as journal:
        journal.begin_run("paper", "combined", "active", "abc")
        journal.decisions(plan(BEGIN + timedelta(microseconds=400_000)))
    assert explain(source, "AMD").now is not None
    with Journal(state / JOURNAL_FILE, ACCOUNT, lambda: BEGIN) as journal:
        journal.begin_run("paper", "combined", "active", "abc")
        journal.decisions(plan(BEGIN + timedelta(hours=1)))
    found = explain(source, "AMD")
    assert found.stories[0].decision.time == BEGIN + timedelta(hours=1) and found.now is None


def test_a_journal_that_is_none_is_refused_without_a_trace(tmp_path):
    path = tmp_path / "journal.sqlite3"
    with pytest.raises(Refusal, match="there is no journal"), JournalReader(path).open():
        pass
    path.write_bytes(b"odd" * 2_000)
    with pytest.raises(Refusal, match="cannot be read"), JournalReader(path).open():
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["journal.sqlite3"]


@pytest.mark.parametrize(
    "address", ["postgresql://trader:hunter2@127.0.0.1:1/j", "postgresql+psycopg2://a:hunter2@127.0.0.1:1/j"]
)
def test_a_server_that_is_away_is_refused_without_its_password(address):
    with pytest.raises(Refusal) as refused, JournalReader(address).open():
        pass
    assert "hunter2" not in str(refused.value) and "does not answer" in str(refused.value)
    assert isinstance(refused.value.__suppress_context__, bool) and refused.value.__cause__ is None


def test_nothing_can_be_written_through_a_reader(source, tmp_path):
    state = small_folder(tmp_path / "state")
    with pytest.raises(Refusal, match=r"readonly"), JournalReader(state / JOURNAL_FILE).open() as db:
        db.rows("DELETE FROM decisions")
    assert Path(state / JOURNAL_FILE).exists()


def test_nothing_asked_for_is_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["explain", ""]) == 2
    assert "give a ticker" in capsys.readouterr().err
