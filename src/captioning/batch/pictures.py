"""A picture of a run, and the list of all of them in a temporary file.

A list of ten million paths would take gigabytes as Python objects. So the list lies in a file, and
its number and checksum are known before the first picture is read.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

_END = b"\0"
_READ_BYTES = 1 << 16


class Listed(NamedTuple):
    """What a name on the command line, in a list or in a folder leads to.

    Attributes:
        path: path, URL, or `-` for standard input; without NUL characters.
        error: why it cannot be read; empty for what looks like a picture.
    """

    path: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to caption.

    Attributes:
        index: its place among all pictures of the run, from 0.
        path, error: see `Listed`.
    """

    index: int
    path: str
    error: str = ""


def is_url(name: str) -> bool:
    """Whether a name is a URL, of any scheme, rather than a path."""
    return "://" in name


def readable(path: str) -> str:
    r"""A path as text that every file format can hold: bytes that are not UTF-8 become `\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class PictureList:
    """The pictures of a run, in a temporary file that is gone when the process ends.

    Args:
        listed: what to caption; read once, to its end.
        folder: where the temporary file is made; None means the system's folder for such files.

    Attributes:
        number: number of pictures, including those that cannot be read.
        sha256: checksum of the list, in hexadecimal.
        any_url: whether a URL is among them.
    """

    def __init__(self, listed: Iterable[Listed], folder: Path | None = None) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self.number, self.any_url = 0, False
        digest = hashlib.sha256()
        for path, error in listed:
            # An error may quote a name that is not UTF-8.
            record = os.fsencode(path) + _END + error.encode("utf-8", "surrogateescape") + _END
            digest.update(record)
            self._file.write(record)
            self.number += 1
            self.any_url = self.any_url or is_url(path)
        self.sha256 = digest.hexdigest()

    def __iter__(self) -> Iterator[Picture]:
        """All pictures in their order; one iteration at a time."""
        self._file.seek(0)
        records = nul_separated(self._file)
        for index, path in enumerate(records):
            error = next(records).decode("utf-8", "surrogateescape")
            yield Picture(index, os.fsdecode(path), error)


def nul_separated(file: IO[bytes]) -> Iterator[bytes]:
    """The records of a file in which a NUL byte ends each of them."""
    rest = b""
    while block := file.read(_READ_BYTES):
        *records, rest = (rest + block).split(_END)
        yield from records
