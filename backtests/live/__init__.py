"""Live runs from the command line, rehearsed or real."""
