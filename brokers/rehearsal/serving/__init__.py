"""What stands between clients and a rehearsal venue: thread, listener, access, mishaps, rate limits, log."""
