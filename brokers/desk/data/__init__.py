"""What the desk knows of prices: bars, quotes and their streams."""
