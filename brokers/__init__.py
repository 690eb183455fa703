"""Everything that knows a venue: desks, brokers, and the records they leave."""

from config.process.environment import calm_lumibot

calm_lumibot()
