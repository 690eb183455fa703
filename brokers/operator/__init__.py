"""What an operator does by hand: looks, compares, cleans up, pulls the kill switch."""
