"""The JSON files of a folder that may contain captions, recognized without parsing them."""

from __future__ import annotations

import mmap
from pathlib import Path

from captioning.download.datasets.folder.files import FolderFiles, suffix

_HEAD_BYTES = 1 << 12


def json_files(files: FolderFiles, start: str) -> list[str]:
    """The JSON files, at most one folder deep, whose content starts with a sign.

    Args:
        files: the folder's files.
        start: the sign, without white space before it.
    """
    return [
        name
        for name in files.visible()
        if suffix(name) == ".json"
        and name.count("/") < 2
        and _head(files.root / name).startswith(start.encode())
    ]


def mentions(path: Path, *keys: str) -> bool:
    """Whether a JSON file contains all of these texts in quotes; it may be large."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return all(data.find(f'"{key}"'.encode()) >= 0 for key in keys)
    except (OSError, ValueError):
        return False


def _head(path: Path) -> bytes:
    """The first bytes of a file, without white space; nothing if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return b"".join(file.read(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").split())
    except OSError:
        return b""
