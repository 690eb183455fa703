from __future__ import annotations

import logging
import time
import traceback

import pytest

from brokers.alpaca.errors import AlpacaRefusal, BadKeys
from brokers.alpaca.responses import limit_of
from brokers.venue_errors import OutcomeUnknown, VenueError
from tests.brokers.alpaca.scripted import KEY, SECRET, answer, client_of, hang, hang_up, serving

ORDER = {"symbol": "SPY", "client_order_id": "name-1"}
CHANGES = [
    ("POST", lambda client: client.submit(ORDER)),
    ("PATCH", lambda client: client.replace("an-id", {"stop_price": "1"})),
]


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "message"),
    [
        (422, {"code": 40010001, "message": "client_order_id must be unique"}, AlpacaRefusal, 40010001, "unique"),
        (403, {"code": "40310000", "message": "insufficient qty"}, AlpacaRefusal, 40310000, "insufficient"),
        (403, {"existing_qty": "1", "message": "insufficient qty available"}, AlpacaRefusal, None, "insufficient"),
        (403, {"code": 40310000, "message": "forbidden"}, AlpacaRefusal, 40310000, "forbidden"),
        (403, {"message": "subscription does not permit querying recent SIP data"}, AlpacaRefusal, None, "SIP"),
        (403, {"message": "forbidden."}, BadKeys, None, "forbidden"),
        (401, {"code": 40110000, "message": "request is not authorized"}, BadKeys, 40110000, "authorized"),
        (401, "", BadKeys, None, "unauthorized"),
        (403, "<html>no</html>", BadKeys, None, "html"),
        (404, "gone", AlpacaRefusal, None, "gone"),
        (422, [1], AlpacaRefusal, None, ""),
        (400, {"code": True, "message": None}, AlpacaRefusal, None, ""),
    ],
)
def test_a_refusal_is_read(status, body, kind, code, message):
    with serving(answer(body, status)) as server:
        client = client_of(server.url)
        for ask in (client.account, lambda: client.submit(ORDER)):
            with pytest.raises(AlpacaRefusal) as error:
                ask()
            assert type(error.value) is kind
            assert (error.value.status, error.value.code) == (status, code)
            assert message in error.value.message
        assert client.breaker.failures == 0


@pytest.mark.parametrize(
    "script",
    [answer("", 504), answer({"message": f"access key {KEY} with {SECRET} not found"}, 401), hang_up, hang,
     answer("<html>"), answer({"message": SECRET}, 422), answer(SECRET, 404), answer("", 429)],
)  # fmt: skip
def test_keys_are_in_no_error_no_log_and_no_repr(script, caplog):
    caplog.set_level(logging.DEBUG)
    with serving(script) as server:
        client = client_of(server.url)
        lines = []
        client.trading.observers.append(lines.append)
        for ask in (client.account, lambda: client.submit(ORDER)):
            with pytest.raises(VenueError) as error:
                ask()
            held = error.value
            told = "".join(traceback.format_exception(held)) + repr(held) + repr(vars(held))
            assert held.__cause__ is held.__context__ is None
            assert SECRET not in told
            assert KEY not in told
        assert server.asked[0].headers["APCA-API-SECRET-KEY"] == SECRET
        seen = caplog.text + repr(lines) + repr(client) + repr(client.trading) + repr(client.bucket)
        assert SECRET not in seen
        assert KEY not in seen


@pytest.mark.parametrize("body", [None, [], "null", "3", {}, {"id": ""}])
@pytest.mark.parametrize(("method", "change"), CHANGES)
def test_an_answer_that_is_no_order_leaves_it_unknown(method, change, body):
    with serving(answer(body)) as server, pytest.raises(OutcomeUnknown):
        change(client_of(server.url))


@pytest.mark.parametrize(
    ("in_s", "seconds"), [(20, 20), (-90, 60), (86_400, 60)], ids=["right", "clock ahead", "clock behind"]
)
def test_the_venue_says_what_is_left_of_its_limit(in_s, seconds):
    headers = {
        "X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "30", "X-RateLimit-Reset": str(time.time() + in_s),
    }  # fmt: skip
    limit, left, resets = limit_of(headers)
    assert (limit, left, resets) == (200, 30, pytest.approx(seconds, abs=1))


@pytest.mark.parametrize("headers", [{}, {"X-RateLimit-Limit": "many"}, {"X-RateLimit-Limit": "200"}])
def test_a_venue_that_does_not_say_its_limit_is_no_error(headers):
    assert limit_of(headers) is None
