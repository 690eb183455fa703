"""What stops entries: each switch alone, what survives a restart, and what ends by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from brokers.desk.entry_halts import EntryHalts, KillLevel, KillSwitch
from brokers.journal import Journal
from config.errors import Refusal
from monitoring.state import FLATTEN_FILE, STOP_FILE
from tests.brokers.desk.scene import ACCOUNT, TUESDAY


@pytest.fixture
def switches(tmp_path):
    with Journal(tmp_path / "journal.sqlite", ACCOUNT, clock=lambda: TUESDAY) as journal:
        yield EntryHalts(journal, KillSwitch(tmp_path / "state"))


def test_nothing_is_wrong_at_first(switches):
    assert switches.reasons(TUESDAY) == []
    assert switches.kill.level is KillLevel.OFF


@pytest.mark.parametrize(
    ("level", "files"),
    [(KillLevel.STOP, {STOP_FILE}), (KillLevel.FLATTEN, {STOP_FILE, FLATTEN_FILE}), (KillLevel.OFF, set())],
)
@pytest.mark.parametrize("before", list(KillLevel))
def test_the_kill_switch_is_files_that_a_shell_can_make(switches, before, level, files):
    switches.kill.pull(before)
    switches.kill.pull(level)
    assert {path.name for path in switches.kill.folder.iterdir()} == files
    assert switches.kill.level is level
    assert switches.reasons(TUESDAY) == ([] if level is KillLevel.OFF else [f"kill switch: {level}"])


def test_flatten_by_hand_needs_no_stop_file(switches):
    switches.kill.folder.mkdir()
    (switches.kill.folder / FLATTEN_FILE).touch()
    assert switches.kill.level is KillLevel.FLATTEN


def test_a_crash_lasts_for_the_session_in_new_york(switches):
    switches.crashed(RuntimeError("boom"), TUESDAY)
    late = TUESDAY.replace(hour=23, minute=59)  # The next day in Europe, still Tuesday in New York.
    assert switches.reasons(late) == ["halted for this session by crash"]
    assert switches.reasons(TUESDAY + timedelta(days=1)) == []


def test_a_journal_that_cannot_be_used_stops_entries_until_it_can(switches):
    switches.crashed(Refusal("journal.sqlite: another program holds it"), TUESDAY)
    assert switches.reasons(TUESDAY) == ["the journal: journal.sqlite: another program holds it"]
    switches.looked()
    switches.looked()
    assert switches.reasons(TUESDAY) == []


@pytest.mark.parametrize("error", [Refusal("another program holds it"), RuntimeError("a surprise")])
def test_a_halt_that_cannot_be_written_down_is_written_later(switches, monkeypatch, error):
    def locked(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(switches.journal, "halt", locked)
        switches.crashed(RuntimeError("boom"), TUESDAY)
        # Asking writes nothing: it holds all the same.
        assert switches.reasons(TUESDAY) == ["halted for this session by crash"]
        assert switches.halted(TUESDAY) == {"crash"}
        assert switches.halted(TUESDAY + timedelta(days=1)) == frozenset()
        switches.looked()
        assert switches.reasons(TUESDAY) == [f"the journal: {error}", "halted for this session by crash"]
    assert switches.journal.halts(TUESDAY.date()) == frozenset()
    assert switches.halted(TUESDAY) == {"crash"}
    assert switches.journal.halts(TUESDAY.date()) == frozenset(), "a question writes nothing"
    switches.looked()
    switches.looked()
    assert switches.reasons(TUESDAY) == ["halted for this session by crash"]
    assert switches.journal.halts(TUESDAY.date()) == {"crash"}
    assert switches.reasons(TUESDAY + timedelta(days=1)) == []


def test_modules_speak_for_themselves(switches):
    switches.halt("daily_loss", TUESDAY, "-3%")
    assert switches.reasons(TUESDAY, frozenset({"daily_loss"})) == []
    assert switches.reasons(TUESDAY) == ["halted for this session by daily_loss"]
    assert switches.halted(TUESDAY) == {"daily_loss"}


def test_passing_reasons_end_by_themselves_and_changes_are_said_once(switches, caplog):
    switches.passing["venue"] = "timeout"
    switches.venue_gone = lambda: "circuit breaker open"
    for _ in range(3):
        assert switches.reasons(TUESDAY) == ["venue: timeout", "circuit breaker open"]
    switches.passing.clear()
    switches.venue_gone = lambda: ""
    assert switches.reasons(TUESDAY) == []
    assert [r.message.partition(";")[0] for r in caplog.records] == ["entries are stopped", "entries are allowed again"]


def test_what_the_journal_cannot_do_is_said_once_and_so_is_its_end(switches, caplog):
    """Looks in between need not write anything, and so say nothing of it."""
    for _ in range(5):
        switches.crashed(Refusal("another program holds it"), TUESDAY)
        switches.crashed(Refusal("another program holds it"), TUESDAY)
        switches.looked()
    assert caplog.text.count("no entries, and no stops either, while the journal cannot be used") == 1
    assert switches.reasons(TUESDAY) == ["the journal: another program holds it"]
    for _ in range(3):
        switches.looked()
    assert caplog.text.count("the journal can be used again") == 1
    assert switches.reasons(TUESDAY) == []


def test_what_fails_after_the_end_is_no_news(switches, caplog):
    switches.ended = True
    switches.crashed(Refusal("the journal is closed"), TUESDAY)
    switches.crashed(RuntimeError("a surprise"), TUESDAY)
    assert caplog.text == ""
    assert switches.reasons(TUESDAY) == []


@pytest.mark.parametrize(("name", "level"), [(STOP_FILE, KillLevel.STOP), (FLATTEN_FILE, KillLevel.FLATTEN)])
def test_a_link_that_leads_nowhere_or_round_counts_as_set(tmp_path, name, level):
    kill = KillSwitch(tmp_path)
    for target in ("nowhere", name):
        (tmp_path / name).symlink_to(target)
        assert kill.level is level
        kill.pull(level)
        assert kill.level is level
        kill.pull(KillLevel.OFF)
        assert kill.level is KillLevel.OFF and list(tmp_path.iterdir()) == []


def test_a_state_folder_that_is_gone_stops_entries(tmp_path):
    folder = tmp_path / "state"
    kill = KillSwitch(folder)
    assert kill.level is KillLevel.OFF
    folder.mkdir()
    assert kill.level is KillLevel.OFF
    folder.rename(tmp_path / "moved")
    assert kill.level is KillLevel.STOP
    (tmp_path / "moved").rename(folder)
    assert kill.level is KillLevel.OFF
