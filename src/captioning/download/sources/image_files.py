"""The image files in folders and zip archives, found by name and read one by one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from captioning.core.errors import InputError
from captioning.data.images import IMAGE_SUFFIXES
from captioning.download.closing import Closing
from captioning.download.sources.zip_archive import Archive

# Most bytes of one image.
LIMIT = 64 << 20


class ImageFolder:
    """A folder and all below it, with what `Archive` has for reading.

    Hidden files and folders are left out; links are followed, in a circle once.

    Attributes:
        path: of the folder.
        names: of the files, relative to the folder, with `/` between the parts; sorted.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.names = sorted(self._walk())

    def read(self, name: str, limit: int) -> bytes:
        """Return a file's bytes.

        Raises:
            InputError: it can't be read, or has more than `limit` bytes.
        """
        try:
            with open(self.path / name, "rb") as file:
                data = file.read(limit + 1)
        except OSError as error:
            raise InputError(f"{self.path / name} can't be read ({error})") from error
        if len(data) > limit:
            raise InputError(f"{self.path / name}: refused, it has more than {limit:,} bytes")
        return data

    def _walk(self) -> Iterator[str]:
        seen = set()
        for folder, folders, files in os.walk(self.path, followlinks=True):
            seen.add(os.path.realpath(folder))
            folders[:] = [
                name
                for name in folders
                if name[0] != "." and os.path.realpath(Path(folder, name)) not in seen
            ]
            inside = Path(folder).relative_to(self.path)
            yield from ((inside / name).as_posix() for name in files if name[0] != ".")


class ImageFile(NamedTuple):
    """Where one file is: its folder or archive, and its name in there."""

    source: ImageFolder | Archive
    name: str

    def read(self) -> bytes:
        """Return the file's bytes; raises `InputError` if it can't be read or is over `LIMIT`."""
        return self.source.read(self.name, LIMIT)

    def __str__(self) -> str:
        return f"{self.source.path}/{self.name}"


class ImageFiles(Closing):
    """The files of some folders and zip archives; a context manager.

    Raises:
        InputError: a file among `paths` is no good zip archive (see `Archive`).
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files: dict[str, list[ImageFile]] = {}
        with ExitStack() as stack:
            for path in paths:
                folder = path.is_dir()
                source = ImageFolder(path) if folder else stack.enter_context(Archive(path))
                for name in source.names:
                    file = ImageFile(source, name)
                    self._files.setdefault(PurePosixPath(name).name, []).append(file)
            self._open = stack.pop_all()

    def find(self, path: str) -> ImageFile | None:
        """Find the file that an annotation names `path`, such as `val2014/COCO_val2014_1.jpg`.

        It may lie below further folders. If nothing lies under the whole path, the file's name
        alone decides: people unpack archives in their own ways.

        Raises:
            InputError: several files fit.
        """
        named = self._files.get(PurePosixPath(path).name, [])
        whole = [file for file in named if f"/{file.name}".endswith(f"/{path}")]
        fitting = whole or named
        if len(fitting) > 1:
            places = " and ".join(str(file) for file in fitting[:2])
            raise InputError(f"image {path} is in two places, {places}: leave one of them out")
        return fitting[0] if fitting else None

    def others(self, found: Iterable[ImageFile]) -> list[str]:
        """Names of images beside those found, in the same folders; sorted."""
        names = {(file.source.path, file.name) for file in found}
        folders = {(source, PurePosixPath(name).parent) for source, name in names}
        return sorted(
            file.name
            for files in self._files.values()
            for file in files
            if (file.source.path, file.name) not in names
            and (file.source.path, PurePosixPath(file.name).parent) in folders
            and PurePosixPath(file.name).suffix.lower() in IMAGE_SUFFIXES
        )

    def close(self, complete: bool = True) -> None:
        """Close every archive."""
        self._open.close()
