"""Risk bill, band, Monte Carlo and shadow say what they found in one sentence, and on a page without network."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from backtests.research import rerun_pages as pages
from backtests.research.monte_carlo import MonteCarlo, Outcome
from backtests.research.page import STYLE, bars, curve
from backtests.research.reruns import BandCell, BillLine
from backtests.research.search.trials import Trial
from backtests.research.search.walk_report import _percent
from backtests.research.shadow import ShadowLine
from commands.screen import write_out
from config.errors import Refusal
from tests.backtests.research.lab import context


def trial(sharpe: float, total: float, fall: float, refused: str = "") -> Trial:
    return Trial({}, "", np.zeros(3), sharpe, total, fall, 12, 0.0, refused)


def short(total: float) -> Trial:
    """A trial of a window that is too short for a ratio."""
    return Trial({}, "", np.array([0.01, -0.02, 0.03]), 0.0, total, 0.02, 12, 0.0, sharpe_known=False)


@pytest.fixture(scope="module")
def shared():
    return context()


def checked(page: str, *told: str) -> None:
    assert page.count("<html") == page.count("</html>") == 1
    assert "<script" not in page and "src=" not in page and "href=" not in page and "nan" not in page
    for text in told:
        assert text in page
    assert "Fills as assumed" in page and "Past results promise nothing." in page


def test_risk_bill(shared):
    whole = trial(0.8, 0.20, 0.08)
    lines = [
        BillLine("sector_cap", trial(0.7, 0.25, 0.11)), BillLine("cash_buffer", trial(0.9, 0.18, 0.07)),
        BillLine("entry_gates", trial(0, 0, 0, "needs it")),
    ]  # fmt: skip
    documents = [line.document(whole) for line in lines]
    sentence = pages.risk_bill_sentence(documents)
    assert sentence == (
        "1 of 2 rules saved drawdown, sector_cap most: 3.0%, for +5.0% of return; "
        "dearest is sector_cap, which cost 5.0% of return."
    )
    page = pages.risk_bill_page(shared, whole, documents)
    checked(page, sentence, "<td>+5.00%</td><td>+3.00%</td><td>+0.10</td>", "can&#x27;t be left out")
    assert page.count("<svg") == 2 and page.count("<rect") == 4
    assert pages.risk_bill_sentence(documents[2:]) == "No rule can be left out."
    hair = BillLine("cash_buffer", trial(0.8, 0.2004, 0.0804)).document(whole)
    assert pages.risk_bill_sentence([hair]) == "0 of 1 rule saved drawdown; none cost return."
    assert pages.risk_bill_sentence(documents[1:2]) == "0 of 1 rule saved drawdown; none cost return."


def test_band(shared):
    cells = [BandCell(s, f, trial(1 - s / 10 - 500 * f, 0.1 - s / 100, 0.05)) for s in (0.0, 20.0) for f in (0, 0.001)]
    sentence = pages.band_sentence(cells)
    assert sentence == (
        "Return between -10.0% and 10.0%, Sharpe between -1.50 and 1.00; 2 of 4 assumptions about costs leave a profit."
    )
    page = pages.band_page(shared, cells)
    checked(page, sentence, "<td>20</td><td>0.10%</td>")
    assert page.count("<svg") == 2 and page.count("<rect") == 8


def test_a_band_over_a_window_that_is_too_short_compares_no_ratios(shared):
    cells = [BandCell(s, 0.0, short(0.1 - s / 100)) for s in (0.0, 20.0)]
    sentence = pages.band_sentence(cells)
    assert sentence == (
        "Return between -10.0% and 10.0%, Sharpe not defined, as the window is too short: a ratio a year takes 90 days"
        "; 1 of 2 assumptions about costs leave a profit."
    )
    page = pages.band_page(shared, cells)
    checked(page, sentence, "<td>not defined</td>")
    assert page.count("<svg") == 1 and "Sharpe ratio a year" not in page
    still = [BandCell(s, 0.0, replace(short(0.0), returns=np.zeros(3))) for s in (0.0, 20.0)]
    assert "Sharpe not defined, as the account never moved;" in pages.band_sentence(still)


def test_monte_carlo_over_a_window_that_is_too_short_compares_returns_alone(shared):
    others = [Outcome(0.0, k / 100, 0.1, 9, 8, too_short=True) for k in range(20)]
    own = Outcome(0.0, 0.1, 0.1, 10, 7, too_short=True)
    done = MonteCarlo(own, others, None, 11 / 21, 900.0, np.linspace(500, 1500, 20))
    sentence = pages.monte_carlo_sentence(done)
    assert sentence.startswith(
        "Sharpe not defined, as the window is too short: a ratio a year takes 90 days; 52.4% of random strategies "
        "returned as much as 10.0%; "
    )
    page = pages.monte_carlo_page(shared, done)
    checked(page, sentence, "Returns of 20 random strategies")
    assert "Sharpe ratio" not in page and page.count("<svg") == 2


def test_monte_carlo(shared):
    others = [Outcome(k / 10, k / 100, 0.1, 9, 8) for k in range(20)]
    done = MonteCarlo(Outcome(1.5, 0.1, 0.1, 10, 7), others, 6 / 21, 11 / 21, 900.0, np.linspace(500, 1500, 20))
    assert pages.monte_carlo_sentence(done).startswith("28.6% of random strategies had a Sharpe ratio at least as high")
    fewer = (
        "; the run made 10 trades, a random strategy 9 in the middle, as the rules refuse more of the shifted entries"
    )
    assert pages.monte_carlo_sentence(done).endswith(fewer)
    page = pages.monte_carlo_page(shared, done)
    checked(page, "10 trades, drawdown of their results 900 USD", "in random order 1,000 USD in the middle")
    # The run's own figure is marked in both pictures.
    assert page.count("<svg") == 2 and page.count("stroke-dasharray") == 2


def test_shadow(shared):
    lines = [
        ShadowLine("a", 4, 900, 100, 800, 300, 1200), ShadowLine("b", 3, 50, 60, -10, -90, 70),
        ShadowLine("c", 9, 0, 500, -500, -700, -200),
    ]  # fmt: skip
    sentence = pages.shadow_sentence(lines)
    assert sentence == (
        "What c refused or shrunk would have lost money; what a refused or shrunk would have earned money; for 1 rule "
        "neither can be said, as the interval holds zero."
    )
    page = pages.shadow_page(shared, lines, 16, 0.9)
    checked(page, sentence, "16 proposals followed", "90% interval")
    assert page.count("<rect") == 3
    assert pages.shadow_sentence([]) == "No rule refused or shrunk anything."
    checked(pages.shadow_page(shared, [], 0, 0.9), "No rule refused")


def test_bars_lie_on_their_side_of_zero():
    picture = bars(["up", "down"], [10.0, -5.0])
    zero = float(re.search(r'<line x1="([\d.]+)"', picture)[1])
    (up, wide), (down, narrow) = [
        (float(x), float(w)) for x, w in re.findall(r'<rect x="([\d.]+)" y="\d+" width="([\d.]+)"', picture)
    ]
    assert up == pytest.approx(zero, abs=0.1) and down + narrow == pytest.approx(zero, abs=0.2)
    assert wide == pytest.approx(2 * narrow, abs=0.2)


def test_a_page_that_cannot_be_written_is_refused(tmp_path):
    write_out(None, lambda: pytest.fail("nobody asked"))
    write_out(tmp_path / "a.html", lambda: "text")
    assert (tmp_path / "a.html").read_text() == "text"
    with pytest.raises(Refusal, match="cannot be written"):
        write_out(tmp_path / "no" / "a.html", lambda: "text")


def test_no_curve_passes_through_its_labels():
    drawn = curve([100_000.0, 97_000.0, 104_000.0], "2020-01-02", "2020-01-06", [1])
    across = [float(point.partition(",")[0]) for point in re.search(r'points="([^"]+)"', drawn)[1].split()]
    ends = [float(x) for x in re.findall(r'<text x="([0-9.]+)" y="[0-9.]+" text-anchor="end">[0-9,]+</text>', drawn)]
    assert len(ends) == 2 and max(ends) < min(across)


def test_dates_of_a_table_stay_whole_on_a_narrow_page_and_zero_has_no_sign():
    assert "td{white-space:nowrap}" in STYLE and "td{white-space:normal}" not in STYLE
    assert _percent(-0.0001) == "0.0%" and _percent(-0.01) == "-1.0%"
