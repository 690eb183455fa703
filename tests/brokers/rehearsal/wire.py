"""Bare HTTP to a server of the rehearsal exchange."""

from __future__ import annotations

from typing import Any, Self

import requests

from tests.brokers.rehearsal.market import served


class Wire:
    """A server, and bare HTTP with its keys."""

    def __init__(self, **options: Any) -> None:
        self.server = served(**options)
        self.server.start()
        self.session = requests.Session()
        self.session.headers.update({"APCA-API-KEY-ID": self.server.key, "APCA-API-SECRET-KEY": self.server.secret})

    def ask(self, method: str, path: str, **payload: Any) -> tuple[int, Any]:
        answer = self.session.request(method, self.server.url + path, json=payload or None, timeout=20)
        return answer.status_code, answer.json() if answer.text else None

    def order(self, **fields: Any) -> tuple[int, Any]:
        base = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
        return self.ask("POST", "/v2/orders", **{**base, **fields})

    def refusal(self, method: str, path: str, **payload: Any) -> tuple[int, str]:
        """Status and message."""
        status, body = self.ask(method, path, **payload)
        return status, body["message"]

    def close(self) -> None:
        self.session.close()
        self.server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
