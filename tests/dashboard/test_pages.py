import json
import re
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest

from config.values.markets import NEW_YORK_ZONE
from dashboard.server import STATIC
from dashboard.workers import environment
from monitoring.order_tries import folded
from monitoring.rows import OrderRow
from monitoring.state import STATE_FILE, DifferenceState, read_state, write_state
from tests.dashboard.serving import TOKEN, served
from tests.monitoring.journals import BEGIN, HALTED, STREAM_DOWN, large_journal, small_folder, trader_state


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_landing_page_shows_what_is_held_lost_and_left(page):
    said = text_of(page.get("/").text)
    lost = "Lost if all stops fire 325.00 0.31%; 1,848 USD have no stop"
    for words in ("105,000.00", lost, "10,500", "AMD", "161.50", "195.50", "50 of 61", "Unprotected AMD for 3 s",
                  "lost since the session&#39;s opening", "deployed and still held"):  # fmt: skip
        assert words in said, words
    assert "Running" in said and "profile active: NO EDGE FOUND; " in said


def test_shares_that_are_not_counted_yet_are_on_the_page(tmp_path):
    state = small_folder(tmp_path / "state")
    more = (DifferenceState("AAPL", 5.0, datetime(2013, 1, 2, 15, 31, 20, tzinfo=UTC)),)
    write_state(state / STATE_FILE, trader_state(differences=more, positions=(), unprotected={}))
    with served(state, tmp_path) as page:
        said = text_of(page.get("/").text)
    assert "Difference AAPL: 5 shares more at the broker than in the books since 10:31:20, not yet counted" in said
    assert "no position in the books" in said


def test_what_a_limit_uses_is_a_bar_that_a_screen_reader_tells(page):
    html = page.get("/").text
    assert 'value="0.5061904761904762"' not in html or "50% used" in html
    label = re.escape("exposure_budget, deployed today (closed included) : 49% used")
    assert re.search(rf'<progress max="1" value="[0-9.]+" aria-label="{label}"', html)


def test_a_symbol_that_nothing_was_proposed_for_says_what_it_needs(page):
    assert "RSI(14) 47.2, needs below 30" in page.get("/symbols").text
    said = text_of(page.get("/symbol/PLTR").text)
    assert "RSI(14) 47.2, needs below 30" in said and "At most 410 may be bought now, bound by equity_sizer" in said


def test_a_symbol_has_its_bars_its_dated_levels_and_its_fills(page):
    found = json.loads(page.get("/candles/AMD").text)
    assert len(found["bars"]) == 100 and found["minutes"] == 5
    kinds = [(line["kind"], line["points"][0]["value"], line["works"]) for line in found["lines"]]
    assert ("stop", 161.5, True) in kinds and ("target", 195.5, False) in kinds
    (fill,) = found["fills"]
    assert (fill["side"], fill["text"]) == ("buy", "entry 61 @ 170.01")
    times = [bar["time"] for bar in found["bars"]]
    assert times == sorted(set(times)) and fill["time"] in times
    # Times are written as New York's clock shows them: 15:30 UTC in March is 10:30.
    assert datetime.fromtimestamp(fill["time"], UTC).strftime("%H:%M") == "10:30"


def test_the_log_filters_and_leads_to_the_whole_chain(page):
    assert page.get("/decisions").text.count('href="/decision/') == 4
    assert page.get("/decisions?outcome=refused").text.count('href="/decision/') == 3
    assert page.get("/decisions?module=sector_cap").text.count('href="/decision/') == 1
    assert page.get("/decisions?symbol=amd&day=2024-03-04").text.count('href="/decision/') == 1
    assert page.get("/decisions?day=2024-03-05").text.count('href="/decision/') == 0
    assert page.get("/decisions?outcome=other&day=never&before=x").text.count('href="/decision/') == 4
    chain = text_of(page.get("/decision/1").text)
    for words in ("equity_sizer", "300 → 61", "cash_buffer", "by_notional 61", "Decided by equity_sizer: notional"):
        assert words in chain


@pytest.mark.parametrize("digits", ["9" * 16, "9" * 20, "0" * 20 + "9" * 20, "0" * 20 + "1" * 4400])
def test_a_number_that_no_row_has_is_passed_over(page, digits):
    assert page.get(f"/decisions?before={digits}").text.count('href="/decision/') == 4
    assert page.get(f"/decision/{digits}").status == page.get(f"/decision/{digits}/remedy").status == 404


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-12:00", "2024-03-04", "x"])
def test_a_time_that_no_order_has_is_passed_over(page, when):
    assert page.get(f"/orders?before={when}|x").text == page.get("/orders").text


@pytest.mark.parametrize("path", ["/decisions?module=%00", "/decisions?symbol=A%00", "/orders?before=2024|%00"])
def test_text_that_no_database_takes_is_refused(page, path):
    assert page.get(path).status == 400


def test_the_remedy_is_the_rules_own(page):
    found = json.loads(page.get("/decision/2/remedy").text)
    assert found == {
        "bound_by": "sector_cap",
        "change": "a position of crypto_adjacent has to be closed",
        "unlocks": "",
    }
    found = json.loads(page.get("/decision/3/remedy").text)
    assert found["change"].startswith("the next session") and "2024-03-05 09:30" in found["unlocks"]


def test_an_order_has_its_life_and_its_family(page):
    said = text_of(page.get("/orders").text)
    assert "leg-1" in said and "61 at 170.01" in said
    assert page.get("/order/leg-1").text.count('class="life"') == 2
    assert page.get("/order/nothing").status == 404


def test_the_scoreboard_has_all_goals_and_the_days(page):
    said = text_of(page.get("/scoreboard").text)
    for measure in ("Win rate", "Profit factor", "Maximum daily drawdown", "Average R", "Slippage",
                    "Bracket interference",
                    "Position time protected", "Filled within 30 s", "Sectors held"):  # fmt: skip
        assert measure in said
    assert "2024-03-04" in said and "-1.00" in said and "Stop-outs by signal" in said


def test_reports_are_listed_with_their_figures(page):
    html = page.get("/reports").text
    assert (
        "backtest-active-2013-01-02" in html
        and "report.html" in html
        and "state" not in re.findall(r'href="/report/([^"]*)"', html)
    )
    assert "93" in text_of(html)


def test_a_folder_that_is_no_run_is_no_report(tmp_path):
    for name, file in (
        ("clone", "README.md"),
        ("clone/docs", "start.md"),
        ("done", "report.html"),
        ("done", "more.md"),
    ):
        (tmp_path / "runs" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs" / name / file).write_text("x")
    with served(small_folder(tmp_path / "state"), tmp_path / "runs") as page:
        html = page.get("/reports").text
    assert "clone" not in html and "README.md" not in html
    assert "report.html" in html and "more.md" in html


def test_metrics_are_in_the_text_format(page):
    answer = page.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    values = dict(line.rsplit(" ", 1) for line in lines)
    assert values["rft_equity_usd"] == "105000" and values["rft_open_positions"] == "1"
    assert values['rft_refusals_total{module="sector_cap"}'] == "1"
    assert values['rft_orders_total{role="entry",outcome="filled"}'] == "1"
    assert not any("working" in name for name in values if name.startswith("rft_orders_total")), "a counter never falls"
    assert values['rft_halt_active{kind="kill_switch"}'] == "0"
    assert values['rft_trouble_active{kind="stream_down"}'] == "0"
    for line in lines:
        assert re.fullmatch(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? -?[0-9.e+-]+', line), line
    named = {line.split()[2] for line in answer.text.splitlines() if line.startswith("# TYPE")}
    assert {line.partition("{")[0].partition(" ")[0] for line in lines} == named


def test_every_static_file_is_there(page):
    for name in STATIC:
        assert page.get(f"/static/{name}").status == 200
    assert "Apache License" in page.get("/static/lightweight-charts/LICENSE").text
    assert page.get("/static/nothing.js").status == 404


def test_beats_come_and_change_with_news(tmp_path):
    state = small_folder(tmp_path / "state")
    with served(state, tmp_path, beat_s=0.2) as page, socket.create_connection(("127.0.0.1", page.port), 10) as line:
        line.sendall(
            f"GET /beats HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
        )
        heard: list[str] = []
        file = line.makefile("r", encoding="utf-8", newline="\n")

        def mark() -> str:
            while not (text := file.readline()).startswith("data: "):
                pass
            return text

        heard.extend(mark() for _ in range(4))
        assert len(set(heard[1:])) == 1
        write_state(state / STATE_FILE, trader_state(halts=HALTED))
        ends = time.monotonic() + 5
        while mark() == heard[-1]:
            assert time.monotonic() < ends
        assert "peak_halt" in page.get("/").text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ended": "the trader was ended"}, "Ended"),
        ({"ended": "the trader was ended", "resting": 2}, "the trader was ended; 2 orders stay at the broker"),
        ({"ended": "the trader was ended", "resting": 0}, "the trader was ended; no order stays"),
        ({"written": datetime.now(UTC) - timedelta(hours=1)}, "No sign of life"),
        ({"halts": HALTED}, "Halt peak_halt, until Sat 2024-03-09"),
        ({"kill": "flatten"}, "Kill switch flatten"),
        ({"stopped_by": ("venue: no answer",)}, "Entries are stopped venue: no answer"),
        ({"conditions": STREAM_DOWN}, "trade updates do not arrive (the connection is lost); orders are followed"),
    ],
)
def test_what_is_wrong_is_said_on_every_page(tmp_path, changes, words):
    state = small_folder(tmp_path / "state")
    write_state(state / STATE_FILE, trader_state(**changes))
    with served(state, tmp_path) as page:
        for path in ("/", "/symbols", "/decisions", "/orders", "/reports"):
            assert words in text_of(page.get(path).text)


def test_the_page_tells_of_when_equity_and_cash_are_where_positions_are_of_later(tmp_path):
    state = small_folder(tmp_path / "state")
    write_state(state / STATE_FILE, trader_state(account_time=BEGIN))
    with served(state, tmp_path) as page:
        said, at = text_of(page.get("/").text), f"USD as of {BEGIN.astimezone(NEW_YORK_ZONE):%H:%M:%S}"
    assert f"105,000.00 {at}" in said and f"94,500.00 {at}" in said


def test_a_journal_without_a_trader_is_shown_as_such(tmp_path):
    state = small_folder(tmp_path / "state")
    (state / STATE_FILE).unlink()
    with served(state, tmp_path) as page:
        said = text_of(page.get("/").text)
        assert "No trader" in said and "61 AMD" in said and "104,900.00" in said
        assert page.get("/metrics").status == 200


def test_a_journal_that_is_gone_or_damaged_is_said_and_comes_back(tmp_path):
    state = small_folder(tmp_path / "state")
    journal = state / "journal.sqlite3"
    kept = journal.read_bytes()
    with served(state, tmp_path) as page:
        journal.write_bytes(b"not a database at all, but long enough to be read as one" * 100)
        assert page.get("/").status == 503
        journal.unlink()
        answer = page.get("/")
        assert answer.status == 503 and "there is no journal" in answer.text
        journal.write_bytes(kept)
        assert page.get("/").status == 200


def test_reading_leaves_nothing_beside_the_journal(tmp_path):
    state = small_folder(tmp_path / "state")
    before = {path.name: path.stat().st_mtime_ns for path in state.iterdir()}
    with served(state, tmp_path) as page:
        for path in ("/", "/decisions", "/orders", "/symbol/AMD", "/metrics"):
            assert page.get(path).status == 200
    assert {path.name: path.stat().st_mtime_ns for path in state.iterdir()} == before


def test_no_key_reaches_the_page_or_its_helpers(monkeypatch, tmp_path):
    from dashboard.settings import PageSettings

    for name in ("ALPACA_API_KEY", "ALPACA_API_SECRET", "DATABASE_URL", "RISK_FIRST_NOTIFY"):
        monkeypatch.setenv(name, "planted-secret")
    found = environment(PageSettings(journal="j", state_dir="s", runs="r", token=TOKEN))
    assert "planted-secret" not in json.dumps(found)


def test_a_long_log_is_paged_by_key_and_answers_at_once(tmp_path):
    state = tmp_path / "state"
    large_journal(state / "journal.sqlite3", decisions=20_000, trades=1_000)
    with served(state, tmp_path) as page:
        seen: list[int] = []
        path = "/decisions?outcome=refused"
        for _ in range(3):
            began = time.monotonic()
            html = page.get(path).text
            assert time.monotonic() - began < 3
            seen += map(int, re.findall(r'href="/decision/(\d+)"', html))
            following = re.search(r'rel="next" href="([^"]+)"', html)
            assert following
            path = following[1].replace("&amp;", "&")
        assert len(seen) == len(set(seen)) == 150 and seen == sorted(seen, reverse=True)
        first = re.findall(r'href="/order/([^"]+)">\1', page.get("/orders").text)
        assert len(set(first)) >= 50
    assert read_state(state / STATE_FILE) is None


def test_a_search_and_a_walk_forward_are_told_with_their_verdict(tmp_path):
    runs = {
        "study": {
            "start": "2013-01-02T09:30:00-05:00", "end": "2023-09-21T09:30:00-04:00", "trials": 4, "dsr": 0.76,
            "pbo": 0.55, "best": {"sharpe": 0.25, "trades": 106, "total_return": 0.0553},
            "verdict": "overfit", "sentence": "trial 0 was best by fitting the past",
        },
        "walk": {
            "test_start": "2015-01-02", "test_end": "2023-09-21", "windows": 9, "windows_above_zero": 0.667,
            "metrics": {"trades": 88, "total_return": 0.006}, "verdict": "no edge", "sentence": "luck explains it",
        },
        "odd": {"metrics": [], "best": None, "trades": "many"},
    }  # fmt: skip
    for name, summary in runs.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "summary.json").write_text(json.dumps(summary))
    with served(small_folder(tmp_path / "state"), tmp_path / "runs") as page:
        said = text_of(page.get("/reports").text)
    assert "study optimisation, 2013-01-02 to 2023-09-21" in said
    assert "overfit: trial 0 was best by fitting the past trials 4 trades 106 return +5.53% Sharpe 0.25" in said
    assert "walk walk-forward, 2015-01-02 to 2023-09-21" in said
    assert "windows 9 trades 88 return +0.60% windows above zero 66.7%" in said
    assert "None" not in said


def test_tries_that_came_to_nothing_are_one_line():
    def order(name, state, role="target"):
        return OrderRow(
            id=name, parent="e", symbol="MU", side="sell", quantity=5, type="limit", role=role, limit=1.0, stop=None,
            bracket_stop=None, bracket_target=None, decided=BEGIN, time=BEGIN, reason="", state=state, filled=0,
            average=None,
        )  # fmt: skip

    rows = [order("a", "working"), order("b", "lost"), order("c", "lost"), order("d", "lost", "stop"),
            order("e", "cancelled"), order("f", "cancelled")]  # fmt: skip
    told = [(tried.order.id, [before.id for before in tried.before]) for tried in folded(rows)]
    assert told == [("a", []), ("b", ["c"]), ("d", []), ("e", []), ("f", [])]


def test_a_report_s_icon_is_the_page_s(page):
    assert page.get("/favicon.ico").headers["Content-Type"] == "image/svg+xml"
