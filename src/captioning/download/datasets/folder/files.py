"""The files of a folder, by the paths that captions name them with."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections import defaultdict
from pathlib import Path, PurePosixPath

from captioning.core.errors import InputError
from captioning.data.images import IMAGE_SUFFIXES
from captioning.download.datasets.folder.rows import RowError, is_unicode, short


class Files:
    """All files below a folder.

    Linked files are files (DVC's cache may link them all); linked folders are not entered, because
    DVC doesn't see what is in them.

    Attributes:
        root: the folder.
        names: relative to it, with `/`, sorted.
        foreign: names that are no Unicode, escaped.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise InputError(f"datasets.folder.path: {root} is no folder")
        found = _walk(self.root)
        self.names = sorted(name for name in found if is_unicode(name))
        self.foreign = sorted(ascii(name) for name in found if not is_unicode(name))
        self._exact = set(self.names)
        # A caption file from one system and pictures from another: é is one sign or two.
        self._composed = {_composed(name): name for name in self.names if not name.isascii()}
        self._by_basename: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            self._by_basename[posixpath.basename(name).lower()].append(name)

    def images(self) -> list[str]:
        """Those that an image's suffix and no leading dot, of file or folder, mark as images."""
        return [name for name in self.visible() if suffix(name) in IMAGE_SUFFIXES]

    def visible(self) -> list[str]:
        """Those without a leading dot, of file or folder."""
        return [name for name in self.names if "/." not in f"/{name}"]

    def find(self, written: str, base: str) -> str:
        """The name of the file that a caption file in the folder `base` means by a path.

        `\\` is read as `/` where no file has it in its name.

        Raises:
            RowError: there is none, or the path leads outside the folder.
        """
        for path in dict.fromkeys((written, written.replace("\\", "/"))):
            name = posixpath.normpath(posixpath.join(base, path))
            if name in self._exact:
                return name
            if (composed := _composed(name)) in self._composed:
                return self._composed[composed]
        if name.startswith(("/", "../")) or name == "..":
            raise RowError(f"{short(written)} leads outside the folder")
        raise RowError(f"there is no file {short(written)}{self._hint(name)}")

    def _hint(self, name: str) -> str:
        """The one file of that name, in whatever folder and case, if there is one."""
        same = self._by_basename.get(posixpath.basename(name).lower(), ())
        return f"; is {same[0]!r} meant?" if len(same) == 1 else ""


def suffix(name: str) -> str:
    """A file's suffix in lower case."""
    return PurePosixPath(name).suffix.lower()


def stem(name: str) -> str:
    """A file's path without its suffix."""
    return posixpath.splitext(name)[0]


def by_stem(names: list[str]) -> dict[str, list[str]]:
    """Names, by their `stem`."""
    stems = defaultdict(list)
    for name in names:
        stems[stem(name)].append(name)
    return stems


def _composed(name: str) -> str:
    """A name with its accents in one sign each."""
    return unicodedata.normalize("NFC", name)


def _walk(folder: Path) -> list[str]:
    """Every file below a folder, through links to files but none to folders."""
    found: list[str] = []
    pending = [""]
    while pending:
        base = pending.pop()
        with os.scandir(folder / base) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{base}{entry.name}/")
                elif entry.is_file():
                    found.append(f"{base}{entry.name}")
    return found
