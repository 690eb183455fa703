"""The market names Lumibot accepts (`Strategy.set_market`), and New York's regular hours and time zone."""

from zoneinfo import ZoneInfo

MARKETS = frozenset({
    "24/5", "24/7", "ASEX", "ASX", "BATS", "BMF", "BSE", "BVMF", "CBOT_Agriculture", "CBOT_Bond",
    "CBOT_Equity", "CBOT_InterestRate", "CBOT_Rate", "CFE", "CMES", "CME_Agriculture", "CME_Bond",
    "CME_Equity", "CME_InterestRate", "CME_Rate", "COMEX_Agriculture", "EUREX", "HKEX", "ICE", "ICEUS",
    "IEPA", "JPX", "LSE", "NASDAQ", "NYFE", "NYMEX_Agriculture", "NYSE", "OSE", "SIX", "SSE", "TASE", "TSX",
    "TSXV", "XAMS", "XASX", "XBKK", "XBOG", "XBOM", "XBRU", "XBUD", "XBUE", "XCBF", "XCSE", "XDUB", "XETR",
    "XFRA", "XHEL", "XHKG", "XICE", "XIDX", "XIST", "XJSE", "XKAR", "XKLS", "XKRX", "XLIM", "XLIS", "XLON",
    "XMAD", "XMEX", "XMIL", "XMOS", "XNYS", "XNZE", "XOSL", "XPAR", "XPHS", "XPRA", "XSES", "XSGO", "XSHG",
    "XSTO", "XSWX", "XTAE", "XTAI", "XTKS", "XTSE", "XWAR", "XWBO", "stock", "us_futures",
})  # fmt: skip

NEW_YORK_EQUITY_MARKETS = frozenset({"NYSE", "NASDAQ", "BATS", "XNYS", "stock"})
NEW_YORK_HOURS = ("09:30", "16:00")

NEW_YORK = "America/New_York"
NEW_YORK_ZONE = ZoneInfo(NEW_YORK)
"""The time zone of the exchange and of every session and day that is meant here."""
