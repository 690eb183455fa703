"""What one iteration tells of the account."""
