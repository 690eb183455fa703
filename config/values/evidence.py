"""What is known of a profile's edge, in the words that every screen and page uses."""

from __future__ import annotations

from collections.abc import Sequence

HEADS = {"edge": "edge found", "no edge": "NO EDGE FOUND", "not tested": "NOT TESTED FOR AN EDGE"}
SHOWN = 3
"""Changed settings that are named."""


def told_evidence(profile: str, verdict: str, sentence: str, changed: Sequence[str] = ()) -> str:
    """One line for whoever runs a profile; it holds for the profile as it ships.

    Parameters
    ----------
    profile : str
        Its name.
    verdict : {"edge", "no edge", "not tested"}
    sentence : str
        How it was tested and with which figures.
    changed : sequence of str
        Settings that are not the profile's.
    """
    told = f"profile {profile}: {HEADS.get(verdict, verdict)}; {sentence}"
    if not changed:
        return told
    more = "" if len(changed) <= SHOWN else f" and {len(changed) - SHOWN} more"
    return f"{told}; said of the profile as it ships, and set otherwise here: {', '.join(changed[:SHOWN])}{more}"
