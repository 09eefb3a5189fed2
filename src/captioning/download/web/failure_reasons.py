"""Short reasons why URLs cannot be fetched; there are few of them, so that they can be counted."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.request
from urllib.error import HTTPError, URLError

from captioning.download.web.public_addresses import PrivateAddressError


class FetchError(Exception):
    """A URL cannot be fetched; the message is `reason` or `reason: detail`."""


class BodyTooLargeError(Exception):
    """A response is larger than the limit."""


# The first type that matches gives the reason. Most types are subclasses of `OSError`, so that
# `OSError` itself comes last.
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (PrivateAddressError, "private address refused"),
    (BodyTooLargeError, "body too large"),
    (TimeoutError, "took too long"),
    (socket.gaierror, "host not found"),
    (ssl.SSLError, "TLS failure"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionError, "connection lost"),
    (http.client.IncompleteRead, "incomplete body"),
    (http.client.InvalidURL, "invalid URL"),
    (ValueError, "invalid URL"),
    (http.client.HTTPException, "answer is not HTTP"),
    (OSError, "host unreachable"),
)


def describe(error: BaseException) -> str:
    """Describe why fetching a URL failed, as `reason` or `reason: detail`."""
    if isinstance(error, HTTPError):
        return _status_reason(error)
    if isinstance(error, URLError):
        if isinstance(error.reason, BaseException):
            return describe(error.reason)
        return f"redirect that can't be followed: {error.reason}"
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return f"{reason}: {error}"
    return f"other failure: {type(error).__name__} {error}"


def _status_reason(error: HTTPError) -> str:
    """The reason for an error status, or for a redirect that cannot be followed."""
    if not 300 <= error.code < 400:
        return f"status {error.code}"
    is_loop = str(error.msg).startswith(urllib.request.HTTPRedirectHandler.inf_msg)
    return "redirects in a circle" if is_loop else "redirect that can't be followed"
