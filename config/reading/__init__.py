"""From files, variables and arguments to settings: reading, merging, and what is said of a mistake."""
