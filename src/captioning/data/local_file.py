"""Read image files from disk with a size limit; what is no file is refused before it is opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from captioning.core.errors import InputError

#: Largest size of a file that is read as an image: 64 megapixels, uncompressed, of 4 bytes each.
MAX_IMAGE_BYTES = 256 << 20

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class FileError(InputError):
    """A file that cannot be read."""


def read_image_file(path: Path | str, name: str = "", limit: int = MAX_IMAGE_BYTES) -> bytes:
    """Return the bytes of a file; symbolic links are followed.

    Named pipes and devices are not opened: they can wait forever for a writer, never end, or do
    something when they are opened.

    Args:
        path: path of the file.
        name: name in error messages; by default the path.
        limit: largest number of bytes accepted.

    Raises:
        FileError: there is no such file, it cannot be read, or it is larger than `limit`.
    """
    name = name or str(path)
    try:
        _check_kind(Path(path).stat(), name)
        with open(path, "rb", opener=_without_waiting) as file:
            # Somebody may have put something else there in the meantime.
            _check_kind(os.fstat(file.fileno()), name)
            data = file.read(limit + 1) or b""
    except OSError as error:
        raise FileError(f"{name} cannot be read ({error.strerror or error})") from error
    except ValueError as error:  # A NUL character in the path.
        raise FileError(f"{name!r} cannot be read ({error})") from error
    if len(data) > limit:
        raise FileError(f"{name} is larger than the limit of {limit:,} bytes")
    return data


def _check_kind(status: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise FileError(f"{name} is {kind}, not a file")


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
