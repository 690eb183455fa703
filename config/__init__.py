"""Settings: `config.load(profile="active")` merges, validates and explains them."""

from config.errors import Refusal
from config.loader import load, profiles
from config.schema import Settings

__all__ = ["Refusal", "Settings", "load", "profiles"]
