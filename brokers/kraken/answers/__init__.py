"""What Kraken answers, read once."""
