"""A Kraken that answers from a script, in process: the examples' bodies, or what a test puts in their place."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from brokers.kraken.connection.client import KrakenClient
from brokers.kraken.connection.nonce import Nonce
from brokers.kraken.connection.rates import TIERS, RateModel
from brokers.kraken.connection.rest import KrakenRest
from brokers.kraken.venue import KrakenVenue
from brokers.kraken.waits import Waits
from brokers.network.admission import Admission
from brokers.network.clock import VenueClock

EXAMPLES: dict[str, Any] = json.loads((Path(__file__).parent / "examples.json").read_text(), parse_float=Decimal)
SECRET = "c2VjcmV0IG9mIGEga2V5IHRoYXQgaXMgbm9uZQ=="
Answer = Any | Callable[[dict[str, str]], Any]


def body(name: str, part: str = "body") -> Any:
    return EXAMPLES[name][part]


def results() -> dict[str, Answer]:
    """The examples' answers by endpoint."""
    found: dict[str, Answer] = {}
    for name, example in EXAMPLES.items():
        if isinstance(example, dict) and "body" in example:
            endpoint = name.split("/")[-1].split("?")[0]
            found[endpoint] = example["body"]["result"]
    found["AddOrder"] = body("POST /0/private/AddOrder", "limit")["result"]
    return found


NO_PAUSE = Waits(quiet_s=0.0, query_s=0.0, late_bar_s=15.0, reference_s=3_600.0)


class ScriptedRest(KrakenRest):
    """Answers without a network; ``asked`` is what was asked, in order."""

    def __init__(self, folder: Path, answers: dict[str, Answer] | None = None) -> None:
        super().__init__(
            "key", SECRET, nonce=Nonce(folder / "nonce"), rates=RateModel(TIERS["pro"]), url="http://127.0.0.1:9"
        )
        self.answers = results() | (answers or {})
        self.asked: list[tuple[str, dict[str, str]]] = []

    def _sent(self, path: str, api: str, method: str, params: Any) -> Any:
        fields = dict(params or {})
        self.asked.append((path, fields))
        answer = self.answers[path]
        answer = answer(fields) if callable(answer) else answer
        if isinstance(answer, list):
            return {"error": answer}
        return {"error": [], "result": answer}

    def count(self, endpoint: str) -> int:
        return sum(asked == endpoint for asked, _ in self.asked)


def scripted(folder: Path, answers: dict[str, Answer] | None = None) -> tuple[KrakenVenue, ScriptedRest, Admission]:
    rest, admission = ScriptedRest(folder, answers), Admission()
    return KrakenVenue(KrakenClient(rest, admission), VenueClock(), "test", NO_PAUSE), rest, admission
