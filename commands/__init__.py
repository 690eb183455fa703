"""The command line: ``risk-first <command>``, one file per command. See ``commands.app``."""
