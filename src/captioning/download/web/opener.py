"""An opener for `urllib.request.urlopen` that survives whatever answers.

img2dataset fetches by `urlopen`, whose timeout is one of each read from the socket: a server that
sends a byte now and then holds it forever, one that never stops fills the memory. `install_opener`
is the standard library's own way to replace what `urlopen` does.
"""

from __future__ import annotations

import functools
import http.client
import io
import socket
import ssl
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.error import HTTPError

from captioning.download.closing import Closing
from captioning.download.web import addresses
from captioning.download.web.failures import BodyTooLargeError, FetchError, describe
from captioning.download.web.settings import Limits

# Seconds to wait for one address to connect, and for one read.
_READ_SECONDS = 10.0
_CHUNK = 1 << 16
# Headers come on top of the body.
_HEADER_BYTES = 1 << 20


@dataclass
class Answer(Closing):
    """A whole answer, as much of the interface as callers of `urlopen` use.

    Attributes:
        headers: of the answer after the last redirect.
        body: all of it.
    """

    headers: Message
    body: bytes

    def read(self) -> bytes:
        """Return the body."""
        return self.body


class GuardedOpener(urllib.request.OpenerDirector):
    """Opens http and https alone, within limits, and names every failure by one of few reasons.

    Redirects are followed under the same limits. Proxies that the environment names are used;
    what they connect to is theirs to refuse.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits
        self._tls = ssl.create_default_context()

    def open(self, fullurl: Any, data: Any = None, timeout: float | None = None) -> Any:
        """Return the `Answer` to a request, its body read.

        Raises:
            FetchError: there is none.
        """
        guard = _Guard(self._limits, time.monotonic() + self._limits.seconds)
        try:
            with _director(guard, self._tls).open(fullurl, data, _READ_SECONDS) as answer:
                return Answer(answer.headers, _body(answer, self._limits.body_bytes))
        except HTTPError as error:
            with error:
                raise FetchError(describe(error)) from None
        except Exception as error:
            raise FetchError(describe(error)) from error


@contextmanager
def guarded_urlopen(limits: Limits) -> Iterator[None]:
    """In the block, `urlopen` goes through a `GuardedOpener` in the whole process."""
    urllib.request.install_opener(GuardedOpener(limits))
    try:
        yield
    finally:
        urllib.request.install_opener(urllib.request.build_opener())


class _Guard:
    """The limits of one URL, over all its connections."""

    def __init__(self, limits: Limits, deadline: float) -> None:
        self._limits = limits
        self._deadline = deadline

    def connection(
        self, kind: type[http.client.HTTPConnection], host: str, **options: Any
    ) -> http.client.HTTPConnection:
        """A connection that connects and reads under guard; proxies and TLS stay as they are."""
        connection = kind(host, **options)
        connection._create_connection = self.connect  # type: ignore[attr-defined]
        connection.response_class = functools.partial(_Response, guard=self)  # type: ignore[assignment]
        return connection

    def connect(self, place: tuple[str, int], timeout: float, *_: object) -> socket.socket:
        """Connect to a public address; stands in for `socket.create_connection`."""
        seconds = self.seconds_left()
        return addresses.connect(*place, seconds, self._limits.private_networks)

    def seconds_left(self) -> float:
        """How long the next operation may take."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"more than {self._limits.seconds} seconds")
        return min(left, _READ_SECONDS)

    def check_size(self, count: int) -> None:
        """Refuse a connection on which more comes than any answer may have."""
        if count > self._limits.body_bytes + _HEADER_BYTES:
            raise BodyTooLargeError(f"more than {self._limits.body_bytes:,} bytes")


class _Response(http.client.HTTPResponse):
    """A response whose every read, also of headers and redirects' bodies, is under guard."""

    def __init__(self, sock: socket.socket, *arguments: Any, guard: _Guard, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_Stream(self.fp.detach(), sock, guard))


class _Stream(io.RawIOBase):
    """Passes on what comes through a socket while time and bytes are left."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, guard: _Guard) -> None:
        self._raw = raw
        self._sock = sock
        self._guard = guard
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._guard.seconds_left())
        count = self._raw.readinto(buffer)
        self._count += count or 0
        self._guard.check_size(self._count)
        return int(count) if count is not None else None

    def close(self) -> None:
        self._raw.close()
        super().close()


class _HttpHandler(urllib.request.HTTPHandler):
    """Opens http under guard."""

    def __init__(self, guard: _Guard) -> None:
        super().__init__()
        self._guard = guard

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        kind = functools.partial(self._guard.connection, http.client.HTTPConnection)
        return self.do_open(kind, req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    """Opens https under guard."""

    def __init__(self, guard: _Guard, tls: ssl.SSLContext) -> None:
        super().__init__(context=tls)
        self._guard = guard
        self._tls = tls

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        kind = functools.partial(self._guard.connection, http.client.HTTPSConnection)
        return self.do_open(kind, req, context=self._tls)


def _director(guard: _Guard, tls: ssl.SSLContext) -> urllib.request.OpenerDirector:
    """Handlers for http and https, none for ftp, file and data, where redirects may lead too."""
    director = urllib.request.OpenerDirector()
    for handler in (
        _HttpHandler(guard),
        _HttpsHandler(guard, tls),
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        director.add_handler(handler)
    return director


def _body(answer: http.client.HTTPResponse, limit: int) -> bytes:
    """Read a body whole, in pieces: what headers say of its length is not relied upon."""
    stated = answer.headers.get("Content-Length", "")
    length = int(stated) if stated.isascii() and stated.isdigit() else None
    if length is not None and length > limit:
        raise BodyTooLargeError(f"{length:,} bytes")
    body = b"".join(iter(lambda: answer.read(_CHUNK), b""))
    if len(body) > limit:
        raise BodyTooLargeError(f"{len(body):,} bytes")
    if length is not None and not answer.chunked and len(body) < length:
        raise http.client.IncompleteRead(body, length - len(body))
    return body
