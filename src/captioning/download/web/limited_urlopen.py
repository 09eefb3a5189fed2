"""Make `urllib.request.urlopen` safe to use on arbitrary URLs.

img2dataset fetches with `urlopen`. The standard library's `install_opener` replaces what `urlopen`
does; here, with an opener that limits time, size, protocols and addresses (`limited_connection`)
and that describes every failure with one of few reasons (`failure_reasons`).
"""

from __future__ import annotations

import functools
import http.client
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from string import punctuation
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

from captioning.download.closing import Closing
from captioning.download.web.failure_reasons import BodyTooLargeError, FetchError, describe
from captioning.download.web.limited_connection import READ_SECONDS, LimitedConnections
from captioning.download.web.settings import Limits

_CHUNK_BYTES = 1 << 16
# Some servers refuse Python's own.
_USER_AGENT = "Mozilla/5.0 (compatible; captioning)"


@contextmanager
def limited_urlopen(limits: Limits) -> Iterator[None]:
    """Within the `with` block, `urlopen` uses a `LimitedOpener` in the whole process."""
    urllib.request.install_opener(LimitedOpener(limits))
    try:
        yield
    finally:
        urllib.request.install_opener(urllib.request.build_opener())


@dataclass
class CompleteResponse(Closing):
    """A response that has been read; it has the part of the interface that img2dataset uses.

    Attributes:
        headers: headers of the response after the last redirect.
        body: the whole body.
    """

    headers: Message
    body: bytes

    def read(self) -> bytes:
        """Return the body."""
        return self.body


class LimitedOpener(urllib.request.OpenerDirector):
    """Opens http and https URLs within limits.

    Redirects are followed under the same limits. The proxies that the environment names are used;
    which addresses a proxy connects to cannot be checked here.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits
        self._tls = ssl.create_default_context()

    def open(self, fullurl: Any, data: Any = None, timeout: float | None = None) -> Any:
        """Send a request and return its `CompleteResponse`.

        Args:
            fullurl: URL or request.
            data: body of the request.
            timeout: ignored; the limits apply instead.

        Raises:
            FetchError: the request failed.
        """
        opener = _opener(LimitedConnections(self._limits), self._tls)
        try:
            with opener.open(fullurl, data, READ_SECONDS) as response:
                body = _read_body(response, self._limits.body_bytes)
                return CompleteResponse(response.headers, body)
        except HTTPError as error:
            with error:
                raise FetchError(describe(error)) from None
        except Exception as error:
            raise FetchError(describe(error)) from error


def read_url(url: str, limits: Limits) -> bytes:
    """Return the body of a URL.

    Raises:
        FetchError: the URL is invalid or neither http nor https, or the request failed.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise FetchError("invalid URL: neither http nor https")
    try:
        request = urllib.request.Request(escaped(url), headers={"User-Agent": _USER_AGENT})
    except ValueError as error:
        raise FetchError(describe(error)) from None
    body: bytes = LimitedOpener(limits).open(request).read()
    return body


def escaped(url: str) -> str:
    """Escape the characters that URLs must not contain, spaces and non-ASCII, as browsers do."""
    return quote(url, safe=punctuation)


class _HttpHandler(urllib.request.HTTPHandler):
    """Opens http URLs within limits."""

    def __init__(self, connections: LimitedConnections) -> None:
        super().__init__()
        self._connections = connections

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        kind = functools.partial(self._connections.connection, http.client.HTTPConnection)
        return self.do_open(kind, req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    """Opens https URLs within limits."""

    def __init__(self, connections: LimitedConnections, tls: ssl.SSLContext) -> None:
        super().__init__(context=tls)
        self._connections = connections
        self._tls = tls

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        kind = functools.partial(self._connections.connection, http.client.HTTPSConnection)
        return self.do_open(kind, req, context=self._tls)


def _opener(connections: LimitedConnections, tls: ssl.SSLContext) -> urllib.request.OpenerDirector:
    """An opener for http and https only: a redirect could also lead to ftp, file or data URLs."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        _HttpHandler(connections),
        _HttpsHandler(connections, tls),
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _read_body(response: http.client.HTTPResponse, limit: int) -> bytes:
    """Read a whole body piece by piece; a length stated in the headers is checked, not trusted."""
    stated = response.headers.get("Content-Length", "")
    length = int(stated) if stated.isascii() and stated.isdigit() else None
    if length is not None and length > limit:
        raise BodyTooLargeError(f"{length:,} bytes")
    body = b"".join(iter(lambda: response.read(_CHUNK_BYTES), b""))
    if len(body) > limit:
        raise BodyTooLargeError(f"{len(body):,} bytes")
    if length is not None and not response.chunked and len(body) < length:
        raise http.client.IncompleteRead(body, length - len(body))
    return body
