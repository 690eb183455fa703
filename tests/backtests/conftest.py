"""What tests of whole runs share."""

from __future__ import annotations

import pytest

from backtests import single_checks


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """Results of single iterations; in an empty folder, on a screen wide enough for one line per symbol."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    seen = []

    def spy(console, result, *arguments, **options):
        seen.append(result)
        original(console, result, *arguments, **options)

    original = single_checks.show_scan
    monkeypatch.setattr(single_checks, "show_scan", spy)
    return seen
