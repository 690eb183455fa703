"""The command line: ``risk-first <command>``, one file per command. See ``commands.app``."""

from config.process.collector import collect_rarely

# Before anything else is imported: most of what is looked through for circles is what imports make.
collect_rarely()
