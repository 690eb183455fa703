"""Commands that run the strategy, or read what a run left."""
