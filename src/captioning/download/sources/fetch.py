"""Fetching a dataset's files by checksum: over HTTP through a cache, or from a local folder.

`CAPTIONING_SOURCE` in the environment (a URL or a folder that holds the same archives) goes before
the source in the params. It can't change a result where checksums determine the bytes.
`CAPTIONING_CACHE` says where downloads are kept, instead of the user's cache folder.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import quote

import platformdirs
import requests
from filelock import FileLock
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_base, wait_exponential
from tqdm import tqdm

from captioning.core.errors import InputError
from captioning.core.files import md5 as md5_of

ATTEMPTS = 6
BACK_OFF = wait_exponential(multiplier=1, max=30)
_CHUNK = 1 << 20
# Seconds to connect, and between two pieces of the answer.
_TIMEOUT = (10.0, 60.0)
_OTHER_SOURCE = (
    "where it can't be reached, set CAPTIONING_SOURCE to a URL or folder with the same files"
)


class _TransientError(Exception):
    """A failure that may pass: worth another attempt."""


def fetch(
    source: str, name: str, md5: str | None, *, folder: str = "", wait: wait_base = BACK_OFF
) -> Path:
    """Return the path of a file whose bytes have the MD5 sum `md5`.

    A local file is checked where it lies and never copied. A download is kept in the cache under
    its checksum; one that was cut off goes on where it stopped. Two processes fetching the same
    file download it once.

    Args:
        source: URL (http or https) or local folder that holds the file.
        name: of the file.
        md5: 32 hexadecimal digits; None takes any bytes, and a download once kept stays.
        folder: below `source` in which the file lies; in a local folder it may lie in both.
        wait: between attempts.

    Raises:
        InputError: there is no such file, it can't be reached or kept, or its checksum differs.
    """
    source = os.environ.get("CAPTIONING_SOURCE") or source
    if not re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", source):
        return _local(Path(source).expanduser(), folder, name, md5)
    if not source.lower().startswith(("http://", "https://")):
        raise InputError(f"source {source}: only http, https and local folders can be read")
    url = "/".join([source.rstrip("/"), *filter(None, [quote(folder)]), quote(name)])
    kept = cache_folder() / (md5 or hashlib.sha256(url.encode()).hexdigest()[:32])
    try:
        kept.mkdir(parents=True, exist_ok=True)
        with FileLock(kept / "lock"):
            return _cached(url, kept / name, md5, wait)
    except OSError as error:
        raise InputError(
            f"{name} can't be kept in the cache {kept} ({error}): see to the disk, or set "
            "CAPTIONING_CACHE to another folder"
        ) from error


def cache_folder() -> Path:
    """Where downloads are kept, outside the outputs of any stage."""
    chosen = os.environ.get("CAPTIONING_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("captioning", appauthor=False)


def check_md5(path: Path, md5: str) -> None:
    """Refuse a local file whose MD5 sum, in hexadecimal, is another than `md5`.

    Raises:
        InputError: it differs.
    """
    found = md5_of(path)
    if found != md5:
        raise InputError(
            f"{path}: MD5 is {found}, expected {md5}: put the right file there, or correct the "
            "checksum in params.yaml if this file is meant"
        )


def _local(folder: Path, below: str, name: str, md5: str | None) -> Path:
    """A file in a local folder or below, checked in place."""
    path = folder / name
    if below and not path.is_file():
        path = folder / below / name
    if not path.is_file():
        what = "has no file" if folder.is_dir() else "is no folder, so there is no"
        raise InputError(f"source {folder} {what} {name}: put it there, or change the source")
    if md5 is not None:
        check_md5(path, md5)
    return path


def _cached(url: str, path: Path, md5: str | None, wait: wait_base) -> Path:
    """The cached file if it is whole, else a new download."""
    if path.is_file() and md5 in (None, md5_of(path)):
        return path
    partial = path.with_name(f"{path.name}.partial")
    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait,
        retry=retry_if_exception_type(_TransientError),
        reraise=True,
    )
    try:
        retrying(_download, url, partial)
    except _TransientError as error:
        raise InputError(
            f"{url} can't be fetched after {ATTEMPTS} attempts ({error}): try again later; "
            f"{_OTHER_SOURCE}"
        ) from error
    found = md5_of(partial)
    _validator_path(partial).unlink(missing_ok=True)
    if md5 not in (None, found):
        partial.unlink()
        raise InputError(
            f"{url}: MD5 of {path.name} is {found}, expected {md5}; the download was removed: "
            "try again, or correct the source or the checksum in params.yaml"
        )
    partial.replace(path)
    return path


def _download(url: str, partial: Path) -> None:
    """One attempt to make `partial` whole, from where an earlier one stopped where possible."""
    offset, headers = _resume_point(partial)
    try:
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            offset = _check_answer(response, url, partial, offset)
            total = _total(response, offset)
            _save(response, partial, offset, total)
    except (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    ) as error:
        raise _TransientError(str(error)) from error
    except requests.RequestException as error:
        raise InputError(f"{url} can't be fetched ({error}): {_OTHER_SOURCE}") from error
    size = partial.stat().st_size
    if total is not None and size != total:
        if size > total:
            _discard(partial)
        raise _TransientError(f"{size} of {total} bytes came")


def _resume_point(partial: Path) -> tuple[int, dict[str, str]]:
    """How much there is already, and the headers that ask for the rest.

    If-Range (RFC 9110, section 13.1.5) makes a server send the whole file if it has changed since.
    """
    # Lengths and ranges only mean the file's own bytes without compression on the way.
    headers = {"Accept-Encoding": "identity"}
    validator = _validator_path(partial)
    if not (partial.is_file() and validator.is_file() and partial.stat().st_size):
        return 0, headers
    offset = partial.stat().st_size
    headers |= {"Range": f"bytes={offset}-", "If-Range": validator.read_text(encoding="utf-8")}
    return offset, headers


def _check_answer(response: requests.Response, url: str, partial: Path, offset: int) -> int:
    """Sort out the status; return at which byte the answer's body starts."""
    status = response.status_code
    if status == 200:
        _discard(partial)
        etag = response.headers.get("ETag", "")
        # A weak ETag (W/…) doesn't vouch for equal bytes, so If-Range must not name it.
        validator = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
        if validator:
            _validator_path(partial).write_text(validator, encoding="utf-8")
        return 0
    if status == 206 and offset:
        if _content_range(response)[0] == offset:
            return offset
        _discard(partial)
        raise _TransientError("the server sent another range than asked for")
    if status == 416:
        _discard(partial)
    if status in (408, 416, 425, 429) or status >= 500:
        raise _TransientError(f"status {status} {response.reason}")
    raise InputError(f"{url} can't be fetched (status {status} {response.reason}): {_OTHER_SOURCE}")


def _total(response: requests.Response, offset: int) -> int | None:
    """Bytes of the whole file; None if the server doesn't say."""
    if response.status_code == 206:
        return _content_range(response)[1]
    length = response.headers.get("Content-Length", "")
    return offset + int(length) if length.isdigit() else None


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """First byte of the answer's range and the whole file's length; None for what isn't said."""
    header = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", header.strip())
    if not match:
        return None, None
    first, total = match.groups()
    return int(first), None if total == "*" else int(total)


def _save(response: requests.Response, partial: Path, offset: int, total: int | None) -> None:
    """Write the answer's body after the first `offset` bytes of `partial`."""
    bar = tqdm(
        desc=partial.stem,
        total=total,
        initial=offset,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        disable=None,
    )
    with bar, open(partial, "ab" if offset else "wb") as file:
        for chunk in response.iter_content(_CHUNK):
            file.write(chunk)
            bar.update(len(chunk))


def _validator_path(partial: Path) -> Path:
    """Where the ETag or date of the file that `partial` is a part of is kept."""
    return partial.with_name(f"{partial.name}.validator")


def _discard(partial: Path) -> None:
    """Remove a partial download, so that the next attempt starts anew."""
    partial.unlink(missing_ok=True)
    _validator_path(partial).unlink(missing_ok=True)
