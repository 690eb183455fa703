"""An entry that the rules accepted and nobody sent: the journal keeps the reason, and ``explain`` tells it."""

from __future__ import annotations

import importlib.util
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from brokers.alpaca.errors import AlpacaRefusal
from brokers.desk.entry_halts import KillLevel
from brokers.journal import Journal
from brokers.operator.bundle import export, verify_bundle
from brokers.order_types import State
from brokers.venue_errors import VenueRefusal, VenueUnavailable
from commands.views.explain_screen import document, show
from config.errors import Refusal
from dashboard.log_pages import OUTCOMES
from monitoring import journal_queries
from monitoring.journal_reader import JournalReader
from risk.model import Decision, Plan, Verdict
from tests.brokers.desk.scene import ACCOUNT, Scene
from tests.brokers.journal.databases import execute, put
from tests.brokers.journal.told import told

TOOL = Path(__file__).parents[3] / "tools" / "verify_bundle.py"


def decide(scene: Scene, symbol: str = "AAPL", quantity: float = 50, **changes: float) -> None:
    """An iteration whose rules accept one entry."""
    scene.desk.reconcile()
    proposal, now = scene.proposal(symbol, quantity, **changes), scene.exchange.now
    decision = Decision(now, proposal, quantity, (Verdict("sector_cap", "OK", quantity, quantity),))
    scene.desk.execute(Plan(now, entries=(proposal,), decisions=(decision,)))


def latest(scene: Scene, symbol: str = "AAPL"):
    return told(scene.journal.name, symbol).stories[0].decision


def printed(scene: Scene, symbol: str = "AAPL") -> str:
    out = StringIO()
    show(Console(file=out, width=200), told(scene.journal.name, symbol), everything=False)
    return out.getvalue()


def test_an_entry_that_is_sent_stays_sent(scene):
    decide(scene)
    scene.settle(2)
    assert (latest(scene).outcome, latest(scene).final) == ("sent", 50)
    assert "after the rules, 50 became 49 at the quote " in printed(scene)


def test_what_the_gate_refuses_is_told_as_refused_by_it(scene):
    decide(scene, price=80.0)
    found = latest(scene)
    assert (found.outcome, found.proposed, found.final, found.bound_by) == ("refused", 50, 0, "policy_gate")
    assert found.verdicts[-1].code.startswith("GATE_COLLAR")
    text = printed(scene)
    assert "refused: buy 0 of 50" in text and "decided by policy_gate: " in text and "it would take: " in text
    assert document(told(scene.journal.name, "AAPL"))["stories"][0]["decision"]["outcome"] == "refused"


def refuses(name: str, when: str) -> None:
    if (name, when) == ("submit", "before"):
        raise AlpacaRefusal(403, 40310000, "insufficient buying power", {})


def test_what_stops_entries_and_what_the_venue_refuses_are_told_by_their_speakers(scene):
    scene.desk.halts.kill.pull(KillLevel.STOP)
    decide(scene)
    assert (latest(scene).bound_by, latest(scene).verdicts[-1].word) == ("desk", "DESK_STOPPED")
    scene.desk.halts.kill.pull(KillLevel.OFF)
    scene.step(60)
    scene.wire.mishap = refuses
    decide(scene, "MSFT")
    found = latest(scene, "MSFT")
    assert (found.outcome, found.bound_by) == ("refused", "venue")
    assert found.verdicts[-1].code.startswith("VENUE_REFUSED")
    # The order is in the journal before it is sent, and ended there.
    assert [order.state for order in told(scene.journal.name, "MSFT").orders] == [State.REJECTED]


@pytest.mark.parametrize("asked", ["quotes", "view"])
def test_a_venue_that_does_not_answer_ahead_of_the_orders_leaves_the_reason(scene, monkeypatch, asked):
    def silent(*args: object) -> None:
        raise VenueUnavailable("no answer")

    def decide_unanswered() -> None:
        scene.desk.reconcile()
        monkeypatch.setattr(*((scene.state, "quotes") if asked == "quotes" else (scene.desk, "work")), silent)
        proposal, now = scene.proposal("AAPL", 50), scene.exchange.now
        decision = Decision(now, proposal, 50, (Verdict("sector_cap", "OK", 50, 50),))
        scene.desk.execute(Plan(now, entries=(proposal,), decisions=(decision,)))

    with pytest.raises(VenueUnavailable):
        decide_unanswered()
    found = latest(scene)
    assert found.verdicts[-1].code == "NOT_SENT: no answer"
    assert [row.reason for row in scene.desk.entries.refusals.skipped] == ["NOT_SENT: no answer"]


def test_what_was_decided_while_the_trader_left_has_no_order_and_no_reason(scene):
    scene.desk.reconcile()
    scene.desk.shutting_down = True
    decide(scene)
    assert latest(scene).outcome == "not sent"
    assert "accepted by the rules, and there is no order of it" in printed(scene)


def test_an_outcome_that_is_asked_for_is_the_one_in_the_end(scene):
    decide(scene, price=80.0)
    scene.step(60)
    decide(scene, "MSFT")
    scene.step(60)
    scene.desk.shutting_down = True
    decide(scene, "NVDA")
    with JournalReader(scene.journal.name).open() as db:
        found = {outcome: journal_queries.decisions(db, outcome=outcome) for outcome in OUTCOMES}
    asked = {outcome: [d.symbol for d in some] for outcome, some in found.items()}
    assert asked == {"sent": ["MSFT"], "resized": [], "refused": ["AAPL"], "not sent": ["NVDA"]}
    assert all(d.outcome == outcome for outcome, some in found.items() for d in some), "as it is shown"


def test_nothing_is_kept_of_an_entry_of_which_an_order_went_through(scene):
    decide(scene)
    time = latest(scene).time
    scene.journal.not_sent("AAPL", time, "DESK_PENDING: an earlier order of it has no outcome yet")
    assert latest(scene).outcome == "sent"
    scene.journal.not_sent("MSFT", time, "GATE_CASH: the first")
    scene.journal.not_sent("MSFT", time, "GATE_CASH: a later one")
    with JournalReader(scene.journal.name).open() as db:
        assert [row["reason"] for row in db.rows("SELECT reason FROM not_sent")] == ["GATE_CASH: the first"]


def test_a_reason_that_cannot_be_kept_costs_the_entry_its_trace_and_nothing_else(scene, monkeypatch, caplog):
    def full(*args):
        raise Refusal("the disk is full")

    monkeypatch.setattr(scene.journal, "not_sent", full)
    decide(scene, price=80.0)
    assert "AAPL: why it was not entered is not kept, the disk is full" in caplog.text
    assert scene.desk.halts.stopped(scene.state.now) == []
    assert len(scene.desk.entries.refusals.skipped) == 1


def test_the_reasons_are_in_the_chain_and_in_what_is_exported(scene, tmp_path):
    decide(scene, price=80.0)
    name = scene.journal.name
    scene.stop()
    export(name, tmp_path / "bundle")
    assert '"table":"not_sent"' in (tmp_path / "bundle" / "rows.jsonl").read_text()
    verify_bundle(tmp_path / "bundle")
    spec = importlib.util.spec_from_file_location("verify_bundle", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.main([str(tmp_path / "bundle")]) == 0
    execute(name, "UPDATE not_sent SET reason = 'nothing'")
    with pytest.raises(Refusal, match="table not_sent"):
        Journal(name, ACCOUNT)


def test_a_journal_of_the_version_before_tells_what_it_knows(tmp_path):
    path = put(tmp_path / "state" / "journal.sqlite", 3)
    assert [story.decision.outcome for story in told(path, "AMD").stories] == ["resized"]
    with Journal(path, "test") as journal:
        sent = journal.filled_orders()[0].order
        journal.not_sent("TSLA", sent.decision_time + timedelta(minutes=1), "GATE_CASH: none")
    assert [story.decision.outcome for story in told(path, "AMD").stories] == ["resized"]


@pytest.mark.parametrize("asked", ["tick", "least"])
def test_a_symbol_that_the_venue_does_not_know_costs_no_later_entry_its_own(scene, monkeypatch, asked):
    rule = getattr(type(scene.state.rules), asked)

    def unknown(self, *given):
        if "AAPL" in given:
            raise VenueRefusal("the venue has no symbol AAPL")
        return rule(self, *given)

    monkeypatch.setattr(type(scene.state.rules), asked, lambda *given, **named: unknown(*given, *named.values()))
    scene.desk.reconcile()
    plan = [scene.proposal(symbol, 50) for symbol in ("AAPL", "MSFT")]
    now = scene.exchange.now
    decisions = tuple(Decision(now, entry, 50, (Verdict("sector_cap", "OK", 50, 50),)) for entry in plan)
    scene.desk.execute(Plan(now, entries=tuple(plan), decisions=decisions))
    assert [what["symbol"] for name, what in scene.wire.calls if name == "submit"] == ["MSFT"]
    assert latest(scene).outcome == "refused" and latest(scene, "MSFT").outcome == "sent"
    assert "VENUE_REFUSED: the venue has no symbol AAPL" in printed(scene)


def test_the_rest_of_an_entry_is_put_off_while_the_venue_does_not_tell_its_rules(scene, monkeypatch):
    scene.in_part("AAPL", 101.0, lambda: scene.enter("AAPL", 50))
    with monkeypatch.context() as patch:

        def silent(*given, **named):
            raise VenueUnavailable("no answer")

        patch.setattr(type(scene.state.rules), "least", silent)
        scene.step(1)
        for _ in range(12):
            scene.step(1)
        bought = scene.held()
        assert 0 < bought < 49 and "AAPL" in scene.desk.entries.tasks
    for _ in range(25):
        scene.step(2)
    assert scene.held() > bought and not scene.desk.entries.tasks
