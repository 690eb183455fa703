"""Reference data of the rehearsed Kraken: pairs, fees, limits, and synthetic bars."""
