"""List the files of a folder, and find the file that a caption's path refers to."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from captioning.cluster.object_store import Store
from captioning.core.errors import InputError
from captioning.data.images.formats import IMAGE_SUFFIXES
from captioning.data.local_file import read_image_file
from captioning.download.closing import Closing
from captioning.download.datasets.folder.archived_files import ArchivedFiles
from captioning.download.datasets.folder.missing_file import detour, other_than_a_file
from captioning.download.datasets.folder.rows import RowError, shortened
from captioning.download.names import is_unicode, leads_outside


class FolderFiles(Closing):
    """All files in a folder and its subfolders.

    Symbolic links to files are followed, because DVC may replace files by links to its cache. Links
    to folders are not followed, because DVC does not notice changes in them.

    Attributes:
        root: path of the folder.
        names: sorted names of the files, relative to `root`, with `/` as separator.
        undecodable: names that are not valid Unicode, escaped.
        linked_folders: sorted names of links to folders.

    The images in zip archives count as if they were unpacked into a folder with the archive's name,
    once a caption file refers to one of them.

    Raises:
        InputError: `root` is not a folder.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise InputError(f"datasets.folder.path: {root} is not a folder")
        found, links = _walk(self.root)
        self.names = sorted(name for name in found if is_unicode(name))
        self.undecodable = sorted(ascii(name) for name in found if not is_unicode(name))
        self.linked_folders = sorted(links)
        self._exact = set(self.names)
        # Some systems store é as one character, others as two. The caption file may come from
        # another system than the images.
        self._by_nfc = {_nfc(name): name for name in self.names if not name.isascii()}
        self._by_basename: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            self._by_basename[posixpath.basename(name).lower()].append(name)
        self._archives: ArchivedFiles | None = None

    def images(self) -> list[str]:
        """The visible files with the suffix of an image, and those in archives that are used."""
        archived = self._archives.used() if self._archives else []
        return [n for n in (*self.visible(), *archived) if suffix(n) in IMAGE_SUFFIXES]

    def visible(self) -> list[str]:
        """The files that are not hidden: neither the file nor a folder starts with a dot."""
        return [name for name in self.names if "/." not in f"/{name}"]

    def find(self, written: str, base: str) -> str:
        """Return the name of the file that a caption file refers to.

        Args:
            written: path in the caption file. `\\` is read as `/`, unless it is part of a name.
            base: folder of the caption file, relative to `root`.

        Raises:
            RowError: there is no such file; the message says what is there instead.
        """
        if found := self._at(written, base):
            return found
        name = posixpath.normpath(posixpath.join(base, written.replace("\\", "/")))
        if leads_outside(name):
            raise RowError(f"{shortened(written)} {detour(self.root, name, base)}")
        if archived := self._in_archives().find(name):
            return archived
        raise RowError(
            other_than_a_file(self.root, name)
            or f"there is no file {shortened(written)}{self._suggestion(name)}"
        )

    def find_anywhere(self, written: str, base: str) -> str:
        """Return the name of a file that may be in any folder.

        It is found as `find` does, or else by the end of its path, or else by its name alone.

        Args:
            written: path in the caption file.
            base: folder of the caption file, relative to `root`.

        Raises:
            RowError: there is no such file, or there are several, or the path leads outside.
        """
        if found := self._at(written, base):
            return found
        path = posixpath.normpath(written.replace("\\", "/"))
        basename = posixpath.basename(path)
        names = self._by_basename.get(basename.lower(), ())
        same_name = [name for name in names if posixpath.basename(name) == basename]
        if not same_name:
            same_name += self._in_archives().with_basename(basename)
        if leads_outside(path) or not same_name:
            return self.find(written, base)  # Its message says what is wrong.
        matches = [name for name in same_name if f"/{name}".endswith(f"/{path}")] or same_name
        if len(matches) > 1:
            places = " and ".join(matches[:2])
            raise RowError(f"{shortened(written)} is in two places, {places}: remove one of them")
        return self._in_archives().use(matches[0])

    def _at(self, written: str, base: str) -> str | None:
        """The name of the file to which a path leads from `base`; None if there is none."""
        for path in dict.fromkeys((written, written.replace("\\", "/"))):
            name = posixpath.normpath(posixpath.join(base, path))
            if name in self._exact:
                return name
            if (composed := _nfc(name)) in self._by_nfc:
                return self._by_nfc[composed]
        return None

    def is_readable(self, name: str) -> bool:
        """Whether a file, or the archive that contains it, may be read."""
        if "://" in name or (self._archives and name in self._archives):
            return True
        return os.access(self.root / name, os.R_OK)

    def read(self, name: str) -> bytes:
        """The bytes of a file; it may be in an archive.

        Raises:
            InputError: the file cannot be read or is too large, or the archive is damaged.
        """
        if self._archives and name in self._archives:
            return self._archives.read(name)
        return read_image_file(self.root / name, name)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file, or an object in a store, for reading from any position.

        Args:
            name: name of the file, or URL of the object.

        Raises:
            OSError: the file cannot be read.
            InputError: the object cannot be read.
        """
        if "://" in name:
            folder, _, basename = name.rpartition("/")
            with Store(folder).open(basename) as remote:
                yield remote
        else:
            with open(self.root / name, "rb") as file:
                yield file

    def close(self, complete: bool = True) -> None:
        """Close the archives."""
        if self._archives:
            self._archives.close()

    def _in_archives(self) -> ArchivedFiles:
        """The files in the folder's zip archives, which are opened when they are needed first."""
        if self._archives is None:
            zips = [name for name in self.visible() if suffix(name) == ".zip"]
            self._archives = ArchivedFiles(self.root, zips)
        return self._archives

    def _suggestion(self, name: str) -> str:
        """Suggest a file with the same name in another folder or another case, if there is one."""
        same = self._by_basename.get(posixpath.basename(name).lower(), ())
        return f"; did you mean {same[0]!r}?" if len(same) == 1 else ""


def suffix(name: str) -> str:
    """A file's suffix in lower case."""
    return PurePosixPath(name).suffix.lower()


def stem(name: str) -> str:
    """A file's path without its suffix."""
    return posixpath.splitext(name)[0]


def by_stem(names: list[str]) -> dict[str, list[str]]:
    """Group names by their `stem`."""
    stems = defaultdict(list)
    for name in names:
        stems[stem(name)].append(name)
    return stems


def _nfc(name: str) -> str:
    """A name in Unicode's composed form: each accented letter is one character."""
    return unicodedata.normalize("NFC", name)


def _walk(folder: Path) -> tuple[list[str], list[str]]:
    """Names of all files in a folder and its subfolders, and of the links to folders."""
    found: list[str] = []
    links: list[str] = []
    pending = [""]
    while pending:
        base = pending.pop()
        with os.scandir(folder / base) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{base}{entry.name}/")
                elif entry.is_file():
                    found.append(f"{base}{entry.name}")
                elif entry.is_symlink() and entry.is_dir():
                    links.append(f"{base}{entry.name}")
    return found, links
