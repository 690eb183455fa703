"""What tests of whole runs share."""

from __future__ import annotations

import pytest

from backtests import cli_run


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """Results of single iterations; in an empty folder, on a screen wide enough for one line per symbol."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    seen = []

    def spy(console, result, *arguments, **options):
        seen.append(result)
        original(console, result, *arguments, **options)

    original = cli_run.show_scan
    monkeypatch.setattr(cli_run, "show_scan", spy)
    return seen
