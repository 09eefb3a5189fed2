"""Download a file over HTTP; after an interruption, resume where the transfer stopped.

The bytes received so far are in a `.partial` file. A `.validator` file beside it holds the ETag or
the modification date that the server reported. With it, the next request asks for the remaining
bytes of the same version of the file (If-Range, RFC 9110, section 13.1.5); if the file has changed
on the server in the meantime, the server sends all of it.
"""

from __future__ import annotations

import re
from pathlib import Path

import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_base, wait_exponential
from tqdm import tqdm

from captioning.core.errors import InputError

ATTEMPTS = 6
#: Waiting time between two attempts: 1 s, 2 s, 4 s, …, at most 30 s.
BACK_OFF = wait_exponential(multiplier=1, max=30)
_CHUNK_BYTES = 1 << 20
# Seconds to establish a connection, and to wait for more data.
_TIMEOUT = (10.0, 60.0)
_RETRIED_STATUSES = (408, 416, 425, 429)
_OTHER_SOURCE = (
    "if it is not reachable from here, set CAPTIONING_SOURCE to a URL or folder with the same files"
)


class _TransientError(Exception):
    """A failure that may be temporary, so that another attempt is worthwhile."""


class PartialFile:
    """A download in progress, and the version of the file that it belongs to.

    Args:
        path: file for the bytes received so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._validator_path = path.with_name(f"{path.name}.validator")

    def resumable_bytes(self) -> int:
        """Number of bytes after which the download can be resumed; 0 if it must start over."""
        if not (self.path.is_file() and self._validator_path.is_file()):
            return 0
        return self.path.stat().st_size

    def range_headers(self) -> dict[str, str]:
        """Request headers that ask for the remaining bytes, unless the file has changed."""
        validator = self._validator_path.read_text(encoding="utf-8")
        return {"Range": f"bytes={self.resumable_bytes()}-", "If-Range": validator}

    def start_over(self, validator: str) -> None:
        """Delete what was received; `validator` is the version to come, empty if unknown."""
        self.discard()
        if validator:
            self._validator_path.write_text(validator, encoding="utf-8")

    def discard(self) -> None:
        """Delete what was received."""
        self.path.unlink(missing_ok=True)
        self._validator_path.unlink(missing_ok=True)

    def complete(self, path: Path) -> None:
        """Move the downloaded file to its final path."""
        self._validator_path.unlink(missing_ok=True)
        self.path.replace(path)


def download(url: str, partial: PartialFile, wait: wait_base = BACK_OFF) -> None:
    """Download a file completely, in up to `ATTEMPTS` attempts.

    Args:
        url: address of the file, http or https.
        partial: where the bytes go; what an earlier run left there is continued if possible.
        wait: waiting time between attempts.

    Raises:
        InputError: the server refuses the request, or every attempt failed.
    """
    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait,
        retry=retry_if_exception_type(_TransientError),
        reraise=True,
    )
    try:
        retrying(_attempt, url, partial)
    except _TransientError as error:
        raise InputError(
            f"{url} cannot be downloaded; {ATTEMPTS} attempts failed, the last one with: {error}. "
            f"Try again later; {_OTHER_SOURCE}"
        ) from error


def _attempt(url: str, partial: PartialFile) -> None:
    """Make one request and save what it returns."""
    offset = partial.resumable_bytes()
    # Without compression, lengths and ranges refer to the bytes of the file itself.
    headers = {"Accept-Encoding": "identity"} | (partial.range_headers() if offset else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            offset = _start_of_body(response, url, partial, offset)
            total = _total_bytes(response)
            _save(response, partial.path, offset, total)
    except (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    ) as error:
        raise _TransientError(str(error)) from error
    except requests.RequestException as error:
        raise InputError(f"{url} cannot be downloaded ({error}): {_OTHER_SOURCE}") from error
    received = partial.path.stat().st_size
    if total is not None and received != total:
        if received > total:
            partial.discard()
        raise _TransientError(f"received {received} of {total} bytes")


def _start_of_body(
    response: requests.Response, url: str, partial: PartialFile, requested: int
) -> int:
    """Return the position in the file at which the response's body starts.

    Args:
        response: the server's response, body not read yet.
        url: address of the file, for error messages.
        partial: reset if the body does not continue it.
        requested: the position that was asked for.
    """
    status = response.status_code
    if status == 200:
        partial.start_over(_validator(response))
        return 0
    if status == 206 and requested:
        if _content_range(response)[0] == requested:
            return requested
        partial.discard()
        raise _TransientError("the server sent another range of bytes than requested")
    if status == 416:
        partial.discard()
    if status in _RETRIED_STATUSES or status >= 500:
        raise _TransientError(f"status {status} {response.reason}")
    raise InputError(
        f"{url} cannot be downloaded (status {status} {response.reason}): {_OTHER_SOURCE}"
    )


def _validator(response: requests.Response) -> str:
    """The response's strong ETag, else its modification date, else an empty string.

    A weak ETag (`W/…`) does not guarantee identical bytes, so If-Range must not use it.
    """
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _total_bytes(response: requests.Response) -> int | None:
    """Size of the whole file; None if the server does not report it."""
    if response.status_code == 206:
        return _content_range(response)[1]
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """First byte of the response's range, and size of the whole file; None if not reported."""
    header = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", header.strip())
    if not match:
        return None, None
    first, total = match.groups()
    return int(first), None if total == "*" else int(total)


def _save(response: requests.Response, path: Path, offset: int, total: int | None) -> None:
    """Append the response's body to a file, or overwrite the file if `offset` is 0."""
    bar = tqdm(
        desc=path.stem,
        total=total,
        initial=offset,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        disable=None,
    )
    with bar, open(path, "ab" if offset else "wb") as file:
        for chunk in response.iter_content(_CHUNK_BYTES):
            file.write(chunk)
            bar.update(len(chunk))
