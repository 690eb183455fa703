"""Modules that are imported when something of them is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from config.process.later import Later, standing_in

ROOT = Path(__file__).parents[2]


def test_a_module_is_imported_at_its_first_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "seldom_used.py").write_text("value = 3\n")
    (tmp_path / "imports_it.py").write_text("import seldom_used\n")
    with standing_in({"seldom_used": Later("seldom_used")}):
        import imports_it
    assert "seldom_used" not in sys.modules
    assert imports_it.seldom_used.value == 3
    assert sys.modules["seldom_used"].value == 3
    with pytest.raises(AttributeError):
        _ = imports_it.seldom_used.nothing
    # Used while it stands in, or loaded already, the real one stays.
    del sys.modules["seldom_used"]
    with standing_in({"seldom_used": (stand_in := Later("seldom_used"))}):
        assert stand_in.value == 3
    real = sys.modules["seldom_used"]
    with standing_in({"seldom_used": ModuleType("seldom_used")}):
        assert sys.modules["seldom_used"] is real
    for name in ("seldom_used", "imports_it"):
        monkeypatch.delitem(sys.modules, name)


LUMIBOT = """
import gc, sys
from config.process.collector import COLLECT_AFTER
from config.process.environment import own_the_run
own_the_run()
import strategies.combined
assert gc.get_threshold() == COLLECT_AFTER
assert not {"polars", "requests", "yfinance", "scipy"} & {name.split(".")[0] for name in sys.modules}
assert not {"exchange_calendars", "pandas_market_calendars.calendar_registry"} & sys.modules.keys()
from lumibot.backtesting import backtesting_broker, ThetaDataBacktestingPandas
from lumibot.entities import bars
import pandas, polars
assert isinstance(polars.DataFrame(), bars.pl.DataFrame) and not isinstance(pandas.DataFrame(), bars.pl.DataFrame)
assert bars.pl.DataFrame({"a": [1]}).equals(bars.pl.from_dict({"a": [1]})) and bars.pl.col is polars.col
class Broker:
    data_source = None
of_thetadata = backtesting_broker.BacktestingBroker._is_thetadata_source
assert not of_thetadata(Broker)
Broker.data_source = ThetaDataBacktestingPandas.__new__(ThetaDataBacktestingPandas)
assert of_thetadata(Broker)
import pandas_market_calendars
from market.new_york_exchange import NYSEExchangeCalendar
assert type(pandas_market_calendars.get_calendar("stock")) is NYSEExchangeCalendar
assert {"NASDAQ", "LSE", "XLON", "24/7"} <= set(pandas_market_calendars.get_calendar_names())
assert pandas_market_calendars.get_calendar("XLON").tz.key == "Europe/London"
"""


def test_lumibot_is_loaded_without_what_a_backtest_does_not_use() -> None:
    """In a new process; what is left out works where it is used after all."""
    subprocess.run([sys.executable, "-c", LUMIBOT], check=True, cwd=ROOT, timeout=240)
