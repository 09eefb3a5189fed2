"""Reading zip archives member by member, without unpacking them to disk."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from captioning.core.errors import InputError
from captioning.download.closing import Closing

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


class Archive(Closing):
    """A zip archive opened for reading; a context manager.

    Every member's name is checked on opening. Members of `__MACOSX/`, which the Mac's archiver
    adds, and folders are left out.

    Attributes:
        path: of the archive.
        names: of its members, in the archive's order.

    Raises:
        InputError: it is truncated or no zip archive, or a member has an absolute name, one that
            leads outside (`..`) or one that is there twice, or is a symbolic link.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        try:
            self._zip = zipfile.ZipFile(self.path)
        except _BROKEN as error:
            raise InputError(
                f"{self.path} is truncated or not a zip archive ({error}): fetch it again"
            ) from error
        self.names: list[str] = []
        try:
            self._check_members()
        except InputError:
            self._zip.close()
            raise

    def read(self, name: str, limit: int) -> bytes:
        """Return a member's bytes.

        Raises:
            InputError: there is no such member, it is damaged, or it has more than `limit` bytes.
        """
        with self._open(name) as file:
            # What the header says of the size is not relied upon.
            data = file.read(limit + 1)
            if len(data) > limit:
                raise self._too_large(name, limit)
            return data

    def lines(self, name: str, limit: int) -> Iterator[bytes]:
        """Yield a text member's lines without their line ends (LF or CR LF).

        Raises:
            InputError: as `read`.
        """
        size = 0
        with self._open(name) as file:
            while line := file.readline(limit - size + 1):
                size += len(line)
                if size > limit:
                    raise self._too_large(name, limit)
                yield line.rstrip(b"\r\n")

    def close(self, complete: bool = True) -> None:
        """Close the archive."""
        self._zip.close()

    def _check_members(self) -> None:
        """Fill `names`, refusing what no honest archive of data holds."""
        seen = set()
        for member in self._zip.infolist():
            parts = member.filename.replace("\\", "/").split("/")
            if parts[0] == "" or parts[0].endswith(":") or ".." in parts:
                fault = "leads outside the archive"
            elif stat.S_ISLNK(member.external_attr >> 16):
                fault = "is a symbolic link"
            elif member.filename in seen:
                fault = "is there twice"
            else:
                seen.add(member.filename)
                if parts[0] != "__MACOSX" and not member.is_dir():
                    self.names.append(member.filename)
                continue
            raise InputError(f"{self.path}: refused, its member {member.filename!r} {fault}")

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a member; whatever is wrong with it becomes an error that names it."""
        try:
            with self._zip.open(name) as file:
                yield file
        except KeyError:
            raise InputError(f"{self.path} has no member {name!r}") from None
        except _BROKEN as error:
            raise InputError(f"{self.path}: member {name!r} can't be read ({error})") from error

    def _too_large(self, name: str, limit: int) -> InputError:
        return InputError(
            f"{self.path}: refused, its member {name!r} expands to more than {limit:,} bytes"
        )
