from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote

import pytest

from brokers.alpaca.client import VenueClient, timeframe
from brokers.alpaca.errors import AlpacaRefusal
from brokers.alpaca.limits import SlidingWindowLimiter
from brokers.alpaca.pagination import LONGEST_SYMBOLS, PAGE
from brokers.network.clock import VenueClock
from brokers.venue_errors import NotSent, OutcomeUnknown, VenueUnavailable, level_of
from tests.brokers.alpaca.scripted import Asked, FakeClock, answer, client_of, computed, serving

T0 = datetime(2026, 9, 28, 14, 30, tzinfo=UTC)
MICRO = timedelta(microseconds=1)


def text(moment: datetime, nanoseconds: str = "") -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", f"{nanoseconds}Z")


def orders(times: list[datetime], created_later: timedelta = timedelta(0)) -> list[dict[str, str]]:
    return [
        {"id": f"o{i}", "submitted_at": text(at, "711"), "created_at": text(at + created_later, "711")}
        for i, at in enumerate(times)
    ]


def listing(rows: list[dict[str, str]], bound_by: str = "submitted_at"):
    """Lists like the venue: bounds exclude, the newest first unless asked otherwise."""

    def page(asked: Asked) -> list[dict[str, str]]:
        query = asked.query
        after, until = (datetime.fromisoformat(query[name]) if name in query else None for name in ("after", "until"))
        chosen = [
            row
            for row in rows
            if (after is None or datetime.fromisoformat(row[bound_by]) > after)
            and (until is None or datetime.fromisoformat(row[bound_by]) < until)
        ]
        chosen.sort(key=lambda row: (row[bound_by], row["id"]), reverse=query["direction"] == "desc")
        return chosen[: int(query["limit"])]

    return computed(page)


SHARED = [T0 + timedelta(seconds=i // 180) for i in range(1300)]
SPREAD = [T0 + timedelta(seconds=i) for i in range(1300)]


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1, 1300])
@pytest.mark.parametrize("times", [SHARED, SPREAD])
@pytest.mark.parametrize("bound_by", ["submitted_at", "created_at"])
def test_every_order_is_listed_once_in_order(count, times, bound_by):
    rows = orders(times[:count], created_later=timedelta(milliseconds=16))
    with serving(listing(rows, bound_by)) as server:
        client = client_of(server.url)
        ids = [row["id"] for row in client.open_orders()]
        assert len(ids) == len(set(ids)) == count
        found = client.orders_since(T0 - timedelta(days=1))
        assert len(found) == count
        assert [row["submitted_at"] for row in found] == sorted(row["submitted_at"] for row in rows)
        assert server.asked[0].query == {"status": "open", "nested": "true", "direction": "desc", "limit": "500"}
        assert server.asked[-1].query["status"] == "all"


def test_a_listing_that_cannot_be_read_to_its_end_is_no_listing():
    with serving(listing(orders([T0] * (PAGE + 1)))) as server:
        client = client_of(server.url)
        for ask in (client.open_orders, lambda: client.orders_since(T0 - MICRO)):
            with pytest.raises(VenueUnavailable):
                ask()


@pytest.mark.parametrize("row", [3, {"submitted_at": "x"}, {"id": "1"}, {"id": "1", "submitted_at": "2026-09-28"}])
def test_a_page_that_is_none(row):
    with serving(answer([row] * PAGE)) as server, pytest.raises(VenueUnavailable):
        client_of(server.url).open_orders()


@pytest.mark.parametrize("count", [1, 165, 166, 167, 400])
@pytest.mark.parametrize("counts_legs", [True, False])
def test_a_listing_of_brackets_goes_on_whether_legs_count_or_not(count, counts_legs):
    legs = [{"id": "leg"}, {"id": "leg"}]
    rows = [{**row, "legs": legs} for row in orders(SPREAD[:count])]

    def page(asked: Asked) -> list[dict[str, object]]:
        until = datetime.fromisoformat(asked.query.get("until", "9999-01-01T00:00:00+00:00"))
        chosen = [row for row in rows if datetime.fromisoformat(row["submitted_at"]) < until][::-1]
        # A row with its legs is shown whole or on the next page.
        return chosen[: PAGE // 3 if counts_legs else PAGE]

    with serving(computed(page)) as server:
        assert len(client_of(server.url).open_orders()) == count


def test_orders_since_begins_where_it_was_asked_to():
    with serving(listing(orders(SPREAD[:10]))) as server:
        ids = [row["id"] for row in client_of(server.url).orders_since(T0 + timedelta(seconds=6.5), nested=False)]
        assert ids == ["o7", "o8", "o9"]
        assert server.asked[0].query["nested"] == "false"
        with pytest.raises(ValueError, match="time zone"):
            client_of(server.url).orders_since(datetime(2026, 9, 28))  # noqa: DTZ001  # naive is the fault


def test_an_order_is_found_by_either_name():
    with serving(answer({"id": "1"}), answer({"id": "1"}), answer({"message": "not found"}, 404)) as server:
        client = client_of(server.url)
        assert client.order("1") == client.order_by_client_id("mine/1") == {"id": "1"}
        assert client.order_by_client_id("mine/1") is None
        assert client.asset("BRK/B") is None
        with pytest.raises(AlpacaRefusal) as error:
            client.order("1")
        assert error.value.status == 404
        assert [asked.path for asked in server.asked] == [
            "/v2/orders/1", *["/v2/orders:by_client_order_id"] * 2, "/v2/assets/BRK%2FB", "/v2/orders/1",
        ]  # fmt: skip
        assert server.asked[1].query == {"client_order_id": "mine/1"}


@pytest.mark.parametrize(
    "told", [{"id": "1"}, {"id": "1", "client_order_id": "new"}, {"id": "2", "client_order_id": "x"}]
)
def test_a_replace_that_is_answered_with_another_order_is_unknown(told):
    with serving(answer(told)) as server, pytest.raises(OutcomeUnknown, match="not of the one that was asked for"):
        client_of(server.url).replace("1", {"qty": "2", "client_order_id": "new"})


def test_changes_go_out_as_given():
    with serving(answer({"id": "1"}), answer({"id": "2"}), answer(status=204)) as server:
        client = client_of(server.url)
        assert client.submit({"symbol": "SPY", "qty": "1"}) == {"id": "1"}
        assert client.replace("1", {"qty": "2"}) == {"id": "2"}
        assert client.cancel("2") is None
        assert [(asked.method, asked.path, asked.body) for asked in server.asked] == [
            ("POST", "/v2/orders", {"symbol": "SPY", "qty": "1"}),
            ("PATCH", "/v2/orders/1", {"qty": "2"}),
            ("DELETE", "/v2/orders/2", None),
        ]


def test_a_cancel_without_an_id_does_not_cancel_everything():
    with serving(answer(status=204)) as server:
        with pytest.raises(ValueError, match="id"):
            client_of(server.url).cancel("")
        assert not server.asked


def test_the_clock_follows_the_venue():
    local = FakeClock(100.0)
    told = {
        "timestamp": "2026-09-28T10:30:00.123456789-04:00", "is_open": True,
        "next_open": "2026-09-29T09:30:00-04:00", "next_close": "2026-09-28T16:00:00-04:00",
    }  # fmt: skip
    with serving(answer(told), answer(told | {"is_open": "yes"}), answer(told | {"next_open": None})) as server:
        client = client_of(server.url, clock=VenueClock(monotonic=local))
        heard = client.venue_clock()
        assert heard.now == T0.replace(microsecond=123456)
        assert heard.next_close == T0.replace(hour=20, minute=0)
        local.now = 101.0
        assert client.clock.now() == heard.now + timedelta(seconds=1)
        for _ in range(2):
            with pytest.raises(VenueUnavailable):
                client.venue_clock()


def test_a_reading_of_the_clock_that_is_far_off_is_no_answer_until_it_is_said_again():
    local = FakeClock(100.0)
    told = {"is_open": True, "next_open": "2026-09-29T09:30:00-04:00", "next_close": "2026-09-28T16:00:00-04:00"}
    right, wrong = ({**told, "timestamp": f"2026-09-28T{hour}:30:00-04:00"} for hour in (10, 15))
    with serving(*map(answer, (right, wrong, right, wrong, wrong))) as server:
        client = client_of(server.url, clock=VenueClock(monotonic=local))
        assert client.venue_clock().now == T0
        for _ in range(2):
            with pytest.raises(VenueUnavailable, match="far from what it said before"):
                client.venue_clock()
            assert client.clock.now() == T0
            if _ == 0:
                client.venue_clock()
        assert client.venue_clock().now == T0 + timedelta(hours=5)


def test_a_night_left_out_is_in_doubt_once_and_a_clock_that_jumps_about_is_a_warning():
    told = {"is_open": True, "next_open": "2026-09-29T09:30:00-04:00", "next_close": "2026-09-28T16:00:00-04:00"}
    readings = [{**told, "timestamp": f"2026-09-28T{hour}:30:00-04:00"} for hour in (10, 15, 12)]
    with serving(*map(answer, readings)) as server:
        client = client_of(server.url, clock=VenueClock(monotonic=FakeClock(100.0)))
        client.venue_clock()
        levels = []
        for _ in range(2):
            with pytest.raises(VenueUnavailable) as raised:
                client.venue_clock()
            levels.append(level_of(raised.value))
    assert levels == [logging.INFO, logging.WARNING]


def test_the_rate_limit_counts_the_minutes_of_the_venue():
    assert client_of("http://127.0.0.1:9", clock=VenueClock(60.0)).bucket.window_s == 1.0


def bar(at: int) -> dict[str, object]:
    return {"t": f"2026-09-28T14:{at:02}:00Z", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "n": 1, "vw": 1}


def test_bars_come_in_one_request_for_all_and_pages_are_put_together():
    pages = {
        "": {"bars": {"AAPL": [bar(1), bar(2)]}, "next_page_token": "p2"},
        "p2": {"bars": {"AAPL": [bar(3)], "SPY": [bar(1)]}, "next_page_token": "p3"},
        "p3": {"bars": None, "next_page_token": None},
    }
    with serving(computed(lambda asked: pages[asked.query.get("page_token", "")])) as server:
        eastern = T0.astimezone(timezone(timedelta(hours=-4)))
        found = client_of(server.url, feed="sip").bars(["AAPL", "SPY", "AAPL"], 5, eastern, T0 + timedelta(hours=1))
        assert found == {"AAPL": [bar(1), bar(2), bar(3)], "SPY": [bar(1)]}
        assert server.asked[0].path == "/v2/stocks/bars"
        assert server.asked[0].query == {
            "symbols": "AAPL,SPY", "timeframe": "5Min", "start": "2026-09-28T14:30:00Z", "end": "2026-09-28T15:30:00Z",
            "limit": "10000", "adjustment": "all", "feed": "sip", "sort": "asc",
        }  # fmt: skip
        assert [asked.query.get("page_token") for asked in server.asked] == [None, "p2", "p3"]


def test_pages_that_came_are_kept_when_a_later_one_is_not_answered():
    pages = {
        "": {"bars": {"AAPL": [bar(1)]}, "next_page_token": "p2"},
        "p2": {"bars": {"AAPL": [bar(2)]}, "next_page_token": "p3"},
        "p3": {"bars": {"SPY": [bar(1)]}},
    }
    failing = [True]

    def script(handler) -> None:
        token = handler.asked.query.get("page_token", "")
        if token == "p3" and failing.pop():
            failing.append(False)
            answer({"message": "internal"}, 500)(handler)
        else:
            answer(pages[token])(handler)

    with serving(script) as server:
        client, end = client_of(server.url), T0 + timedelta(hours=1)
        with pytest.raises(VenueUnavailable):
            client.bars(["AAPL", "SPY"], 5, T0, end)
        assert client.bars(["AAPL", "SPY"], 5, T0, end) == {"AAPL": [bar(1), bar(2)], "SPY": [bar(1)]}
        assert [asked.query.get("page_token") for asked in server.asked] == [None, "p2", "p3", "p3"]
        # What is asked for in other words is read from the beginning.
        failing[:] = [True]
        with pytest.raises(VenueUnavailable):
            client.bars(["AAPL", "SPY"], 5, T0, end)
        client.bars(["AAPL", "SPY"], 5, T0, end + timedelta(hours=1))
        assert [asked.query.get("page_token") for asked in server.asked[4:]] == [None, "p2", "p3", None, "p2", "p3"]


def test_a_thousand_symbols_are_asked_for_in_addresses_that_a_server_takes():
    symbols, failing = [f"S{number:04d}" for number in range(1000)], [False, True, False]

    def script(handler) -> None:
        wanted = handler.asked.query["symbols"].split(",")
        if handler.asked.path.endswith("latest"):
            answer({"quotes": {symbol: {"ap": 1} for symbol in wanted}})(handler)
        elif failing.pop(0) if failing else False:
            answer({"message": "internal"}, 500)(handler)
        else:
            answer({"bars": {symbol: [bar(1)] for symbol in wanted}})(handler)

    with serving(script) as server:
        client, end = client_of(server.url), T0 + timedelta(hours=1)
        with pytest.raises(VenueUnavailable):
            client.bars(symbols, 5, T0, end)
        assert list(client.bars(symbols, 5, T0, end)) == symbols
        parts = [asked.query["symbols"].split(",") for asked in server.asked]
        assert parts[1] == parts[2], "what came is kept, and the part without an answer is asked for again"
        assert [s for part in (parts[0], *parts[2:]) for s in part] == symbols
        assert max(len(quote(",".join(part))) for part in parts) <= LONGEST_SYMBOLS
        assert len(client.latest_quotes(symbols)) == 1000


@pytest.mark.parametrize("body", [[], {"bars": []}, {"bars": {"SPY": {}}}, {"bars": {}, "next_page_token": "again"}])
def test_bars_that_are_none_are_unavailable(body):
    with serving(answer(body)) as server, pytest.raises(VenueUnavailable):
        client_of(server.url).bars(["SPY"], 5, T0)


def knowing(*known: str):
    """A venue that names the first symbol it doesn't know."""

    def script(handler) -> None:
        wanted = handler.asked.query["symbols"].split(",")
        bad = [symbol for symbol in wanted if symbol not in known]
        if bad:
            answer({"message": f"invalid symbol: {bad[0]}"}, 400)(handler)
        elif handler.asked.path.endswith("latest"):
            answer({"quotes": {symbol: {"ap": 1} for symbol in wanted}})(handler)
        else:
            answer({"bars": {symbol: [bar(1)] for symbol in wanted}, "next_page_token": None})(handler)

    return script


def test_an_unknown_symbol_is_left_out_and_remembered():
    with serving(knowing("SPY", "BRK.B")) as server:
        client = client_of(server.url)
        assert set(client.bars(["SPY", "XYZ", "BRK.B"], 1440, T0)) == {"SPY", "BRK.B"}
        assert len(server.asked) == 2
        assert client.unknown_symbols == {"XYZ"}
        assert client.latest_quotes(["XYZ", "SPY"]) == {"SPY": {"ap": 1}}
        assert len(server.asked) == 3
        assert client.latest_quotes(["XYZ"]) == client.bars(["XYZ"], 5, T0) == {}
        assert len(server.asked) == 3
        assert set(client.latest_quotes(["Q", "SPY", "W"])) == {"SPY"}
        assert client.unknown_symbols == {"XYZ", "Q", "W"}


@pytest.mark.parametrize("message", ["A start before the end is needed", "invalid symbol: QQQ", "invalid symbol", ""])
def test_a_refusal_about_something_else_stays_one(message):
    with serving(answer({"message": message}, 400)) as server:
        client = client_of(server.url)
        with pytest.raises(AlpacaRefusal):
            client.bars(["A", "SPY"], 5, T0)
        assert client.unknown_symbols == set()


@pytest.mark.parametrize("body", [{"quotes": []}, {"quotes": {"SPY": []}}, []])
def test_quotes_that_are_none_are_unavailable(body):
    with serving(answer(body)) as server, pytest.raises(VenueUnavailable):
        client_of(server.url).latest_quotes(["SPY"])


def test_lengths_of_bars_have_the_venue_s_names():
    assert [timeframe(minutes) for minutes in (1, 5, 59, 60, 240, 1440)] == [
        "1Min", "5Min", "59Min", "1Hour", "4Hour", "1Day",
    ]  # fmt: skip
    for minutes in (0, -60, 90, 1500, 2880):
        with pytest.raises(ValueError, match="no bars"):
            timeframe(minutes)


def test_both_clients_share_the_limits():
    now = FakeClock()
    with serving(answer({"id": "1"})) as server:
        client = client_of(server.url, bucket=SlidingWindowLimiter(limit=1, reserve=0, clock=now, sleep=now.sleep))
        client.account()
        with pytest.raises(NotSent):
            client.latest_quotes(["SPY"])


def test_the_usual_addresses_are_alpaca_s():
    def bases(paper: bool) -> list[str]:
        client = VenueClient("K", "S", paper=paper)
        return [client.trading._base_url, client.data._base_url]

    assert bases(True) == ["https://paper-api.alpaca.markets", "https://data.alpaca.markets"]
    assert bases(False) == ["https://api.alpaca.markets", "https://data.alpaca.markets"]
