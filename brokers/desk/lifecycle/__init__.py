"""How a live run begins and ends: its session, its parts, its last seconds, its files."""
