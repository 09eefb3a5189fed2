"""HTTP connections with a time limit and a size limit, to public addresses only.

The timeout of `urlopen` applies to each read from the socket, not to the whole response. A server
that sends one byte now and then can therefore hold a connection forever, and a server that never
stops sending can fill the memory. Here every read is checked: of the header, of the body, and of
the bodies of redirects.
"""

from __future__ import annotations

import functools
import http.client
import io
import socket
import time
from typing import Any

from captioning.download.web import public_addresses
from captioning.download.web.failure_reasons import BodyTooLargeError
from captioning.download.web.settings import Limits

#: Seconds to wait for a connection to one address, and for each read.
READ_SECONDS = 10.0
# Bytes permitted for headers, in addition to the limit for the body.
_HEADER_BYTES = 1 << 20


class LimitedConnections:
    """Opens the connections for one URL, redirects included, under common limits.

    Args:
        limits: limits for the URL; its time starts now.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._deadline = time.monotonic() + limits.seconds

    def connection(
        self, kind: type[http.client.HTTPConnection], host: str, **options: Any
    ) -> http.client.HTTPConnection:
        """Create a connection that checks the limits; proxies and TLS work as usual.

        Args:
            kind: `HTTPConnection` or `HTTPSConnection`.
            host: host to connect to.
            options: further arguments of `kind`.
        """
        connection = kind(host, **options)
        connection._create_connection = self._connect  # type: ignore[attr-defined]
        connection.response_class = functools.partial(  # type: ignore[assignment]
            _LimitedResponse, connections=self
        )
        return connection

    def seconds_left(self) -> float:
        """Seconds that the next operation may take.

        Raises:
            TimeoutError: no time is left.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"more than {self._limits.seconds} seconds")
        return min(left, READ_SECONDS)

    def check_size(self, count: int) -> None:
        """Check the number of bytes that have been received over one connection.

        Raises:
            BodyTooLargeError: it is larger than any permitted response.
        """
        if count > self._limits.body_bytes + _HEADER_BYTES:
            raise BodyTooLargeError(f"more than {self._limits.body_bytes:,} bytes")

    def _connect(self, address: tuple[str, int], timeout: float, *_: object) -> socket.socket:
        """Connect to a permitted address; used instead of `socket.create_connection`."""
        seconds = self.seconds_left()
        return public_addresses.connect(*address, seconds, self._limits.private_networks)


class _LimitedResponse(http.client.HTTPResponse):
    """A response that reads through a `_LimitedStream`."""

    def __init__(
        self,
        sock: socket.socket,
        *arguments: Any,
        connections: LimitedConnections,
        **options: Any,
    ) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_LimitedStream(self.fp.detach(), sock, connections))


class _LimitedStream(io.RawIOBase):
    """Passes on the bytes of a socket as long as the limits are not exceeded."""

    def __init__(
        self, raw: io.RawIOBase, sock: socket.socket, connections: LimitedConnections
    ) -> None:
        self._raw = raw
        self._sock = sock
        self._connections = connections
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._connections.seconds_left())
        count = self._raw.readinto(buffer)
        self._count += count or 0
        self._connections.check_size(self._count)
        return int(count) if count is not None else None

    def close(self) -> None:
        self._raw.close()
        super().close()
