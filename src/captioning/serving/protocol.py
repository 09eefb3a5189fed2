"""HTTP connections that are closed if the client is too slow, or if there are too many of them.

uvicorn waits without limit for the headers of a request, and for a client that does not read its
answer. Here a connection has one deadline at a time: for the headers of a request, for the request
as a whole, and for what is left of its answer.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from captioning.serving.errors import JSON, RequestError
from captioning.serving.headers import SECURITY_HEADERS
from captioning.serving.limits import Limits

# The application answers first if a request takes too long.
_GRACE_SECONDS = 5.0


class LimitedProtocol(H11Protocol):
    """One connection to a client.

    Args:
        limits: limits of the server.
        arguments: arguments of uvicorn's protocol.
    """

    def __init__(self, limits: Limits, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._limits = limits
        self._deadline: asyncio.TimerHandle | None = None
        self._awaits_headers = False
        # The request that has, or had, a deadline of its own.
        self._timed: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            self._refuse(RequestError("busy", "too many connections: try again later", 503))
        else:
            self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Go on with the request, or begin a new one."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._clock_request()
        answered = self.cycle is None or self.cycle.response_complete
        # What still comes of a request that was answered early is no new one.
        if answered and not self._awaits_headers and self.conn.their_state is not h11.SEND_BODY:
            self._await_headers()

    def on_response_complete(self) -> None:
        """Wait for the client to take the answer, and for the next request."""
        self._set_deadline(self._limits.flush_seconds, self._end_flush)
        self._timed = self.cycle
        super().on_response_complete()
        self._clock_request()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(RequestError("invalid_http", "this is no valid HTTP request", 400))

    def _clock_request(self) -> None:
        """Give a request that has just begun its deadline."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and self._timed is not cycle:
            self._timed = cycle
            seconds = self._limits.request_seconds + _GRACE_SECONDS
            self._set_deadline(seconds, self.transport.abort)

    def _await_headers(self) -> None:
        self._set_deadline(self._limits.header_seconds, self._too_slow)
        self._awaits_headers = True

    def _set_deadline(self, seconds: float, action: Any) -> None:
        self._stop_clock()
        self._awaits_headers = False
        self._deadline = self.loop.call_later(seconds, action)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._refuse(RequestError("too_slow", "the request took too long", 408))

    def _end_flush(self) -> None:
        """End a connection whose client takes no answer, or still sends the body of its request."""
        self._deadline = None
        if self.transport.get_write_buffer_size() or self.conn.their_state is h11.SEND_BODY:
            self.transport.abort()

    def _refuse(self, error: RequestError) -> None:
        """Answer outside of any request, and close the connection."""
        if self.transport.is_closing():
            return
        headers = {"content-type": JSON, "content-length": str(len(error.body)), **SECURITY_HEADERS}
        if error.status == 503:
            headers["retry-after"] = "1"
        lines = [f"HTTP/1.1 {error.status} ", *(f"{k}: {v}" for k, v in headers.items())]
        head = "\r\n".join([*lines, "connection: close", "", ""])
        self.transport.write(head.encode("latin-1") + error.body)
        self.transport.close()
        self._set_deadline(self._limits.flush_seconds, self.transport.abort)
