"""Names that other programs of this kind use, and what they are called here: for hints in refusals, and nothing else.

No former name is ever obeyed: what was meant by it may differ in unit or in what it covers.
"""

from __future__ import annotations

from collections.abc import Mapping

FORMER_SETTINGS: Mapping[str, str] = {
    "stop_loss_pct": "exits.models.fixed.stop_frac",
    "stop_loss": "exits.models.fixed.stop_frac",
    "take_profit_pct": "exits.models.fixed.target_frac",
    "take_profit": "exits.models.fixed.target_frac",
    "sleeptime": "pace.sleeptime",
    "scan_interval": "pace.sleeptime",
    "timeframe": "pace.bars, in minutes",
    "confidence_threshold": "selection.min_confidence, a fraction: 0.65 for 65",
    "min_confidence": "selection.min_confidence",
    "max_inverse_allocation": "risk.modules.inverse_hedge.max_total_frac",
    "max_position_pct": "risk.modules.rebalancer.max_weight_frac",
    "position_pct": "sizing.max_notional_frac",
    "max_notional_pct": "sizing.max_notional_frac",
    "risk_per_trade": "sizing.risk_frac",
    "risk_pct": "sizing.risk_frac",
    "min_cash_pct": "risk.modules.cash_buffer.buffer_frac",
    "cash_buffer_pct": "risk.modules.cash_buffer.buffer_frac",
    "max_correlation_positions": "risk.modules.sector_cap.max_positions",
    "max_sector_positions": "risk.modules.sector_cap.max_positions",
    "max_daily_drawdown": "risk.modules.drawdown_halt.max_drawdown_frac",
    "stop_loss_atr_mult": "exits.models.adaptive_atr.base_stop_atr",
    "take_profit_atr_mult": "exits.models.adaptive_atr.base_target_atr",
    "trailing_stop_activation": "risk.modules.trailing_stop.arm_r",
    "trailing_stop_distance": "risk.modules.trailing_stop.trail_r",
    "enable_extended_hours": "live.extended_hours.enabled",
    "extended_hours": "live.extended_hours.enabled",
    "max_notional_per_order": "gate.max_order_notional_usd",
    "max_order_notional": "gate.max_order_notional_usd",
    "max_daily_notional": "gate.max_day_notional_usd",
    "trailing_stop_pct": "risk.modules.percent_trailing.trail_frac",
    "rsi_period": "signals.modules.mean_reversion.rsi_bars",
    "rsi_oversold": "signals.modules.mean_reversion.oversold_rsi",
    "universe": "universe.symbols, or --symbols",
    "max_positions": "gate.max_open_positions",
    "max_daily_positions": "risk.modules.exposure_budget.day_positions",
    "daily_exposure_pct": "risk.modules.exposure_budget.day_frac",
    "weekly_exposure_pct": "risk.modules.exposure_budget.week_frac",
    "watchlist_size": "selection.watch_list",
    "symbols": "universe.symbols, or --symbols",
    "tickers": "universe.symbols, or --symbols",
    "universe_file": "--universe FILE.csv",
    "benchmark": "universe.benchmark, or --benchmark",
    "budget": "account.budget_usd, or --budget",
    "initial_capital": "account.budget_usd, or --budget",
    "real": "gate, for limits under every order, and sizing",
}
"""Setting, in lower case: the key here, and what else must be known of it."""

FORMER_ARGUMENTS: Mapping[str, str] = {
    "--mode": "each mode is an argument of its own: --scan, --once, --backtest, --rehearse, --paper or --live",
    "--cognitive": "sizes are scaled by a meta-model with risk-first replay-then-paper --cognitive",
    "--venue": "write --rehearse, --paper or --live; --alpaca-url names another host",
    "--exchange": "write --rehearse, --paper or --live; --alpaca-url names another host",
    "--ticker": "write --symbols A,B",
    "--tickers": "write --symbols A,B",
    "--interval": "write --sleeptime, e.g. --sleeptime 120S",
    "--timeframe": "write --set pace.bars=5, in minutes",
    "--capital": "write --budget",
    "--cash": "write --budget",
    "--env": "write --dotenv FILE",
    "--env-file": "write --dotenv FILE",
    "--output": "write --out",
    "--force": "write --overwrite to replace files, --yes for real money",
    "--stop-loss": "write --set exits.models.fixed.stop_frac=0.05",
    "--take-profit": "write --set exits.models.fixed.target_frac=0.15",
    "--confidence": "write --set selection.min_confidence=0.65",
    "--risk": "write --set sizing.risk_frac=0.02",
}
"""Argument: what to write instead."""

FORMER_COMMANDS: Mapping[str, str] = {
    "run": "write backtest, rehearse or trade",
    "live": "write trade --live",
    "paper": "write trade",
    "profit_trader": "write scan, once or trade",
    "profit_trader.py": "write scan, once or trade",
    "test_iteration": "write once",
    "test_iteration.py": "write once",
    "check_positions": "write positions",
    "check_positions_now": "write positions",
    "check_positions_now.py": "write positions",
    "emergency_cleanup": "write cleanup",
    "reconcile_alpaca": "write reconcile",
    "kill_switch": "write kill",
    "compare_runs": "write compare",
    "run_paper_trade": "write replay-then-paper",
    "config": "write show-config",
}
"""Command: what to write instead."""

FORMER_METHODS: Mapping[str, str] = {
    "_create_bracket_order": "the stop and target of every entry: exits.model, or a bracket model of your own",
    "_rebalance_positions": "the rule rebalancer: risk.modules.rebalancer",
    "weekly_exposure_gate": "the rule exposure_budget: risk.modules.exposure_budget",
    "dynamic_position_sizer": "the rule allocation: risk.modules.allocation",
}
"""Method or module: what does it here."""


def former_setting(key: str) -> str:
    """The hint for a setting under a former name; empty if it is none."""
    return FORMER_SETTINGS.get(key.rpartition(".")[2].lower(), "")
