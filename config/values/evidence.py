"""What is known of a profile's edge, in the words that every screen and page uses."""

from __future__ import annotations

HEADS = {"edge": "edge found", "no edge": "NO EDGE FOUND", "not tested": "NOT TESTED FOR AN EDGE"}


def told_evidence(profile: str, verdict: str, sentence: str) -> str:
    """One line for whoever runs a profile; it holds for the profile as it ships.

    Parameters
    ----------
    profile : str
        Its name.
    verdict : {"edge", "no edge", "not tested"}
    sentence : str
        How it was tested and with which figures.
    """
    return f"profile {profile}: {HEADS.get(verdict, verdict)}; {sentence}"
