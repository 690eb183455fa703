"""Research: data files, runs, reports and checks."""

from config.environment import calm_lumibot

calm_lumibot()
