"""Find image files by name in folders and zip archives, and read them one by one."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from captioning.core.errors import InputError
from captioning.data.images.formats import IMAGE_SUFFIXES
from captioning.data.local_file import MAX_IMAGE_BYTES, read_image_file
from captioning.download.closing import Closing
from captioning.download.names import check_name
from captioning.download.sources.zip_archive import ZipArchive


class ImageFolder:
    """A folder and its subfolders, with the same interface for reading as `ZipArchive`.

    Hidden files and folders are left out, and so are named pipes and devices. Symbolic links are
    followed, except to a folder that has been visited already.

    Attributes:
        path: path of the folder.
        names: sorted names of the files, relative to the folder, with `/` as separator.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.names = sorted(self._walk())

    def read(self, name: str, limit: int) -> bytes:
        """Return a file's bytes.

        Args:
            name: one of `names`.
            limit: largest number of bytes accepted.

        Raises:
            InputError: the file cannot be read, or is larger than `limit` bytes.
        """
        return read_image_file(self.path / name, limit=limit)

    def _walk(self) -> Iterator[str]:
        visited = set()
        for folder, folders, files in os.walk(self.path, followlinks=True):
            visited.add(os.path.realpath(folder))
            folders[:] = [
                name
                for name in folders
                if name[0] != "." and os.path.realpath(Path(folder, name)) not in visited
            ]
            inside = Path(folder).relative_to(self.path)
            for name in files:
                if name[0] != "." and Path(folder, name).is_file():
                    yield (inside / name).as_posix()


class ImageFile(NamedTuple):
    """Location of one file.

    Attributes:
        source: folder or archive that contains the file.
        name: name of the file in `source`.
    """

    source: ImageFolder | ZipArchive
    name: str

    def read(self) -> bytes:
        """Return the file's bytes.

        Raises:
            InputError: the file cannot be read, or is larger than `MAX_IMAGE_BYTES`.
        """
        return self.source.read(self.name, MAX_IMAGE_BYTES)

    def __str__(self) -> str:
        return f"{self.source.path}/{self.name}"


class ImageFiles(Closing):
    """The files of several folders and zip archives; a context manager.

    Args:
        paths: paths of the folders and zip archives.

    Raises:
        InputError: a file in `paths` is not a usable zip archive (see `ZipArchive`).
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files_by_name: dict[str, list[ImageFile]] = {}
        with ExitStack() as stack:
            for path in paths:
                is_folder = path.is_dir()
                source = ImageFolder(path) if is_folder else stack.enter_context(ZipArchive(path))
                for name in source.names:
                    file = ImageFile(source, name)
                    self._files_by_name.setdefault(_nfc(PurePosixPath(name).name), []).append(file)
            self._open_archives = stack.pop_all()

    def find(self, path: str) -> ImageFile | None:
        """Find the file that an annotation refers to as `path`, like `val2014/COCO_val2014_1.jpg`.

        Further folders may precede the path. If no file matches the whole path, the file name
        alone is compared, because archives are unpacked into folders of various names. Some systems
        store é as one character, others as two; a file with the same characters comes first.

        Raises:
            InputError: several files match, or the path leads outside the data, see `names`.
        """
        check_name(path, "image")
        same_name = self._files_by_name.get(_nfc(PurePosixPath(path).name), [])
        matches = (
            [file for file in same_name if f"/{file.name}".endswith(f"/{path}")]
            or [file for file in same_name if f"/{_nfc(file.name)}".endswith(f"/{_nfc(path)}")]
            or same_name
        )
        if len(matches) > 1:
            places = " and ".join(str(file) for file in matches[:2])
            raise InputError(f"image {path} is in two places, {places}: remove one of them")
        return matches[0] if matches else None

    def other_images(self, found: Iterable[ImageFile]) -> list[str]:
        """Sorted names of the other images in the folders of the `found` ones."""
        names = {(file.source.path, file.name) for file in found}
        folders = {(source, PurePosixPath(name).parent) for source, name in names}
        return sorted(
            file.name
            for files in self._files_by_name.values()
            for file in files
            if (file.source.path, file.name) not in names
            and (file.source.path, PurePosixPath(file.name).parent) in folders
            and PurePosixPath(file.name).suffix.lower() in IMAGE_SUFFIXES
        )

    def close(self, complete: bool = True) -> None:
        """Close every archive."""
        self._open_archives.close()


def _nfc(name: str) -> str:
    """A name in Unicode's composed form: each accented letter is one character."""
    return unicodedata.normalize("NFC", name)
