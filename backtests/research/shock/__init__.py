"""The present book through falls of the past: which exits fire, which halts begin, and what is lost."""
