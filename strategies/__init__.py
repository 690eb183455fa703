"""The strategy: bars, features, signals, pipeline, and the Lumibot class around them."""

from config.process.environment import calm_lumibot

calm_lumibot()
