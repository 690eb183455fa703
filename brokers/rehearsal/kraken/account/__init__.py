"""What the rehearsed Kraken account has, can still spend, and may still ask."""
