"""Seeded random settings: whatever is written, it is loaded or refused in one sentence, and soon."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.errors import Refusal
from config.reading.loader import load
from strategies.registry import build_pipeline

LONGEST_S = 2.0
"""Of computing: how long a busy machine takes is not the question."""
SHORT, LONG = 60, 3_000
KEYS = [
    "account.budget_usd", "universe.symbols", "universe.cap", "universe.sectors", "pace.sleeptime", "pace.windows",
    "pace.bars", "sizing.risk_frac", "sizing.lot", "risk.chain", "risk.modules.sector_cap", "gate", "signals.enabled",
    "exits.model", "exits.models.atr", "broker.alpaca.trading_url", "broker.kraken", "live.adopt", "strategy", "x",
]  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["!!int a", "!!set {a}", "&a [*a]", "9" * 5_000, "[" * 500, "{", "- -", "1e999", ".nan", "0x1F",
                     "2020-01-01", "10:30", "ON", "~", "AAPL", "\t", "? a", "|\n x", "'", "#", "%TAG", "http://x"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
TEXTS = st.lists(st.tuples(st.sampled_from(KEYS), VALUES), min_size=1, max_size=4)
seen: Counter[str] = Counter()


def tried(pairs: list[tuple[str, object]]) -> None:
    began = time.process_time()
    try:
        build_pipeline(load(overrides=[f"{key}={value}" for key, value in pairs]))
        seen["loaded"] += 1
    except Refusal as refusal:
        seen["refused"] += 1
        sentence = str(refusal)
        assert sentence.strip() and len(sentence) < 2_000
    assert time.process_time() - began < LONGEST_S


@settings(max_examples=SHORT, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(TEXTS)
def test_random_settings_are_loaded_or_refused(pairs):
    tried(pairs)


def test_both_happened():
    for key, value in (("account.budget_usd", 5_000), ("universe.cap", 3)):
        tried([(key, value)])
    assert seen["loaded"] and seen["refused"]


@pytest.mark.slow
@settings(max_examples=LONG, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(TEXTS)
def test_very_many_random_settings(pairs):
    tried(pairs)


@settings(max_examples=SHORT, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=200))
def test_random_bytes_as_a_file(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "random.yaml"
    path.write_bytes(content)
    began = time.process_time()
    with pytest.raises(Refusal):
        load(files=[path])
        raise Refusal("an empty overlay is fine")
    assert time.process_time() - began < LONGEST_S
