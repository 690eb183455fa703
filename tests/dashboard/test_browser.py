"""The main paths in a real browser: no error in its console, no request to another host, and a frozen page says so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from backtests.reports.html_report import write_html_report
from backtests.reports.metrics import metrics
from monitoring.state import STATE_FILE, write_state
from tests.backtests.sample import sample_info, sample_record, sample_table
from tests.dashboard.serving import TOKEN, Served, served
from tests.monitoring.journals import HALTED, keep_readings, large_journal, small_folder, trader_state

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next((path for path in map(Path, ("/usr/bin/chromium", "/usr/bin/chromium-browser")) if path.exists()), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium at /usr/bin/chromium"),
]
QUIET = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip
"""A browser asks its maker's hosts by itself; what the page asks for is what is watched."""
FIRST_CHART_MS, TRIES = 1_000, 3
"""The fastest of so many counts: others at work on the machine make it slower, never faster."""


@dataclass
class Watched:
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, page: Served, width: int = 1280, scheme: str = "light") -> Iterator[tuple[Any, Watched]]:
    """A tab that has come in by the printed address; whatever goes wrong in it is remembered."""
    context = browser.new_context(viewport={"width": width, "height": 860}, color_scheme=scheme)
    tab, watched = context.new_page(), Watched()
    own = f"http://127.0.0.1:{page.port}/"
    tab.on("console", lambda m: watched.errors.append(m.text) if m.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: watched.errors.append(str(error)))
    tab.on("request", lambda r: None if r.url.startswith((own, "data:")) else watched.elsewhere.append(r.url))
    tab.goto(f"{own}?token={TOKEN}")
    assert "token" not in tab.url
    yield tab, watched
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_every_page_fits_and_is_clean(chromium, page, width, scheme):
    with opened(chromium, page, width, scheme) as (tab, watched):
        base = f"http://127.0.0.1:{page.port}"
        for path in ("/", "/symbols", "/symbol/AMD", "/decisions", "/decision/2", "/orders", "/scoreboard", "/reports"):
            assert tab.goto(base + path).status == 200
            if path in ("/", "/symbol/AMD"):
                tab.wait_for_selector("[data-chart][data-drawn]")
            wide = tab.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, (path, wide)
            # Every field has a name, every table headings, and one heading of the first rank.
            assert tab.evaluate(
                "[...document.querySelectorAll('input,select,button')].every(e => e.labels?.length || e.textContent)"
            )
            tables = "[...document.querySelectorAll('main table')].filter(t => !t.closest('.chart'))"
            assert tab.evaluate(f"{tables}.every(t => t.querySelector('th[scope]'))")
            assert tab.locator("h1").count() == 1
        assert (watched.errors, watched.elsewhere) == ([], [])


def test_from_the_desk_to_the_whole_chain_with_the_keyboard_alone(chromium, page):
    with opened(chromium, page) as (tab, watched):
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.textContent") == "To the content"
        tab.keyboard.press("Enter")
        for _ in range(60):
            tab.keyboard.press("Tab")
            if (tab.evaluate("document.activeElement.getAttribute('href')") or "").startswith("/decision/"):
                break
        tab.keyboard.press("Enter")
        tab.wait_for_url("**/decision/*")
        tab.wait_for_selector("[data-change]:not([hidden])", timeout=60_000)
        assert "It would take:" in tab.inner_text("#remedy")
        assert tab.locator(".chain > li").count() >= 1
        assert watched.errors == []


def test_the_filters_of_the_log(chromium, page):
    with opened(chromium, page) as (tab, _):
        tab.click("text=Decisions")
        tab.select_option("select[name=outcome]", "refused")
        tab.select_option("select[name=module]", "sector_cap")
        tab.click("text=Show")
        assert tab.locator("tbody tr").count() == 1
        assert "MARA" in tab.inner_text("tbody")


def test_odd_words_run_nowhere(chromium, page):
    with opened(chromium, page) as (tab, watched):
        tab.on("dialog", lambda dialog: pytest.fail(dialog.message))
        for path in ("/", "/decision/4", "/symbol/ODD", "/decisions"):
            tab.goto(f"http://127.0.0.1:{page.port}{path}")
            assert tab.locator("img[src=x]").count() == 0
        assert watched.errors == []


def test_a_report_runs_no_script(chromium, page):
    with opened(chromium, page) as (tab, watched):
        tab.goto(f"http://127.0.0.1:{page.port}/report/backtest-active-2013-01-02/report.html")
        assert tab.title() == "r" and "a report" in tab.inner_text("#r")
        assert tab.evaluate("document.querySelector('img').naturalWidth") == 1
        # Chromium tells of the script that it did not run.
        assert [told for told in watched.errors if "script" not in told] == []


def test_a_backtest_s_report_fits_a_telephone(chromium, tmp_path):
    table = sample_table()
    record = sample_record(table)
    fills = {"entries": "market at the open of the bar after the decision, " * 3}
    info = replace(sample_info(table), fill_assumptions=fills)
    write_html_report(tmp_path / "report.html", record, info, metrics(record), [])
    tab = chromium.new_page(viewport={"width": 390, "height": 860})
    tab.goto((tmp_path / "report.html").as_uri())
    assert "after the decision" in tab.inner_text("body")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.close()


def test_news_arrive_without_a_reload_and_keep_the_place(chromium, tmp_path):
    state = small_folder(tmp_path / "state")
    with served(state, tmp_path) as page, opened(chromium, page) as (tab, watched):
        tab.wait_for_selector("#equity[data-drawn]")
        tab.evaluate("window.kept = 1")
        tab.locator("#latest a").first.focus()
        write_state(state / STATE_FILE, trader_state(equity=99_999.0, halts=HALTED))
        tab.wait_for_selector("text=99,999.00")
        assert "peak_halt" in tab.inner_text("#signs")
        assert tab.evaluate("window.kept") == 1
        assert tab.evaluate("document.activeElement.closest('#latest') !== null")
        assert watched.errors == []


def test_a_frozen_page_says_so_within_three_beats(chromium, tmp_path):
    state = small_folder(tmp_path / "state")
    with served(state, tmp_path, beat_s=0.5) as page, opened(chromium, page) as (tab, _):
        tab.wait_for_selector("#equity[data-drawn]")
        assert tab.locator("#frozen").is_hidden()
        page.pause()
        # Three beats of half a second, and the half second in which the page looks.
        tab.wait_for_selector("#frozen:not([hidden])", timeout=4_000)
        assert "old" in tab.inner_text("#frozen")
        page.go_on()
        tab.wait_for_selector("#frozen", state="hidden", timeout=15_000)


def test_a_trader_that_hangs_is_said_to(chromium, tmp_path):
    state = small_folder(tmp_path / "state")
    write_state(state / STATE_FILE, trader_state(beat_s=0.2))
    with served(state, tmp_path) as page, opened(chromium, page) as (tab, _):
        tab.wait_for_selector("text=No sign of life", timeout=5_000)


def test_a_long_journal_draws_its_first_chart_soon_and_stays_small(chromium, tmp_path):
    state = tmp_path / "state"
    large_journal(state / "journal.sqlite3")
    write_state(state / STATE_FILE, trader_state())
    keep_readings(state, 500)
    with served(state, tmp_path) as page, opened(chromium, page) as (tab, watched):
        for path, chart in (("/", "#equity"), ("/symbol/AMD", "#candles")):
            drawn = []
            for _ in range(TRIES):
                tab.goto(f"http://127.0.0.1:{page.port}{path}")
                tab.wait_for_selector(f"{chart}[data-drawn]")
                drawn.append(tab.evaluate("performance.now()"))
                # What was kept for others would hide what the first of them waits for.
                write_state(state / STATE_FILE, trader_state())
            assert min(drawn) < FIRST_CHART_MS, (path, drawn)
            assert tab.evaluate("performance.memory.usedJSHeapSize") < 60e6
        assert re.fullmatch(r"\d+", tab.get_attribute("#candles", "data-drawn") or "")
        assert (watched.errors, watched.elsewhere) == ([], [])
