"""Commands that show and explain, and change nothing."""
