"""The pictures of a run: its equity, and its trades on their bars."""
