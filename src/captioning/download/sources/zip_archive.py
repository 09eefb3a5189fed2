"""Read zip archives member by member, without unpacking them to disk."""

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
from captioning.download.names import leads_outside

# The exceptions that `zipfile` raises on damaged archives.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


class ZipArchive(Closing):
    """A zip archive that is open for reading; a context manager.

    The names of all members are checked when the archive is opened. Folders are left out, and so
    is `__MACOSX/`, which macOS adds to archives.

    Attributes:
        path: path of the archive.
        names: names of its members, in the archive's order.

    Raises:
        InputError: the file is truncated or not a zip archive, or a member is a symbolic link,
            occurs twice, or has a name that is absolute or leads outside the archive (`..`).
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        try:
            self._zip = zipfile.ZipFile(self.path)
        except _DAMAGED as error:
            raise InputError(
                f"{self.path} is truncated or not a zip archive ({error}): download it again"
            ) from error
        self.names: list[str] = []
        try:
            self._check_members()
        except InputError:
            self._zip.close()
            raise

    def read(self, name: str, limit: int) -> bytes:
        """Return a member's bytes.

        Args:
            name: name of the member.
            limit: largest number of bytes accepted.

        Raises:
            InputError: the member does not exist, is damaged, or is larger than `limit` bytes.
        """
        with self._open(name) as file:
            # The size in the archive's header may be wrong, so the bytes are counted.
            data = file.read(limit + 1)
            if len(data) > limit:
                raise self._too_large(name, limit)
            return data

    def lines(self, name: str, limit: int) -> Iterator[bytes]:
        """Yield the lines of a text member, without their line ends (LF or CRLF).

        Args:
            name: name of the member.
            limit: largest number of bytes accepted, for the whole member.

        Raises:
            InputError: see `read`.
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
        """Fill `names`; reject members that no ordinary dataset archive contains."""
        seen = set()
        for member in self._zip.infolist():
            if leads_outside(member.filename):
                fault = "leads outside the archive"
            elif stat.S_ISLNK(member.external_attr >> 16):
                fault = "is a symbolic link"
            elif member.filename in seen:
                fault = "occurs twice"
            else:
                seen.add(member.filename)
                if not (member.filename.startswith(("__MACOSX/", "__MACOSX\\")) or member.is_dir()):
                    self.names.append(member.filename)
                continue
            raise InputError(
                f"{self.path} is not used, because its member {member.filename!r} {fault}"
            )

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a member; every failure becomes an `InputError` with the member's name."""
        try:
            with self._zip.open(name) as file:
                yield file
        except KeyError:
            raise InputError(f"{self.path} has no member {name!r}") from None
        except _DAMAGED as error:
            raise InputError(
                f"{self.path}: its member {name!r} cannot be read ({error}): download it again"
            ) from error

    def _too_large(self, name: str, limit: int) -> InputError:
        return InputError(
            f"{self.path} is not used, because its member {name!r} expands to more than "
            f"{limit:,} bytes"
        )
