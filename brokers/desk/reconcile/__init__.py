"""What the desk holds: the venue's word and the journal's, brought together."""
