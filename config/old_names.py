"""Names of settings in older scripts, and what they are called here: for the hint of a refusal alone."""

from __future__ import annotations

OLD_NAMES = {
    "stop_loss_pct": "exits.models.fixed.stop_frac",
    "take_profit_pct": "exits.models.fixed.target_frac",
    "stop_loss_atr_mult": "exits.models.adaptive_atr.base_stop_atr",
    "take_profit_atr_mult": "exits.models.adaptive_atr.base_target_atr",
    "trailing_stop_pct": "risk.modules.percent_trailing.trail_frac",
    "trailing_stop_activation": "risk.modules.trailing_stop.arm_r",
    "trailing_stop_distance": "risk.modules.trailing_stop.trail_r",
    "sleeptime": "pace.sleeptime",
    "timeframe": "pace.bars",
    "universe": "universe.symbols",
    "tickers": "universe.symbols",
    "symbols": "universe.symbols",
    "confidence_threshold": "selection.min_confidence",
    "min_confidence": "selection.min_confidence",
    "risk_pct": "sizing.risk_frac",
    "risk_per_trade": "sizing.risk_frac",
    "position_pct": "sizing.max_notional_frac",
    "max_notional_pct": "sizing.max_notional_frac",
    "max_position_pct": "risk.modules.rebalancer.max_weight_frac",
    "min_cash_pct": "risk.modules.cash_buffer.buffer_frac",
    "cash_buffer_pct": "risk.modules.cash_buffer.buffer_frac",
    "max_inverse_allocation": "risk.modules.inverse_hedge.max_total_frac",
    "max_correlation_positions": "risk.modules.sector_cap.max_positions",
    "max_sector_positions": "risk.modules.sector_cap.max_positions",
    "max_daily_drawdown": "risk.modules.drawdown_halt.max_drawdown_frac",
    "enable_extended_hours": "live.extended_hours.enabled",
    "max_notional_per_order": "gate.max_order_notional_usd",
    "max_daily_notional": "gate.max_day_notional_usd",
    "max_positions": "gate.max_open_positions",
    "rsi_period": "signals.modules.mean_reversion.rsi_bars",
    "rsi_oversold": "signals.modules.mean_reversion.oversold_rsi",
}
"""Old name in small letters to the dotted key of now."""
