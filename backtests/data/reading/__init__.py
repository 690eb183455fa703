"""One file as a long table: its form, its times, its numbers, and what it may not be."""
