"""Flickr's token files: `Flickr8k.token.txt`, `results_20130124.token` of Flickr30k, and others.

Each line has the name of an image with `#` and a number, a tab and a caption.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from captioning.download.datasets.folder.files import FolderFiles, suffix
from captioning.download.datasets.folder.forms.base import Form
from captioning.download.datasets.folder.problems import Location, Problems
from captioning.download.datasets.folder.rows import Row, shortened
from captioning.download.datasets.folder.text_lines import first_line, text_lines

# Lists of images that may lie beside the token file, and the split of each.
_SPLIT_LISTS = {
    "Flickr_8k.trainImages.txt": "train",
    "Flickr_8k.devImages.txt": "validation",
    "Flickr_8k.testImages.txt": "test",
}
_LINE = re.compile(r"([^\t#]+\.\w+)#\d+\t(.*)")
# Flickr8k names one image that does not exist: `2258277193_586949ec62.jpg.1`.
_MISPRINT = re.compile(r".+\.jpe?g\.\d+", re.IGNORECASE)


def find_flickr_tokens(files: FolderFiles) -> Form | None:
    """The token files, at most two folders deep.

    Flickr8k comes with a file of lemmas, too, which is no file of captions.
    """
    found = tuple(
        name
        for name in files.visible()
        if suffix(name) in (".txt", ".token")
        and name.count("/") < 3
        and "lemma" not in posixpath.basename(name).lower()
        and _LINE.fullmatch(first_line(files, name))
    )
    return Form("Flickr's token files", found, _read) if found else None


def _read(files: FolderFiles, name: str, problems: Problems) -> Iterator[Row]:
    """Yield the rows of one file; if there are lists of splits, only those of listed images."""
    splits = _splits(files, posixpath.dirname(name), problems)
    for location, line in text_lines(files.root, name, problems):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            expected = "is not an image with # and a number, a tab and a caption"
            problems.add(location, f"{expected}: {shortened(line)}")
        elif not _MISPRINT.fullmatch(match[1]) and (not splits or match[1] in splits):
            yield Row(location, match[1], (match[2],), splits.get(match[1]), anywhere=True)


def _splits(files: FolderFiles, folder: str, problems: Problems) -> dict[str, str]:
    """The split of each image that the lists in a folder name; none if there are no lists."""
    splits: dict[str, str] = {}
    for basename, split in _SPLIT_LISTS.items():
        name = posixpath.join(folder, basename)
        if name not in files.names:
            continue
        for location, line in text_lines(files.root, name, problems):
            image = line.strip()
            if image and splits.setdefault(image, split) != split:
                _add_conflict(location, image, splits[image], problems)
    return splits


def _add_conflict(location: Location, image: str, other: str, problems: Problems) -> None:
    problems.add(location, f"{shortened(image)} is in the split {other}, too: remove it from one")
