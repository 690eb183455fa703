"""Research: data files, runs, reports and checks."""

from config.process.environment import calm_lumibot

calm_lumibot()
