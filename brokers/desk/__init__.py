"""Trading at a venue: the desk, the only door to it, the feed, and what keeps watch between iterations."""
