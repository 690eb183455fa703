"""Orders of the Kraken face: read, checked, described."""
