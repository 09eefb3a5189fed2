"""Why a URL can't be fetched, in few words that can be counted."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.request
from urllib.error import HTTPError, URLError

from captioning.download.web.addresses import PrivateAddressError


class FetchError(Exception):
    """Why a URL can't be fetched: its message is `reason` or `reason: detail`."""


class BodyTooLargeError(Exception):
    """More bytes came than are let in."""


# The first that fits names the reason: most are kinds of `OSError`.
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
    (UnicodeError, "invalid URL"),
    (http.client.HTTPException, "answer is not HTTP"),
    (OSError, "host unreachable"),
)


def describe(error: BaseException) -> str:
    """Return `reason` or `reason: detail`; there are few reasons."""
    if isinstance(error, HTTPError):
        return _refusal(error)
    if isinstance(error, URLError):
        if isinstance(error.reason, BaseException):
            return describe(error.reason)
        return f"redirect that can't be followed: {error.reason}"
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return f"{reason}: {error}"
    return f"other failure: {type(error).__name__} {error}"


def _refusal(error: HTTPError) -> str:
    """What an error status, or a redirect that leads nowhere, is called."""
    if not 300 <= error.code < 400:
        return f"status {error.code}"
    circle = str(error.msg).startswith(urllib.request.HTTPRedirectHandler.inf_msg)
    return "redirects in a circle" if circle else "redirect that can't be followed"
