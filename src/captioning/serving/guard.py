"""What every request passes before the application: hosts, origins, size and time of its body.

A web page of somebody else can make a browser send requests to this machine. Two checks refuse
them: the `Host` of a request must be a name of this server, because otherwise a stranger's name
server could let the stranger's name point here; and browsers tell from which page a request comes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from captioning.serving.errors import JSON, RequestError, internal_error
from captioning.serving.headers import SECURITY_HEADERS
from captioning.serving.limits import Limits
from captioning.serving.metrics import Metrics

_LOG = logging.getLogger("captioning.serving")
_UNKNOWN_ROUTE = "other"


class Guard:
    """ASGI middleware around the whole application.

    Args:
        app: the application.
        limits: limits of the server.
        metrics: where answers are counted.
        hosts: names by which clients may call the server; None allows any.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, metrics: Metrics, hosts: Iterable[str] | None
    ) -> None:
        self._app = app
        self._limits = limits
        self._metrics = metrics
        self._hosts = None if hosts is None else {host.lower() for host in hosts}
        self._body_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        answer = _Answer(send)
        body = _Body(receive, self._limits, self)
        try:
            self._check(Headers(scope=scope))
            with anyio.fail_after(self._limits.request_seconds):
                await self._app(scope, body.receive, answer.send)
        except RequestError as error:
            await self._refuse(error, answer)
        except TimeoutError:
            too_slow = RequestError("too_slow", "the request took too long", 503)
            await self._refuse(too_slow, answer)
        except Exception:
            _LOG.exception("a request failed")
            await self._refuse(internal_error(), answer)
        finally:
            body.release()
            route = getattr(scope.get("route"), "path", _UNKNOWN_ROUTE)
            self._metrics.requests.labels(route, answer.status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)

    def add_body(self, number: int) -> None:
        """Count bytes of bodies that are being received.

        Raises:
            RequestError: all bodies together have too many.
        """
        if self._body_bytes + number > self._limits.total_body_bytes:
            raise RequestError("busy", "too much is being sent: try again later", 503)
        self._body_bytes += number

    def remove_body(self, number: int) -> None:
        """Bodies with so many bytes are no longer needed."""
        self._body_bytes -= number

    async def _refuse(self, error: RequestError, answer: _Answer) -> None:
        self._metrics.rejected.labels(error.code).inc()
        if (
            not answer.status
        ):  # Otherwise uvicorn closes the connection if the answer is incomplete.
            await answer.send_error(error)

    def _check(self, headers: Headers) -> None:
        """Check where a request comes from, and what it says of its size.

        Raises:
            RequestError: the request must be refused.
        """
        host = headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            raise RequestError(
                "unknown_host",
                "this server has another name: start it with --host-name to add one",
                421,
            )
        origin = headers.get("origin")
        foreign = origin is not None and _place(origin) != host.lower()
        # Browsers send no origin with requests for pictures and scripts. Links may lead here.
        site, mode = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
        if foreign or (site in ("cross-site", "same-site") and mode != "navigate"):
            raise RequestError("foreign_origin", "other web pages must not use this server", 403)
        length = headers.get("content-length", "")
        if length.isdigit() and int(length[:20]) > self._limits.body_bytes:
            raise _too_large(self._limits)


class _Body:
    """Receives the body of a request within limits."""

    def __init__(self, receive: Receive, limits: Limits, guard: Guard) -> None:
        self._receive = receive
        self._limits = limits
        self._guard = guard
        self._bytes = 0
        self._deadline = time.monotonic() + limits.body_seconds
        self._complete = False

    async def receive(self) -> Message:
        if self._complete:  # What follows is that the client leaves.
            return await self._receive()
        try:
            with anyio.fail_after(max(self._deadline - time.monotonic(), 0)):
                message = await self._receive()
        except TimeoutError:
            raise RequestError("too_slow", "the body of the request took too long", 408) from None
        number = len(message.get("body", b""))
        self._guard.add_body(number)
        self._bytes += number
        if self._bytes > self._limits.body_bytes:
            raise _too_large(self._limits)
        self._complete = not message.get("more_body", False)
        return message

    def release(self) -> None:
        self._guard.remove_body(self._bytes)
        self._bytes = 0


class _Answer:
    """Sends an answer with the security headers."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", []))
            present = {name.lower() for name, _ in headers}
            headers += [
                (name.encode(), value.encode())
                for name, value in SECURITY_HEADERS.items()
                if name.encode() not in present
            ]
            message = {**message, "headers": headers}
        await self._send(message)

    async def send_error(self, error: RequestError) -> None:
        body = error.body
        headers = {"content-type": JSON, "content-length": str(len(body)), **error.headers}
        if error.status == 503:
            headers.setdefault("Retry-After", "1")
        start = {
            "type": "http.response.start",
            "status": error.status,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})


def _too_large(limits: Limits) -> RequestError:
    return RequestError(
        "request_too_large",
        f"the body has more than {limits.body_bytes:,} bytes: send fewer or smaller pictures",
        413,
    )


def _place(origin: str) -> str | None:
    """Host and port of an origin; None if it has none."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _name(host: str) -> str:
    """The name in a `Host` header, without the port."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name.strip("[]").lower()
