"""How long things are left alone between two questions, as the settings say."""

from __future__ import annotations

from dataclasses import dataclass

from config.schema import Kraken


@dataclass(frozen=True, slots=True)
class Waits:
    """Least times between two requests of a kind.

    Parameters
    ----------
    quiet_s : float
        Between two looks while only a target is watched, the venue's seconds.
    query_s : float
        Between two listings of what has ended that no missing order asks for, the venue's seconds.
    late_bar_s : float
        Between two questions for a bar that is late, the venue's seconds.
    reference_s : float
        Between two readings of pairs and fees, local seconds.
    """

    quiet_s: float
    query_s: float
    late_bar_s: float
    reference_s: float

    @classmethod
    def of(cls, settings: Kraken) -> Waits:
        return cls(settings.monitoring_s, settings.query_s, settings.late_bar_s, settings.reference_s)
