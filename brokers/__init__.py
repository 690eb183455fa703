"""Everything that knows a venue: desks, brokers, and the records they leave."""

from config.environment import calm_lumibot

calm_lumibot()
