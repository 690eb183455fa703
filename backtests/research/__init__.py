"""The lab: how much of a backtest is luck, which parameters hold, and what each rule costs."""
