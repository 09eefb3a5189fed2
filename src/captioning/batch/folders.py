"""The pictures in a folder and in its subfolders, in a fixed order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from captioning.batch.pictures import Listed
from captioning.batch.sorted_names import sorted_names
from captioning.data.images.formats import IMAGE_SUFFIXES

# How many subfolders are searched for pictures to say what `--recursive` would find.
_SEARCHED_FOLDERS = 1000


class Skipped:
    """Counts the files that are left out, because their names are not those of pictures."""

    def __init__(self) -> None:
        self.number = 0


def pictures_in(top: str, recursive: bool, skipped: Skipped) -> Iterator[Listed]:
    """List the pictures in a folder, by their suffixes: first its own, then those of subfolders.

    Names that begin with a dot are left out, as systems use them for files of their own. Links to
    folders are followed, but every folder is read once, so that links in a circle end. A folder
    that cannot be read, or is reached again by a link, is listed with the reason.

    Args:
        top: path of the folder.
        recursive: whether subfolders are read.
        skipped: counts the files that are left out.
    """
    found = False
    for listed in _walk(top, recursive, skipped):
        found = True
        yield listed
    if not found:
        yield Listed(top, _nothing_found(top, recursive))


def _walk(top: str, recursive: bool, skipped: Skipped) -> Iterator[Listed]:
    read: set[tuple[int, int]] = set()
    pending = [top]
    while pending:
        folder = pending.pop()
        subfolders: list[bytes] = []
        try:
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in read:
                yield Listed(folder, f"{folder} leads to a folder that is read already")
                continue
            read.add((status.st_dev, status.st_ino))
            for name in sorted_names(_image_names(folder, subfolders, skipped)):
                yield Listed(str(Path(folder, os.fsdecode(name))))
        except OSError as error:
            yield Listed(folder, f"{folder} cannot be read ({error.strerror or error})")
        if recursive:
            subfolders.sort(reverse=True)
            pending += (str(Path(folder, os.fsdecode(name))) for name in subfolders)


def _image_names(folder: str, subfolders: list[bytes], skipped: Skipped) -> Iterator[bytes]:
    """Names of the files with an image's suffix; the names of folders go into `subfolders`."""
    with os.scandir(folder) as entries:
        for entry in entries:
            hidden = entry.name.startswith(".")
            if _is_folder(entry):
                if not hidden:
                    subfolders.append(os.fsencode(entry.name))
            elif not hidden and has_image_suffix(entry.name):
                yield os.fsencode(entry.name)
            else:
                skipped.number += 1


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link to itself, for example.
        return False


def has_image_suffix(name: str) -> bool:
    """Whether a file's name ends like that of a picture, in lower or upper case."""
    return Path(name).suffix.lower() in IMAGE_SUFFIXES


def _nothing_found(top: str, recursive: bool) -> str:
    suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
    if not recursive and _has_pictures_below(top):
        return f"{top} contains image files in its subfolders only: --recursive reads these too"
    where = " and its subfolders contain" if recursive else " contains"
    return f"{top}{where} no image file ({suffixes})"


def _has_pictures_below(top: str) -> bool:
    """Whether there is a picture in one of the first subfolders."""
    for folder, folders, files in islice(os.walk(top), _SEARCHED_FOLDERS):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if folder != top and any(has_image_suffix(name) for name in files if name[:1] != "."):
            return True
    return False
