"""The command line: ``risk-first <command>``, one file per command. See ``commands.app``."""

import commands.interruption  # noqa: F401 - before the others, which take a while
from config.process.collector import collect_rarely
from config.process.environment import leave_out_plugins

# Before anything else is imported: most of what is looked through for reference cycles is what imports make.
collect_rarely()
leave_out_plugins()
