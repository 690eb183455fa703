"""What is known of prices, causally: calendar, bars, bar tables, timeframes, indicators, features, the market."""
