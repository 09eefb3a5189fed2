"""List the files of a folder, and find the file that a caption's path refers to."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections import defaultdict
from pathlib import Path, PurePosixPath

from captioning.core.errors import InputError
from captioning.data.images import IMAGE_SUFFIXES
from captioning.download.datasets.folder.rows import RowError, is_unicode, shortened


class FolderFiles:
    """All files in a folder and its subfolders.

    Symbolic links to files are followed, because DVC may replace files by links to its cache. Links
    to folders are not followed, because DVC does not notice changes in them.

    Attributes:
        root: path of the folder.
        names: sorted names of the files, relative to `root`, with `/` as separator.
        undecodable: names that are not valid Unicode, escaped.

    Raises:
        InputError: `root` is not a folder.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise InputError(f"datasets.folder.path: {root} is not a folder")
        found = _walk(self.root)
        self.names = sorted(name for name in found if is_unicode(name))
        self.undecodable = sorted(ascii(name) for name in found if not is_unicode(name))
        self._exact = set(self.names)
        # Some systems store é as one character, others as two. The caption file may come from
        # another system than the images.
        self._by_nfc = {_nfc(name): name for name in self.names if not name.isascii()}
        self._by_basename: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            self._by_basename[posixpath.basename(name).lower()].append(name)

    def images(self) -> list[str]:
        """The visible files with the suffix of an image."""
        return [name for name in self.visible() if suffix(name) in IMAGE_SUFFIXES]

    def visible(self) -> list[str]:
        """The files that are not hidden: neither the file nor a folder starts with a dot."""
        return [name for name in self.names if "/." not in f"/{name}"]

    def find(self, written: str, base: str) -> str:
        """Return the name of the file that a caption file refers to.

        Args:
            written: path in the caption file. `\\` is read as `/`, unless it is part of a name.
            base: folder of the caption file, relative to `root`.

        Raises:
            RowError: there is no such file, or the path leads outside the folder.
        """
        for path in dict.fromkeys((written, written.replace("\\", "/"))):
            name = posixpath.normpath(posixpath.join(base, path))
            if name in self._exact:
                return name
            if (composed := _nfc(name)) in self._by_nfc:
                return self._by_nfc[composed]
        if name.startswith(("/", "../")) or name == "..":
            raise RowError(f"{shortened(written)} leads outside the folder")
        raise RowError(f"there is no file {shortened(written)}{self._suggestion(name)}")

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


def _walk(folder: Path) -> list[str]:
    """Names of all files in a folder and its subfolders; see `FolderFiles` about links."""
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
