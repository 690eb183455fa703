"""Entries that the rules accepted and nobody sent: the verdict that came after those of the rules."""

from __future__ import annotations

from risk.model import Verdict

AT_THE_QUOTE = "at_the_quote"
"""Marks the verdict that came after the decision, among its inputs."""
NOT_SENT = "not sent"
"""The outcome of a decision that was accepted and of which there is no order, for a reason that is not known."""
_SPEAKERS = {"DESK": "desk", "GATE": "policy_gate", "VENUE": "venue"}


def refusal_of(reason: str, accepted: float, quantity: float) -> Verdict:
    """The verdict of whoever refused an entry when it was to be sent, by the reason's first word.

    Parameters
    ----------
    reason : str
    accepted : float
        What the rules had left of it.
    quantity : float
        What was to be sent.
    """
    word = reason.partition("_")[0]
    return Verdict(_SPEAKERS.get(word, "venue"), reason, accepted, 0, {AT_THE_QUOTE: quantity})
