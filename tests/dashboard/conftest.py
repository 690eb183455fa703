"""One small trader's folder, and a page that shows it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboard.serving import Served, served
from tests.monitoring.journals import small_folder

REPORT = (
    '<!doctype html><title>r</title><script>document.title = "ran"</script><p id="r">a report</p>'
    '<img src="equity.png" alt="">'
)

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("trader")
    small_folder(place / "state")
    run = place / "runs" / "backtest-active-2013-01-02"
    (run / "state").mkdir(parents=True)
    (run / "report.html").write_text(REPORT)
    (run / "equity.png").write_bytes(PICTURE)
    (run / "summary.json").write_text(
        '{"mode": "backtest", "profile": "active", "start": "2013-01-02", "metrics": {"trades": 93}}'
    )
    (run / "state" / "journal.html").write_text("a rehearsal's state")
    (place / "outside.html").write_text("outside of the runs")
    (run / "link.html").symlink_to(place / "outside.html")
    return place


@pytest.fixture(scope="module")
def page(folder: Path) -> Iterator[Served]:
    with served(folder / "state", folder / "runs") as found:
        yield found
