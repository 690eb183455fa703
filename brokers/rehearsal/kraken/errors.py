"""Refusals with the text that Kraken answers with; the status is 200 all the same."""

from __future__ import annotations

from brokers.rehearsal.serving.answers import Answer

INVALID_KEY = "EAPI:Invalid key"
INVALID_SIGNATURE = "EAPI:Invalid signature"
INVALID_NONCE = "EAPI:Invalid nonce"
TOO_MANY_CALLS = "EAPI:Rate limit exceeded"
TOO_MANY_ORDERS = "EOrder:Rate limit exceeded"
ORDERS_LIMIT = "EOrder:Orders limit exceeded"
INSUFFICIENT_FUNDS = "EOrder:Insufficient funds"
ORDER_MINIMUM = "EOrder:Order minimum not met"
COST_MINIMUM = "EOrder:Cost minimum not met"
TICK_SIZE = "EOrder:Tick size check failed"
POST_ONLY = "EOrder:Post only order"
UNKNOWN_ORDER = "EOrder:Unknown order"
CANCEL_PENDING = "EOrder:Cancel pending"
UNKNOWN_PAIR = "EQuery:Unknown asset pair"
UNKNOWN_ASSET = "EQuery:Unknown asset"
UNKNOWN_METHOD = "EGeneral:Unknown method"
INVALID_ARGUMENTS = "EGeneral:Invalid arguments"
NOT_UNIQUE = "cl_ord_id not unique"
UNAVAILABLE = "EService:Unavailable"
DEADLINE = "EService:Deadline elapsed"


class KrakenError(Exception):
    """One refused request; its text is what the list ``error`` holds."""


def invalid(argument: str) -> KrakenError:
    """An argument that is missing or can't be what it is."""
    return KrakenError(f"{INVALID_ARGUMENTS}:{argument}")


def refused(text: str) -> Answer:
    """The answer that says so."""
    return Answer(200, {"error": [text]})


def accepted(result: object) -> Answer:
    """The answer to a request that was carried out."""
    return Answer(200, {"error": [], "result": result})
