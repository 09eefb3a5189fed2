"""The files in the zip archives of a folder, as if they were unpacked."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from captioning.data.local_file import MAX_IMAGE_BYTES
from captioning.download.datasets.folder.rows import RowError
from captioning.download.names import is_unicode
from captioning.download.sources.zip_archive import ZipArchive


class ArchivedFiles:
    """The files in several zip archives. Their names are the archive's, `/` and their own.

    Args:
        root: the folder of the archives.
        archives: names of the archives, relative to `root`.

    Raises:
        InputError: a file is not a usable zip archive (see `ZipArchive`).
    """

    def __init__(self, root: Path, archives: Sequence[str]) -> None:
        self._archives = {name: ZipArchive(root / name) for name in archives}
        self._places: dict[str, tuple[str, str]] = {}
        self._by_basename: dict[str, list[str]] = defaultdict(list)
        self._used: set[str] = set()
        for archive, opened in self._archives.items():
            for member in filter(is_unicode, opened.names):
                name = f"{archive}/{member}"
                self._places[name] = (archive, member)
                self._by_basename[posixpath.basename(member)].append(name)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def find(self, path: str) -> str | None:
        """The name of the file whose path ends with a path, in its archive.

        The archive counts as a folder: `images.zip` as `images`.

        Raises:
            RowError: there are several.
        """
        found = [
            name
            for name in self._by_basename.get(posixpath.basename(path), ())
            if self._unpacked(name).endswith(f"/{path}")
        ]
        if len(found) > 1:
            raise RowError(f"{path!r} is in two places, {' and '.join(found[:2])}: remove one")
        return self.use(found[0]) if found else None

    def with_basename(self, basename: str) -> Sequence[str]:
        """The names of all files with this name, in any folder of any archive."""
        return self._by_basename.get(basename, ())

    def use(self, name: str) -> str:
        """Note that a file's archive is used, if it is in one; return the file's name."""
        if name in self._places:
            self._used.add(self._places[name][0])
        return name

    def used(self) -> list[str]:
        """The files in archives that are used."""
        return [name for name, (archive, _) in self._places.items() if archive in self._used]

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            InputError: the file is damaged or too large.
        """
        archive, member = self._places[name]
        return self._archives[archive].read(member, MAX_IMAGE_BYTES)

    def close(self) -> None:
        """Close the archives."""
        for archive in self._archives.values():
            archive.close()

    def _unpacked(self, name: str) -> str:
        """The path that a file would have if its archive were unpacked, with `/` before it."""
        archive, member = self._places[name]
        return f"/{posixpath.splitext(archive)[0]}/{member}"
