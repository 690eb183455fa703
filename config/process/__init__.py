"""The process itself: its environment, its terminal, and files that are for their owner alone."""
