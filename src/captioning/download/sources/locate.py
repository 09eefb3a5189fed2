"""From a place in params.yaml (a URL, a file or a folder) to a path on this machine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from captioning.core.errors import InputError
from captioning.download.sources.fetch import check_md5, fetch


def is_url(place: str) -> bool:
    """Whether a place is a URL rather than a path."""
    return "://" in place


def locate(place: str, md5: str | None) -> Path:
    """Return the path of a file or folder, fetched where that is needed.

    A file that is on this machine is used where it lies, checked if `md5` is given. Any other with
    a sum is fetched, so `CAPTIONING_SOURCE` may name a place of its own for it.

    Args:
        place: URL (http or https) of a file, or path of a file or folder; `~` is the user's home.
        md5: 32 hexadecimal digits; None for a folder, and for a file whose bytes aren't checked.

    Raises:
        InputError: there is no such thing, it can't be fetched, it is a URL or file whose sum is
            missing or differs, or a folder with a sum.
    """
    if is_url(place):
        if md5 is None:
            raise InputError(f"{place}: what is fetched needs its MD5 sum in params.yaml")
        source, _, name = place.rpartition("/")
        return fetch(source, unquote(name), md5)
    path = Path(place).expanduser()
    if md5 is None:
        if not path.exists():
            raise InputError(f"there is no file or folder {path}: correct it in params.yaml")
        return path
    if path.is_dir():
        raise InputError(f"{path} is a folder, which has no MD5 sum: set it to null in params.yaml")
    if not path.is_file():
        return fetch(str(path.parent), path.name, md5)
    check_md5(path, md5)
    return path
