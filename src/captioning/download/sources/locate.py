"""Turn a place given in params.yaml (a URL, a file or a folder) into a path on this machine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from captioning.core.errors import InputError
from captioning.download.sources.fetch import check_md5, fetch


def is_url(place: str) -> bool:
    """Whether a place is a URL rather than a path."""
    return "://" in place


def locate(place: str, md5: str | None) -> Path:
    """Return the path of a file or folder; a file that is not on this machine is downloaded.

    A file on this machine is used in place, and checked if `md5` is given. Any other file must
    have an MD5 sum; it is fetched from `CAPTIONING_SOURCE` instead of its own place if that
    environment variable is set.

    Args:
        place: URL (http or https) of a file, or path of a file or folder; `~` is the user's home
            folder.
        md5: expected MD5 sum, as 32 hexadecimal digits; None for a folder, or to skip the check of
            a local file.

    Raises:
        InputError: the file or folder does not exist, the file cannot be downloaded, its sum is
            wrong, a URL has no sum, or a folder has one.
    """
    if is_url(place):
        if md5 is None:
            raise InputError(f"{place} is downloaded, so it needs an MD5 sum in params.yaml")
        source, _, name = place.rpartition("/")
        return fetch(source, unquote(name), md5)
    path = Path(place).expanduser()
    if md5 is None:
        if not path.exists():
            raise InputError(f"the file or folder {path} does not exist: correct it in params.yaml")
        return path
    if path.is_dir():
        raise InputError(
            f"{path} is a folder, and folders have no MD5 sum: set the sum to null in params.yaml"
        )
    if not path.is_file():
        return fetch(str(path.parent), path.name, md5)
    check_md5(path, md5)
    return path
