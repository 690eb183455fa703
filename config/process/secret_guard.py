"""What this process must not write down: the secrets of its environment, and of the file that was named with keys.

The screen is masked as a whole, as a refusal, a traceback and a table repeat what others wrote: names of files and
cells, answers of a venue, rows of a journal.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TextIO

from config.values.known_secrets import DATABASE, KEYS, NOTIFICATIONS, known_secrets, told_apart
from config.values.masker import Masker

_KEYS_AND_TOKENS = (*KEYS, NOTIFICATIONS)
"""Named in no argument and no setting; the address of a journal may be an argument."""


class _KnownSecrets:
    """The secrets of this process; those of a file with keys are added when it has been read."""

    def __init__(self) -> None:
        self.replace(os.environ)

    def replace(self, environment: Mapping[str, str]) -> None:
        self.secrets = known_secrets(environment)
        self.masker = Masker(self.secrets)

    def add(self, texts: Iterable[str]) -> None:
        self.secrets |= set(texts)
        self.masker = Masker(self.secrets)


_KNOWN = _KnownSecrets()


def hide(values: Mapping[str, str]) -> None:
    """Mask what a file with keys sets, too."""
    _KNOWN.add(text for name in (*_KEYS_AND_TOKENS, DATABASE) for text in told_apart(name, values.get(name) or ""))


def without_known(text: str) -> str:
    """A text without the secrets of this process in any spelling; everything else stays as it is."""
    return _KNOWN.masker.known(text)


def masker_of(*secrets: str | None) -> Callable[[str], str]:
    """Takes out secrets, what looks like one, and all others of this process, which may be more by then."""
    masker = Masker(filter(None, secrets))
    return lambda text: without_known(masker(text))


def secret_among(texts: Iterable[str], environment: Mapping[str, str] | None = None) -> str:
    """The variable whose secret, a key of a venue or a token of notifications, can be read in one of some texts.

    Parameters
    ----------
    texts : iterable of str
    environment : mapping, optional
        ``os.environ`` by default.

    Returns
    -------
    str
        Its name, empty for none.
    """
    variables = os.environ if environment is None else environment
    joined = "\n".join(texts)
    for name in _KEYS_AND_TOKENS:
        if Masker(told_apart(name, variables.get(name) or "")).known(joined) != joined:
            return name
    return ""


class MaskedOutput:
    """A stream of text that is written without the secrets of this process."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write a text, masked; returns the length of the text as it was given."""
        self.stream.write(without_known(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def masked_output() -> Iterator[None]:
    """Mask standard output and error, of a traceback as well, which Python writes after this was left by an error."""
    _KNOWN.replace(os.environ)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_masked, before)
    yield
    sys.stdout, sys.stderr = before


def _masked(stream: Any) -> Any:
    return stream if stream is None or isinstance(stream, MaskedOutput) else MaskedOutput(stream)
