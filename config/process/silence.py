"""Log lines that are kept back where what they say stands elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_log_lines(level: int = logging.ERROR) -> Iterator[None]:
    """Keep back log lines of ``level`` and below; afterwards the process logs as it did before."""
    disabled = logging.root.manager.disable
    logging.disable(level)
    try:
        yield
    finally:
        logging.disable(disabled)
