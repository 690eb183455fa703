"""The operator's page in a browser: its own process, read-only, on this machine alone."""
