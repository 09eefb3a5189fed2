"""Errors that clients are told of, and the one form in which they are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

JSON = "application/json"


class RequestError(Exception):
    """A request that is refused as a whole, or a picture in it that cannot be captioned.

    Args:
        code: kind of problem, for programs.
        message: what is wrong and what to do, in one line. It names no path and no version.
        status: HTTP status if the whole request is refused.
        headers: further headers of the answer.
    """

    def __init__(
        self, code: str, message: str, status: int = 400, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.headers = dict(headers or {})

    @property
    def content(self) -> dict[str, Any]:
        """The error as a JSON value."""
        return {"error": {"code": self.code, "message": self.message}}

    @property
    def body(self) -> bytes:
        """The error as the body of an answer."""
        return to_json(self.content)


def internal_error() -> RequestError:
    """What clients are told when the server itself fails; the reason is in its log."""
    return RequestError("internal_error", "the server failed: see its log", 500)


def not_ready() -> RequestError:
    """The answer while the model's graphs are compiled, after the start."""
    message = "the model is being prepared: try again in a moment"
    return RequestError("not_ready", message, 503, {"Retry-After": "2"})
