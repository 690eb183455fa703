"""The strategy: bars, features, signals, pipeline, and the Lumibot class around them."""

from config.environment import calm_lumibot

calm_lumibot()
