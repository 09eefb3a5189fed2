"""The finished parts of a run that writes a file, from which an interrupted run is resumed.

They lie beside the file, in `FILE.partial/FINGERPRINT/`. Each part holds the rows of the same
number of pictures, and appears whole. The fingerprint covers everything that determines the rows,
so parts of another model, other settings or another list of pictures are never mixed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from captioning.batch.pictures import Picture
from captioning.core.errors import InputError
from captioning.core.opening import DamagedError, read_sealed_json, write_sealed_json

_LOCK = "lock"


@contextmanager
def partial_folder(output: Path) -> Iterator[Path]:
    """Yield the folder for unfinished work on a file; no other process works on it meanwhile.

    Raises:
        InputError: another process works on it, or it cannot be made.
    """
    folder = output.with_name(f"{output.name}.partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK)
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"{output} is being written by another process: wait for it, or give another name"
        ) from None
    except OSError as error:
        raise InputError(f"{output} cannot be written ({error.strerror or error})") from None
    try:
        yield folder
    finally:
        lock.release()


class Parts:
    """The parts of one run.

    Args:
        folder: see `partial_folder`.
        fingerprint: name of the run, which depends on everything that determines its rows.
        pictures: number of pictures in each part but the last.
        total: number of pictures of the run.

    Attributes:
        folder: folder of the parts.
        number: number of parts.
        pictures: as given.
    """

    def __init__(self, folder: Path, fingerprint: str, pictures: int, total: int) -> None:
        self._parent = folder
        self.folder = folder / fingerprint
        self.folder.mkdir(exist_ok=True)
        self.pictures = pictures
        self.number = -(-total // pictures)

    @property
    def has_others(self) -> bool:
        """Whether there are parts of another model, other settings or other pictures."""
        return any(
            path.is_dir() and path != self.folder and any(path.iterdir())
            for path in self._parent.iterdir()
        )

    def size(self, part: int, total: int) -> int:
        """Number of pictures in a part, given that of all pictures."""
        return min(self.pictures, total - part * self.pictures)

    def finished(self, pictures: Iterable[Picture]) -> set[int]:
        """Numbers of the parts that are written, and whose files have not changed since.

        Args:
            pictures: all pictures of the run, in order.
        """
        found = set()
        for number, group in enumerate(grouped(pictures, self.pictures)):
            part = self._read(number)
            if part is not None and part["files"] == files_checksum(group):
                found.add(number)
        return found

    def missing(self, pictures: Iterable[Picture], finished: set[int]) -> Iterator[list[Picture]]:
        """Yield the pictures of each part whose number is not among the finished ones."""
        for number, group in enumerate(grouped(pictures, self.pictures)):
            if number not in finished:
                yield group

    def write(self, rows: Sequence[dict[str, Any]], files: str) -> None:
        """Write a part, which appears whole.

        Args:
            rows: its rows, see `Row.columns`.
            files: `files_checksum` of its pictures, from before they were read.
        """
        number = rows[0]["index"] // self.pictures
        write_sealed_json(self._path(number), {"files": files, "rows": list(rows)})

    def rows(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of each part, in order.

        Raises:
            DamagedError: a part was altered after it was written.
        """
        for number in range(self.number):
            part = self._read(number)
            if part is None:
                raise DamagedError(
                    self._path(number), "it was altered", "run the same command again"
                )
            yield part["rows"]

    def remove(self) -> None:
        """Remove all parts, also those of other runs for the same file."""
        shutil.rmtree(self._parent)

    def _path(self, number: int) -> Path:
        return self.folder / f"part-{number:08d}.json"

    def _read(self, number: int) -> dict[str, Any] | None:
        """A part; None if it is not there, or damaged."""
        path = self._path(number)
        if not path.is_file():
            return None
        try:
            return read_sealed_json(path)
        except DamagedError:
            return None


def grouped(pictures: Iterable[Picture], number: int) -> Iterator[list[Picture]]:
    """Pictures in groups of `number`; the last group may be smaller."""
    group: list[Picture] = []
    for picture in pictures:
        group.append(picture)
        if len(group) == number:
            yield group
            group = []
    if group:
        yield group


def files_checksum(pictures: Sequence[Picture]) -> str:
    """Checksum of the pictures' paths, and of the sizes and times of those that are local files."""
    digest = hashlib.sha256()
    for picture in pictures:
        try:
            status = Path(picture.path).stat()
            digest.update(f"{status.st_size} {status.st_mtime_ns} ".encode())
        except (OSError, ValueError):
            pass  # A URL, or a file that is not there.
        digest.update(os.fsencode(picture.path) + b"\0")
    return digest.hexdigest()
