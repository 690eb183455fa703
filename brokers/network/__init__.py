"""What every venue's connection needs: deadlines, a clock that follows the venue's, a circuit breaker."""
