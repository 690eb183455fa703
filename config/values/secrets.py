"""Secrets: read from environment variables, never from a file, never printed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, SecretStr

from config.values.masking import MASK

ALPACA_VARIABLES = ("ALPACA_API_KEY", "ALPACA_API_SECRET")
KRAKEN_VARIABLES = ("KRAKEN_API_KEY", "KRAKEN_API_SECRET")
_SECRET_KEY = re.compile(r"(^|_)(api_?key|key_?id|secrets?|password|passphrase|token|database_url)(_|$)", re.IGNORECASE)


class Secrets(BaseModel):
    """Keys of the venues, the journal's address and where notifications go; None where the variable is not set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ALPACA_API_KEY: SecretStr | None = None
    ALPACA_API_SECRET: SecretStr | None = None
    KRAKEN_API_KEY: SecretStr | None = None
    KRAKEN_API_SECRET: SecretStr | None = None
    DATABASE_URL: SecretStr | None = None
    NOTIFY_URLS: SecretStr | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Secrets:
        """Read the variables; an empty one counts as not set."""
        return cls(**{name: SecretStr(environment[name]) for name in cls.model_fields if environment.get(name)})

    def missing(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of ``names`` that are not set."""
        return tuple(name for name in names if getattr(self, name) is None)

    def masked(self) -> dict[str, str | None]:
        """Which secrets are set, without their values."""
        return {name: None if getattr(self, name) is None else MASK for name in type(self).model_fields}


def looks_secret(key: str) -> bool:
    """Whether a settings key sounds like one that holds a secret."""
    return _SECRET_KEY.search(key) is not None
