"""The same answers from a journal in PostgreSQL as from one in a file."""

import pytest

from monitoring import journal_fills, journal_queries, journal_trades
from monitoring.explain import explain, source_of
from monitoring.journal_reader import JournalReader
from monitoring.metrics import Counts
from monitoring.own_shares import net_fills
from monitoring.state import JOURNAL_FILE
from tests.brokers.journal.postgres_server import PostgresServer, binaries
from tests.monitoring.journals import BEGIN, small_folder


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    programs = binaries()
    if programs is None:
        pytest.skip("needs a PostgreSQL server's programs (initdb, pg_ctl)")
    server = PostgresServer(programs)
    address = server.fresh()
    small_folder(tmp_path_factory.mktemp("server") / "state", address)
    state = small_folder(tmp_path_factory.mktemp("file") / "state")
    yield JournalReader(state / JOURNAL_FILE), JournalReader(address), state
    server.stop()


QUESTIONS = [
    lambda db: journal_queries.decisions(db),
    lambda db: [journal_queries.decisions(db, outcome=word, limit=5) for word in ("sent", "resized", "not sent")],
    lambda db: journal_queries.decisions(db, outcome="refused", module="sector_cap", since=BEGIN, limit=5),
    lambda db: journal_queries.decisions(db, symbol="AMD", before=3, until=BEGIN.replace(year=2030)),
    lambda db: journal_queries.decision(db, 2),
    lambda db: journal_queries.decisions_at(db, BEGIN.replace(hour=20)),
    lambda db: journal_queries.with_life(db, journal_queries.orders(db)),
    lambda db: journal_queries.orders(db, symbol="AMD", before=(BEGIN.replace(hour=20), "zz")),
    lambda db: journal_queries.family(db, "v-2"),
    lambda db: journal_queries.exits_of(db, "AMD", BEGIN),
    lambda db: journal_fills.fills(db, symbol="AMD", since=BEGIN),
    lambda db: journal_trades.trades(db),
    lambda db: journal_queries.equity(db),
    lambda db: journal_queries.equity(db, most=2),
    journal_queries.decided_symbols,
    net_fills,
]


@pytest.mark.parametrize("number", range(len(QUESTIONS)))
def test_both_databases_answer_alike(both, number):
    answers = []
    for reader in both[:2]:
        with reader.open() as db:
            answers.append(QUESTIONS[number](db))
    assert answers[0] == answers[1]
    assert answers[0]


def test_a_reader_of_the_server_cannot_write(both):
    from config.errors import Refusal

    with pytest.raises(Refusal, match="ReadOnlySqlTransaction"), both[1].open() as db:
        db.rows("DELETE FROM fills")


def test_explain_and_counts_alike(both):
    file, server, state = both
    answers = [explain(source_of(state, reader._url or reader._path), "AMD") for reader in (file, server)]
    assert answers[0] == answers[1]
    counted = []
    for reader in (file, server):
        counts = Counts()
        with reader.open() as db:
            counts.read(db)
            counts.read(db)
        counted.append((counts.refusals, counts.orders))
    assert counted[0] == counted[1]
    assert counted[0][0] == {"sector_cap": 1, "exposure_budget": 1, "my_rule": 1}
    assert file.mark() and server.mark()
