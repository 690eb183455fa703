"""Commands for whoever works on the code."""
