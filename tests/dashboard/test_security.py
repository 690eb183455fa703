"""A hostile browser, and whoever else can reach this machine's ports."""

from __future__ import annotations

import contextlib
import random
import socket
import sqlite3
import string
import subprocess
import sys

import pytest

from config.errors import Refusal
from dashboard.security import is_loopback
from dashboard.server import listening
from dashboard.settings import PageSettings
from monitoring.state import JOURNAL_FILE, STATE_FILE, HaltState, write_state
from tests.dashboard.serving import TOKEN, served
from tests.monitoring.journals import ACCOUNT, HOSTILE, small_folder, trader_state

PAGES = (
    "/", "/symbols", "/symbol/AMD", "/symbol/ODD", "/decisions", "/decision/1", "/decision/4", "/orders", "/reports",
    "/equity.json", "/candles/AMD", "/metrics",
)  # fmt: skip
TOKENED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("path", [*PAGES, "/static/page.js", "/beats", "/nothing"])
def test_without_the_token_there_is_nothing(page, path):
    answer = page.ask("GET", path)
    assert answer.status == 401
    assert "risk" not in answer.text and "AMD" not in answer.text
    for wrong in ("", "x", TOKEN[:-1], TOKEN + "x", "\xff"):
        assert page.ask("GET", path, {"Authorization": f"Bearer {wrong}"}).status == 401
        assert page.ask("GET", path, {"Cookie": f"risk_first_{page.port}={wrong}"}).status in (400, 401)


def test_whether_the_page_is_up_is_told_without_the_token_and_to_this_machine_alone(page):
    answer = page.ask("GET", "/healthz")
    assert (answer.status, answer.text, answer.headers["Cache-Control"]) == (200, "ok\n", "no-store")
    assert page.ask("HEAD", "/healthz").status == 200
    assert page.ask("POST", "/healthz").status == 405
    assert page.ask("GET", "/healthz", {"Host": "evil.example"}).status == 403
    assert page.ask("GET", "/healthz", {"Sec-Fetch-Site": "cross-site"}).status == 403
    assert page.ask("GET", "/healthz/x").status == 401


def test_the_token_in_the_address_becomes_a_cookie_that_scripts_cannot_read(page):
    answer = page.ask("GET", f"/decisions?token={TOKEN}&outcome=sent")
    assert (answer.status, answer.headers["Location"]) == (303, "/decisions")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert page.ask("GET", "/", {"Cookie": cookie.partition(";")[0]}).status == 200
    # A redirect never leaves this page, whatever the path looks like.
    assert page.ask("GET", f"//evil.example/?token={TOKEN}").headers.get("Location", "/").startswith("//") is False


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "localhost.evil.example", "127.0.0.1:1",
     "", "a b",
     "localhost@evil.example:{port}", "user@127.0.0.1:{port}", "[::1",
     "127.0.0.1:{port}@evil.example", "0.0.0.0:{port}"],
)  # fmt: skip
def test_a_name_that_was_pointed_here_is_refused(page, host):
    answer = page.ask("GET", "/", {**TOKENED, "Host": host.format(port=page.port)})
    assert answer.status in (400, 403)
    assert "AMD" not in answer.text


def test_the_names_of_this_machine_are_heard(page):
    for host in ("127.0.0.1", "localhost", "[::1]", "LOCALHOST"):
        assert page.ask("GET", "/", {**TOKENED, "Host": f"{host}:{page.port}"}).status == 200


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://evil.example"},
     {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}, {"Origin": "https://127.0.0.1:{port}"}],
)  # fmt: skip
def test_another_site_is_refused_even_with_the_token(page, headers):
    told = {name: value.format(port=page.port) for name, value in headers.items()}
    assert page.ask("GET", "/", {**TOKENED, **told}).status == 403
    assert page.get("/", Origin=f"http://127.0.0.1:{page.port}").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_nothing_but_reading(page, method):
    for path in ("/", "/decision/1", "/nothing"):
        assert page.ask(method, path, TOKENED).status in (400, 403, 404, 405)


@pytest.mark.parametrize(
    "path",
    ["/static/../__init__.py", "/static/..%2f__init__.py", "/static/%2e%2e/server.py", "/static//etc/passwd",
     "/report/../outside.html", "/report/..%2foutside.html", "/report/%2e%2e%2foutside.html", "/report//etc/passwd",
     "/report/backtest-active-2013-01-02/../../outside.html", "/report/backtest-active-2013-01-02/link.html",
     "/report/backtest-active-2013-01-02/state/journal.html", "/report/backtest-active-2013-01-02",
     "/report/%00", "/report/a%00.html", "/symbol/../etc", "/symbol/%3Cscript%3E", "/symbol/amd", "/decision/-1",
     "/decision/9999999999999999999999", "/decision/1e3", "/order/%00", "/candles/..", "/decision/٣"],
)  # fmt: skip
def test_no_way_out_of_the_folders_and_no_odd_names(page, path):
    answer = page.get(path.encode("ascii", "ignore").decode() if not path.isascii() else path)
    assert answer.status in (400, 404)
    assert (
        "outside of the runs" not in answer.text
        and "root:" not in answer.text
        and "rehearsal's state" not in answer.text
    )


def test_every_answer_says_what_a_browser_may_do_with_it(page):
    for path in (*PAGES, "/static/page.js", "/nothing"):
        headers = page.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY" and headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        if not path.startswith("/static"):
            assert headers["Cache-Control"] == "no-store"


def test_a_report_is_shown_and_nothing_in_it_runs(page):
    answer = page.get("/report/backtest-active-2013-01-02/report.html")
    assert answer.status == 200 and "a report" in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("sandbox allow-same-origin; default-src 'none'")


def test_words_from_outside_stay_words(page):
    found = 0
    for path in PAGES:
        text = page.get(path).text
        assert HOSTILE not in text and "<img" not in text
        found += "&lt;img src=x" in text
    assert found >= 3


def test_the_account_and_the_token_are_on_no_page(page):
    for path in PAGES:
        text = page.get(path).text
        assert ACCOUNT not in text and TOKEN not in text


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_garbage_requests_leave_it_as_it_was(page, count):
    rng = random.Random(7)
    letters = string.printable + "\x00\xff\r\n"
    heads = [b"GET / HTTP/1.1\r\n", b"GET /%s HTTP/1.1\r\n", b"\x16\x03\x01", b"GET / HTTP/9.9\r\n", b"A" * 20_000, b""]
    sent = 0
    for k in range(count):
        junk = "".join(rng.choices(letters, k=rng.randrange(0, 120))).encode("latin-1", "replace")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", page.port), timeout=10) as line:
            line.sendall(heads[k % len(heads)] + junk + b"\r\n\r\n")
            sent += 1
    assert sent > 0.9 * count
    assert page.get("/").status == 200
    assert page.ask("GET", "/").status == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.com", "10.0.0.1"])
def test_it_listens_on_this_machine_alone(host):
    assert not is_loopback(host)
    with pytest.raises(Refusal, match="for this machine alone"):
        listening(PageSettings(journal="j", state_dir="s", runs="r", token=TOKEN, host=host, port=0))


def test_a_taken_port_is_refused_in_a_sentence(page):
    with pytest.raises(Refusal, match="give another, or 0"):
        listening(PageSettings(journal="j", state_dir="s", runs="r", token=TOKEN, port=page.port))


def test_planted_secrets_are_on_no_page(tmp_path):
    """Keys in every place that words of others reach: reasons of orders, events, halts, codes, the state file."""
    state = small_folder(tmp_path / "state")
    planted = "PKPLANTED00000000000", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12", "hunter2secret"
    words = f"refused {planted[0]} {planted[1]} postgresql://a:{planted[2]}@h/d secret={planted[2]}"
    with sqlite3.connect(state / JOURNAL_FILE) as db:
        for table, column in (("orders", "reason"), ("order_events", "reason"), ("halts", "reason"),
                              ("decisions", "reason"), ("verdicts", "code")):  # fmt: skip
            db.execute(f"UPDATE {table} SET {column} = ?", (words,))
    write_state(state / STATE_FILE, trader_state(stopped_by=(words,), halts=(HaltState("x", words),)))
    seen = 0
    with served(state, tmp_path) as page:
        for path in (*PAGES, "/scoreboard", "/order/leg-1", "/decision/2/remedy"):
            text = page.get(path).text
            assert not any(word in text for word in planted), path
            seen += "********" in text
    assert seen >= 6
    journal = str(state / JOURNAL_FILE)
    for wanted in ("AMD", "MARA", "leg-1"):
        for more in (["--all"], ["--json"]):
            done = subprocess.run(
                [sys.executable, "-m", "commands", "explain", wanted, "--journal", journal, *more],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert not any(word in done.stdout + done.stderr for word in planted)
            assert "********" in done.stdout


def test_twenty_readers_at_once_are_served(page):
    with contextlib.ExitStack() as open_lines:
        for _ in range(20):
            line = open_lines.enter_context(socket.create_connection(("127.0.0.1", page.port), timeout=20))
            line.sendall(
                f"GET /beats HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
            )
            assert b"200 OK" in line.recv(4096)
        assert page.get("/").status == 200
