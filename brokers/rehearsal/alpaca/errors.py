"""Refusals with the status and the body that Alpaca answers with."""

from __future__ import annotations

UNPROCESSABLE = 42210000
FORBIDDEN = 40310000
NOT_FOUND = 40410000
DUPLICATE = 40010001


class ApiError(Exception):
    """One refused request: HTTP ``status`` and JSON ``body`` (message, code and what explains it)."""

    def __init__(self, status: int, body: dict[str, object]) -> None:
        super().__init__(f"{status} {body['message']}")
        self.status = status
        self.body = body


def unprocessable(message: str, code: int = UNPROCESSABLE, **details: str) -> ApiError:
    """The request can't be right, whoever sends it."""
    return ApiError(422, {"code": code, "message": message, **details})


def forbidden(message: str, **details: str) -> ApiError:
    """The request is well formed, but this account may not."""
    return ApiError(403, {"code": FORBIDDEN, "message": message, **details})


def not_found(message: str) -> ApiError:
    """What is asked for is not there."""
    return ApiError(404, {"code": NOT_FOUND, "message": message})
