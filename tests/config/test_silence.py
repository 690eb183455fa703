"""Log lines that are kept back."""

from __future__ import annotations

import logging

import pytest

from config.process.silence import without_log_lines


def test_lines_are_kept_back_up_to_the_level_and_come_again_afterwards(caplog):
    log = logging.getLogger("risk_first.test")
    with pytest.raises(KeyError), without_log_lines():
        log.error("kept back")
        log.critical("told")
        raise KeyError
    with without_log_lines(logging.WARNING):
        log.warning("kept back")
        with without_log_lines():
            log.error("kept back")
        log.error("told by a block that keeps warnings back")
    log.error("told afterwards")
    assert caplog.messages == ["told", "told by a block that keeps warnings back", "told afterwards"]
