"""Get a dataset's file from a URL, through a cache, or from a local folder, and check its MD5 sum.

The environment variable `CAPTIONING_SOURCE` (a URL or a folder with the same files) replaces the
source in params.yaml. If checksums are given, it cannot change the result. `CAPTIONING_CACHE` is
the folder where downloads are kept; by default it is the user's cache folder.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import quote

import platformdirs
from filelock import FileLock
from tenacity.wait import wait_base

from captioning.core.errors import InputError
from captioning.core.files import md5 as md5_of
from captioning.download.names import check_file_name
from captioning.download.sources.resumable_download import BACK_OFF, PartialFile, download


def fetch(
    source: str, name: str, md5: str | None, *, folder: str = "", wait: wait_base = BACK_OFF
) -> Path:
    """Return the path of a file on this machine, downloading it first if necessary.

    A local file is checked and used in place; it is never copied. A download is kept in the cache
    under its checksum, and an interrupted one is resumed. If two processes fetch the same file, it
    is downloaded only once.

    Args:
        source: URL (http or https) or local folder that contains the file.
        name: name of the file.
        md5: expected MD5 sum, as 32 hexadecimal digits; None skips the check, and a file that is
            already in the cache is then never downloaded again.
        folder: subfolder of `source` that contains the file; in a local folder, the file may also
            be in `source` itself.
        wait: waiting time between attempts to download.

    Raises:
        InputError: the name is a path, or the file does not exist, cannot be downloaded or
            stored, or its checksum is wrong.
    """
    check_file_name(name, source)
    source = os.environ.get("CAPTIONING_SOURCE") or source
    if not re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", source):
        return _local_file(Path(source).expanduser(), folder, name, md5)
    if not source.lower().startswith(("http://", "https://")):
        raise InputError(f"source {source}: only http, https and local folders are supported")
    url = "/".join([source.rstrip("/"), *filter(None, [quote(folder)]), quote(name)])
    cached = cache_folder() / (md5 or hashlib.sha256(url.encode()).hexdigest()[:32])
    try:
        cached.mkdir(parents=True, exist_ok=True)
        with FileLock(cached / "lock"):
            return _cached_file(url, cached / name, md5, wait)
    except OSError as error:
        raise InputError(
            f"{name} cannot be stored in the cache {cached} ({error}): check the disk's free space "
            "and permissions, or set CAPTIONING_CACHE to another folder"
        ) from error


def cache_folder() -> Path:
    """Folder where downloads are kept; it is not part of any stage's outputs."""
    chosen = os.environ.get("CAPTIONING_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("captioning", appauthor=False)


def check_md5(path: Path, md5: str) -> None:
    """Check a local file against its expected MD5 sum, in hexadecimal.

    Raises:
        InputError: the sums differ.
    """
    found = md5_of(path)
    if found != md5:
        raise InputError(
            f"{path}: its MD5 sum is {found}, expected {md5}: put the right file there, or, if "
            "this file is the right one, correct the sum in params.yaml"
        )


def _local_file(folder: Path, subfolder: str, name: str, md5: str | None) -> Path:
    """Find a file in a local folder or its subfolder, and check it."""
    path = folder / name
    if subfolder and not path.is_file():
        path = folder / subfolder / name
    if not path.is_file():
        if not folder.is_dir():
            raise InputError(
                f"source {folder} is not an existing folder, but should contain {name}: create it, "
                "or change the source"
            )
        raise InputError(
            f"source {folder} does not contain the file {name}: put it there, or change the source"
        )
    if md5 is not None:
        check_md5(path, md5)
    return path


def _cached_file(url: str, path: Path, md5: str | None, wait: wait_base) -> Path:
    """Return the file at `path` in the cache; download it if it is missing or damaged."""
    if path.is_file() and md5 in (None, md5_of(path)):
        return path
    partial = PartialFile(path.with_name(f"{path.name}.partial"))
    download(url, partial, wait)
    found = md5_of(partial.path)
    if md5 not in (None, found):
        partial.discard()
        raise InputError(
            f"{url}: the MD5 sum of {path.name} is {found}, expected {md5}; the download was "
            "deleted: try again, or correct the source or the sum in params.yaml"
        )
    partial.complete(path)
    return path
