"""A message is delivered where its address says, or not at all; why not is told without the address."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from backtests.live.run_log import title_of
from brokers.notifications.failures import UNKNOWN, why
from brokers.notifications.targets import channels
from config.operating import operating

TOKEN = "t0ken-of-the-address"


class Receiver(BaseHTTPRequestHandler):
    """Answers with the status that the path names; a redirect leads to its own ``/200``."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.path)
        status = int(self.path.split("/")[1])
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/200/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815  # of the library

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def sent(address):
    (channel,) = channels(address, operating({}).notifications)
    return channel.send("title", "text", critical=True), channel.why


def at(receiver, path):
    return f"json://127.0.0.1:{receiver.server_port}/{path}"


def test_a_message_that_was_taken_has_no_reason(receiver):
    assert sent(at(receiver, "200")) == (True, "")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("asked", ["", "?redirect=yes"])
def test_a_redirect_is_not_followed_and_not_delivered(receiver, status, asked):
    done, reason = sent(at(receiver, f"{status}/{TOKEN}{asked}"))
    assert (done, reason) == (False, f"status {status}, a redirect, which is not followed")
    assert receiver.asked == [f"/{status}/{TOKEN}"], "the text goes nowhere else"


@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_refusal_is_told_by_its_status(receiver, status):
    assert sent(at(receiver, f"{status}/{TOKEN}")) == (False, f"status {status}")


def test_a_host_that_is_not_there_is_told_without_its_address(receiver):
    done, reason = sent(f"json://user:{TOKEN}@127.0.0.1:1/{TOKEN}")
    assert (done, reason) == (False, "the connection was refused")
    done, reason = sent(f"jsons://127.0.0.1:{receiver.server_port}/200/{TOKEN}")
    assert not done and "TLS" in reason and TOKEN not in reason


def test_what_a_service_says_is_never_repeated():
    assert why([f"it failed for {TOKEN}"]) == UNKNOWN
    assert why([f"Read timed out. https://host/{TOKEN}"]) == "no answer in time"


def test_two_traders_on_one_phone_are_told_apart():
    trader = SimpleNamespace(account_id="PA3ABCDE7KQ2", profile="active", mode="paper")
    assert title_of(trader) == "risk-first active paper …7KQ2"
    assert title_of(SimpleNamespace(account_id="", profile="", mode="live")) == "risk-first live"
