"""What a trader tells while it runs: events, screen, log file, and what is new in each iteration."""
