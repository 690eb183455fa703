"""How long a session still lasts in a backtest: what Lumibot reckons, at every moment of weeks that are not plain."""

from collections import Counter

import pandas as pd
import pytest
from lumibot.backtesting import BacktestingBroker
from lumibot.tools import get_trading_days

from brokers.backtest.broker import BarFillBroker
from brokers.backtest.source import CausalPandasData
from tests.brokers.harness import minute_table

WEEKS = [
    ("NYSE", "2024-10-30", "2024-11-08"),  # the clocks change on a Sunday
    ("NYSE", "2024-11-25", "2024-12-03"),  # Thanksgiving, and a short day after it
    ("24/7", "2024-10-31", "2024-11-06"),  # a session that ends where the next begins, and one of 25 hours
    ("24/7", "2024-03-07", "2024-03-13"),  # one of 23 hours
]


@pytest.mark.parametrize(("market", "first", "last"), WEEKS)
def test_the_time_to_the_close_is_lumibots(market: str, first: str, last: str) -> None:
    table = minute_table(60, [[(1, 1, 1, 1)]] * 2)
    ours, stock = (
        kind(CausalPandasData(table, *table.opens_at[[0, -1]].to_pydatetime(), show_progress_bar=False))
        for kind in (BarFillBroker, BacktestingBroker)
    )
    days = get_trading_days(market, start_date=first, end_date=last)
    for broker in (ours, stock):
        broker.market = market
        broker.initialize_market_calendars(days)
    looked_up = Counter[str]()
    from_the_table = BacktestingBroker.get_time_to_close

    def counted(broker: BacktestingBroker) -> float | None:
        looked_up[market] += 1
        seconds: float | None = from_the_table(broker)
        return seconds

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BacktestingBroker, "get_time_to_close", counted)
        times = pd.date_range(first, last, freq="7min", tz="America/New_York")
        for now in (*times, *days["market_close"]):
            for broker in (ours, stock):
                broker.data_source._datetime = now.to_pydatetime()
            assert ours.get_time_to_close() == from_the_table(stock), now
    assert 0 < looked_up[market] < len(times) / 3, "most answers need no look into the table"
    stock.stream.stop()
