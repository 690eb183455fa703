"""What a face has to say to a request, and what it is asked before one is processed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and JSON body; None for an empty one."""

    status: int
    body: object


class Face(Protocol):
    """A venue's protocol over HTTP.

    Attributes
    ----------
    too_many, server_error, timed_out, too_large : Answer
        What the venue says beyond its rate limit, at an error of its own, where a proxy gave up, and to a body that
        is longer than it takes.
    """

    too_many: Answer
    server_error: Answer
    timed_out: Answer
    too_large: Answer

    def key_of(self, request: web.Request) -> str | Answer:
        """The key that a request was sent with, or the refusal where it opens nothing; reads no body."""

    def limited_by(self, path: str) -> str:
        """Which of the venue's rate limits a path counts for."""

    def preparation(self, path: str) -> Callable[[], object] | None:
        """What has to be worked out before a path is answered and takes so long that the venue can't wait for it."""

    def read(self, request: web.Request, raw: bytes) -> object:
        """The payload of a request with this body; None for one that can't be read."""

    def answer(self, method: str, path: str, query: Mapping[str, str], payload: object) -> Answer:
        """Process a request; refusals are answers too."""

    def worded(self, usual: Answer, text: str) -> Answer:
        """What the venue says with other words than its usual ones."""

    def keeps_answer(self, method: str, path: str) -> bool:
        """Whether the log keeps the answer; those of listings would fill the memory."""
