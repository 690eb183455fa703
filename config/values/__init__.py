"""What single settings may be: addresses, markets, symbols, secrets, and where each came from."""
