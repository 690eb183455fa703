"""Lumibot's tearsheet of a run: what is shown in it, its page, and the process that draws it."""
