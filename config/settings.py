"""The settings of a run: all sections together, free of contradictions, and where each value came from."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import PrivateAttr, ValidationInfo, model_validator

from config.cross_checks import contradictions
from config.schema import Sections
from config.values.evidence import told_evidence
from config.values.provenance import Provenance
from config.values.secrets import Secrets

DECIDING = ("signals", "selection", "risk", "exits", "sizing", "pace")
"""Sections that decide what is traded and when: with others, what is known of a profile may not hold."""

TRADES = "trades"
"""In the context of a validation: whether the settings are to trade by, or to look at what others trade."""


class Settings(Sections):
    """Everything a run depends on besides its data, dates and seed."""

    _provenance: Provenance = PrivateAttr(default_factory=Provenance)
    _secrets: Secrets = PrivateAttr(default_factory=Secrets)

    @model_validator(mode="after")
    def _refuse_contradictions(self, info: ValidationInfo) -> Settings:
        for contradiction in contradictions(self, trades=(info.context or {}).get(TRADES, True)):
            raise contradiction
        return self

    @property
    def secrets(self) -> Secrets:
        """Keys and addresses with passwords, from environment variables only."""
        return self._secrets

    @property
    def provenance(self) -> Provenance:
        """Where each setting comes from."""
        return self._provenance

    def source_of(self, dotted: str) -> str:
        """Where a setting comes from: a file, ``--set`` or another argument.

        Parameters
        ----------
        dotted : str
            A key such as ``sizing.risk_frac``; for one that was not set, its nearest parent counts.
        """
        return self._provenance.of(dotted)

    def chosen(self) -> list[tuple[str, Any, str]]:
        """Key, value and source of each setting that the user set."""
        return [(key, self._value(key), source) for key, source in self._provenance.choices()]

    def _value(self, dotted: str) -> Any:
        value: Any = self.model_dump(mode="json")
        for part in dotted.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def as_dict(self, masked: bool = False) -> dict[str, Any]:
        """The settings as plain lists and dictionaries; ``masked=True`` adds the secrets, hidden."""
        plain = self.model_dump(mode="json")
        return {**plain, "secrets": self._secrets.masked()} if masked else plain

    def told_evidence(self, profile: str) -> str:
        """What is known of the edge of the profile of that name, and whether these settings are another's."""
        return told_evidence(profile, self.evidence.verdict, self.evidence.sentence, self.beside_evidence)

    @property
    def beside_evidence(self) -> list[str]:
        """Settings that decide and are not the profile's, so that its evidence was not found with them."""
        # Settings that say themselves how they were tested are told so.
        if self._provenance.chosen("evidence.verdict"):
            return []
        return [key for key in self._provenance.changes() if key.partition(".")[0] in DECIDING]

    @property
    def config_hash(self) -> str:
        """SHA-256 of the settings without secrets; 5 and 5.0 are the same setting."""
        text = json.dumps(_floats(self.as_dict()), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
