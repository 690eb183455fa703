"""How Kraken is reached: the nonce, its limits, its errors, and one method for each question."""
