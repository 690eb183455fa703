"""Whether a trader can run here, and whether the one that runs is well."""
