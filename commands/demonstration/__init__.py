"""What ``demo`` shows: the problems that this package was built against, each tried again and seen to fail."""
