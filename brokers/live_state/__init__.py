"""What a running trader leaves for the operator's screens: the state file each beat, and what it saw of the market."""
