"""Commands for whoever looks after a trader: they look, compare, clean up and stop."""
