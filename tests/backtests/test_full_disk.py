"""A disk that fills while the files of a run are written."""

from __future__ import annotations

import errno

import live_trader
from backtests.reports import outputs

WINDOW = ("--profile", "swing", "--start", "2020-03-02", "--end", "2020-03-31")


def test_the_folder_is_named_in_one_line(tmp_path, monkeypatch, capsys):
    def full(folder, *rest):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(outputs, "write_records", full)
    out = tmp_path / "run"
    assert live_trader.main(["--backtest", "--quiet", *WINDOW, "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert said == f"{out}: No space left on device; what was written until then is not complete\n"
