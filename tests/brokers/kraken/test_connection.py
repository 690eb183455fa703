"""The nonce, the rate model, names, and what the transport makes of answers."""

from __future__ import annotations

import errno
import threading
import uuid
from decimal import Decimal
from types import SimpleNamespace

import pytest

from brokers.desk.execution.order_requests import single
from brokers.kraken.answers.names import Names, uuid_of
from brokers.kraken.connection.errors import error_of, lost, pause_of
from brokers.kraken.connection.nonce import Nonce
from brokers.kraken.connection.rates import COMMAND, ITERATION, LOOK, TIERS, Counter, RateModel, Work, cost_of, penalty
from brokers.kraken.connection.shared_counter import TRADER_S, SharedCounter
from brokers.operator.account import silent, soonest
from brokers.order_types import VenueReason
from brokers.venue_errors import (
    AnswerUnreadable,
    LockedOut,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    VenueRefusal,
    told_silence,
)
from config.errors import Refusal
from tests.brokers.kraken.scripted import body, scripted


def test_a_nonce_grows_across_threads_restarts_and_a_clock_put_back(tmp_path):
    time = [1_000_000]
    first = Nonce(tmp_path / "nonce", lambda: time[0])
    taken: list[int] = []
    threads = [threading.Thread(target=lambda: taken.extend(first.take() for _ in range(50))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == 200
    time[0] = 500
    second = Nonce(tmp_path / "nonce", lambda: time[0])
    assert second.take() > max(taken)


def test_two_processes_that_share_the_file_never_take_the_same(tmp_path):
    one, other = Nonce(tmp_path / "nonce"), Nonce(tmp_path / "nonce")
    taken = [nonce.take() for _ in range(100) for nonce in (one, other)]
    assert taken == sorted(set(taken))


def refused_nonces(count):
    """Answers of which the first so many refuse the nonce."""
    left = [count]

    def answer(fields):
        left[0] -= 1
        return ["EAPI:Invalid nonce"] if left[0] >= 0 else body("POST /0/private/OpenOrders")["result"]

    return answer


def test_a_request_that_another_process_has_overtaken_is_sent_once_more(tmp_path):
    venue, rest, _ = scripted(tmp_path, {"OpenOrders": refused_nonces(1)})
    venue.client.open_orders()
    assert rest.count("OpenOrders") == 2 and rest.rates.rest.level == pytest.approx(2, abs=0.1), "Kraken counts both"


def test_an_order_that_another_process_has_overtaken_is_placed_once(tmp_path):
    answers = [["EAPI:Invalid nonce"], {"txid": ["OAAAAA-BBBBB-CCCCCC"], "descr": {}}]
    venue, rest, admission = scripted(tmp_path, {"AddOrder": lambda fields: answers.pop(0)})
    with admission.sending("name", urgent=False):
        ack = venue.submit(single("BTC/USD", "buy", Decimal("0.001"), 90_000.0), "name", opens=True)
    assert ack.id == "OAAAAA-BBBBB-CCCCCC" and rest.count("AddOrder") == 2


def test_numbers_that_are_too_small_for_good_are_not_sent_twice_each(tmp_path):
    venue, rest, _ = scripted(tmp_path, {"OpenOrders": refused_nonces(4)})
    for asked in (2, 3, 4):
        with pytest.raises(NotSent, match="Invalid nonce"):
            venue.client.open_orders()
        assert rest.count("OpenOrders") == asked
    venue.client.open_orders()
    rest.answers["OpenOrders"] = refused_nonces(1)
    venue.client.open_orders()
    assert rest.count("OpenOrders") == 7, "after an answer a race is taken for one again"


@pytest.mark.parametrize("text", ["abc", "9" * 30])
def test_a_file_that_holds_no_nonce_is_refused(tmp_path, text):
    (tmp_path / "nonce").write_text(text)
    with pytest.raises(Refusal, match="no nonce"):
        Nonce(tmp_path / "nonce")


def test_order_work_counts_as_kraken_s_table_has_it():
    assert [penalty(Work.CANCEL, age) for age in (0, 5, 10, 15, 45, 90, 300)] == [8, 6, 5, 4, 2, 1, 0]
    assert [penalty(Work.AMEND, age) for age in (0, 5, 10, 15, 45)] == [4, 3, 2, 1, 1]
    assert penalty(Work.ADD, 0) == 1
    assert [cost_of(e) for e in ("TradesHistory", "OpenOrders", "AddOrder", "CancelOrder")] == [2, 1, 0, 0]


def test_the_request_counter_lets_no_more_through_than_the_tier_allows():
    now = [0.0]
    rates = RateModel(TIERS["starter"], reserve=4, clock=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s))
    passed = sum(rates.take("OpenOrders", 0, urgent=False) for _ in range(30))
    assert passed == 11, "four are kept for what is urgent"
    assert sum(rates.take("QueryOrders", 0, urgent=True) for _ in range(10)) == 4
    assert not rates.room(1)
    began = now[0]
    assert rates.take("OpenOrders", 60, urgent=False)
    assert now[0] - began == pytest.approx(5 / 0.33, abs=0.2), "it waits until the counter has fallen"
    assert rates.peaks[0] <= 15


def test_the_engine_s_counter_is_kept_per_pair_and_by_age():
    now = [0.0]
    rates = RateModel(TIERS["starter"], clock=lambda: now[0])
    for n in range(6):
        assert rates.work("XXBTZUSD", Work.ADD, "", urgent=True)
        rates.born(f"o{n}")
        assert rates.work("XXBTZUSD", Work.CANCEL, f"o{n}", urgent=True)
    assert rates.engines["XXBTZUSD"].now(now[0]) == 54, "add and cancel within five seconds are nine"
    assert not rates.work("XXBTZUSD", Work.CANCEL, "young", urgent=True)
    assert rates.work("XETHZUSD", Work.ADD, "", urgent=False), "another pair has a counter of its own"
    rates.born("old", age_s=301)
    assert rates.work("XXBTZUSD", Work.CANCEL, "old", urgent=True), "an old order costs nothing to cancel"


def test_a_counter_falls_with_time():
    counter = Counter(15, 0.33)
    counter.add(15, 0)
    assert counter.wait(1, 0, 0) == pytest.approx(1 / 0.33)
    assert counter.now(10) == pytest.approx(11.7)


def test_names_are_uuids_that_follow_from_ours():
    names = Names()
    assert uuid_of("a") == uuid_of("a") != uuid_of("b")
    names.tell(["a"])
    assert names.of(uuid_of("a").upper()) == "a"
    assert names.of("6d1b345e-2821-40e2-ad83-4ecb18a06878") == "6d1b345e-2821-40e2-ad83-4ecb18a06878"


def test_funds_mean_coins_that_something_holds_only_for_a_sale():
    sale, purchase = (error_of(["EOrder:Insufficient funds"], changes=True, sells=sells) for sells in (True, False))
    assert isinstance(sale, VenueRefusal) and sale.reason is VenueReason.SHARES_HELD
    assert isinstance(purchase, VenueRefusal) and purchase.reason is VenueReason.OTHER
    assert error_of(["WAPI:a warning"], changes=True) is None


def test_after_too_much_nothing_is_sent_for_a_moment():
    assert pause_of("EAPI:Rate limit exceeded") == 5
    assert pause_of("EOrder:Insufficient funds") == 0


def shared(path, now, trades=True):
    counter = SharedCounter(15, 0.33, at=now[0], path=path, wall=lambda: 1_000_000 + now[0], trades=trades)
    sleep = lambda s: now.__setitem__(0, now[0] + s)  # noqa: E731  # a clock of one line
    return RateModel(TIERS["starter"], reserve=4, clock=lambda: now[0], sleep=sleep, counter=counter)


def test_what_processes_of_a_key_ask_is_counted_together(tmp_path):
    now = [0.0]
    trader, command = (shared(tmp_path / "kraken.requests", now) for _ in range(2))
    assert sum(trader.take("OpenOrders", 0, urgent=False) for _ in range(30)) == 11
    assert not command.room(1) and not command.take("OpenOrders", 0, urgent=False)
    assert command.wait_s("OpenOrders") == pytest.approx(1 / 0.33, abs=0.01)
    assert command.take("OpenOrders", 60, urgent=False), "it waits for room, as the trader would"
    assert not trader.room(1), "and the trader knows of it"
    now[0] += 100
    assert shared(tmp_path / "kraken.requests", now).spent == "0.0 of 15 counted"


def test_commands_take_what_a_trader_beside_them_leaves_over(tmp_path):
    now, path = [0.0], tmp_path / "kraken.requests"
    trader, command = shared(path, now), shared(path, now, trades=False)
    assert trader.take("OpenOrders", 0, urgent=False)
    taken = sum(command.take("OpenOrders", 0, urgent=urgent) for urgent in [False, True] * 10)
    assert taken == COMMAND, "what the trader counted is in it, and nothing of a command's is urgent"
    assert trader.room(ITERATION + LOOK), "the trader's next look and iteration wait for nothing"
    assert command.wait_s("OpenOrders", urgent=True) == pytest.approx(3 / 0.33, abs=0.01), "for all of it, anew"
    assert shared(path, now, trades=False).wait_s("OpenOrders") > 0, "the next command knows of both"


def test_a_command_asks_nothing_before_there_is_room_for_all_of_it_and_tells_when_that_is(tmp_path):
    now, path = [0.0], tmp_path / "kraken.requests"
    trader, command = shared(path, now), shared(path, now, trades=False)
    for _ in range(4):
        assert trader.take("OpenOrders", 0, urgent=False)
    assert not command.take("BalanceEx", 0, urgent=False) and trader.spent == "4.0 of 15 counted"
    now[0] += command.wait_s("BalanceEx") + 0.001
    again = shared(path, now, trades=False)
    assert again.take("BalanceEx", 0, urgent=False)
    for _ in range(ITERATION):
        assert trader.take("OpenOrders", 0, urgent=False)
    asked = [again.take("BalanceEx", 0, urgent=False) for _ in range(COMMAND)]
    assert asked == [True] * (COMMAND - 1) + [False], "what it has begun it ends, whatever the trader asks meanwhile"


def test_a_command_alone_has_all_of_the_counter(tmp_path):
    now, path = [0.0], tmp_path / "kraken.requests"
    assert sum(shared(path, now, trades=False).take("OpenOrders", 0, urgent=False) for _ in range(30)) == 11
    shared(path, now).take("OpenOrders", 60, urgent=False)
    now[0] += TRADER_S + 1
    assert sum(shared(path, now, trades=False).take("OpenOrders", 0, urgent=False) for _ in range(30)) == 11


def test_what_kraken_found_too_much_is_too_much_for_all(tmp_path):
    now = [0.0]
    trader, command = (shared(tmp_path / "kraken.requests", now) for _ in range(2))
    command.full(5)
    assert trader.spent == "15.0 of 15 counted"


@pytest.mark.parametrize("text", ["", "{", "[]", "[1]", '["a", 1]', "[NaN, 1]", "[1e9, 1e6]", "[1, 1e6, NaN]"])
def test_a_damaged_counter_stops_nobody_for_long(tmp_path, text):
    path, now = tmp_path / "kraken.requests", [0.0]
    path.write_text(text)
    assert shared(path, now).take("OpenOrders", 60, urgent=False)


def test_a_counter_that_cannot_be_written_counts_here_alone(tmp_path):
    now = [0.0]
    rates = shared(tmp_path / "no folder" / "kraken.requests", now)
    assert sum(rates.take("OpenOrders", 0, urgent=False) for _ in range(30)) == 11


def test_a_counter_that_cannot_be_locked_counts_here_alone(tmp_path, monkeypatch):
    files = set()

    def no_locks(file, kind):
        files.add(file)
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("brokers.kraken.connection.shared_counter.fcntl.flock", no_locks)
    rates = shared(tmp_path / "kraken.requests", [0.0])
    assert sum(rates.take("OpenOrders", 0, urgent=False) for _ in range(30)) == 11
    assert len(files) == 1, "the file is closed each time"


def test_a_command_without_room_says_when_there_is_some():
    venue = SimpleNamespace(address="http://127.0.0.1:9")
    said = str(silent(venue, RateLimited("EAPI:Rate limit exceeded", 14.2)))
    assert "spent by the trader or by other commands (EAPI:Rate limit exceeded); try again in 15 s" in said
    assert "does not answer" not in said
    said = str(silent(venue, LockedOut("locked out by Kraken until 12:15; nothing is looked at")))
    assert said.endswith(": locked out by Kraken until 12:15; nothing is looked at; try again then")


def test_an_answer_that_is_cut_off_is_not_called_silence():
    error = lost(200, changes=False)
    assert isinstance(error, AnswerUnreadable)
    assert told_silence(error) == "the venue answered 200, and its answer could not be read"
    assert isinstance(lost(200, changes=True), OutcomeUnknown)
    assert told_silence(lost(502, changes=False)) == "the venue does not answer (the venue answered 502)"
    for text in ("EAPI:Invalid nonce", "EService:Unavailable", "EGeneral:Invalid arguments"):
        answer = error_of([text], changes=False)
        assert answer is not None and told_silence(answer) == f"the venue does not take the request ({text})"
    spent = RateLimited("own rate limit: 11.0 of 15 counted", 4.2)
    assert told_silence(spent).startswith("the rate limit leaves no room to ask the venue (own rate limit")
    assert soonest(spent) == "in 5 s at the earliest, as the trader goes first"


def test_ids_of_our_form_that_no_journal_here_knows_are_another_trader_s():
    names = Names()
    assert names.foreign(uuid_of("theirs"))
    names.tell(["theirs"])
    assert not names.foreign(uuid_of("theirs"))
    assert not any(map(names.foreign, ("", "OAAAAA-BBBBB-CCCCCC", str(uuid.uuid4()))))


def test_too_much_work_in_one_pair_holds_back_that_pair_alone(tmp_path):
    venue, rest, admission = scripted(tmp_path, {"AddOrder": ["EOrder:Rate limit exceeded"]})
    now = [100.0]
    rest.rates.clock, rest.rates.rest.at = (lambda: now[0]), now[0]

    def buys(symbol: str, name: str) -> None:
        with admission.sending(name, urgent=True):
            venue.submit(single(symbol, "buy", Decimal("0.1"), 2_000.0), name, opens=True)

    with pytest.raises(RateLimited, match="XXBTZUSD: EOrder:Rate limit exceeded") as refused:
        buys("BTC/USD", "first")
    assert 5 < refused.value.wait_s < 7, "each refused request counts: the limit gets time to forget"
    assert rest.rates.rest.level <= 1, "Kraken counts requests apart from order work"
    rest.answers["AddOrder"] = {"txid": ["OAAAAA-BBBBB-CCCCCC"], "descr": {}}
    buys("ETH/USD", "second")
    venue.client.open_orders()
    with pytest.raises(NotSent, match="no room for more order work in XXBTZUSD"):
        buys("BTC/USD", "third")
    assert rest.count("AddOrder") == 2
    now[0] += refused.value.wait_s
    buys("BTC/USD", "fourth")
    assert rest.count("AddOrder") == 3
