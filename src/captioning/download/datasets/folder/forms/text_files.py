"""A text file next to each image, with one caption per line."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from captioning.download.datasets.folder.files import FolderFiles, by_stem, stem, suffix
from captioning.download.datasets.folder.forms.base import Form
from captioning.download.datasets.folder.problems import Location, Problems
from captioning.download.datasets.folder.rows import Row
from captioning.download.datasets.folder.text_tables import NOT_UTF8

_LOG_OF_IMG2DATASET = re.compile(r"\d+_stats\.json")


def find_text_files(files: FolderFiles) -> Form | None:
    """The text files next to images, if there are any."""
    images = by_stem(files.images())
    texts = [name for name in files.visible() if suffix(name) == ".txt"]
    matched = tuple(name for name in texts if stem(name) in images)
    if not matched:
        return None

    def read(files: FolderFiles, name: str, problems: Problems) -> Iterator[Row]:
        return _rows(files, name, images[stem(name)], problems)

    logs = [name for name in files.visible() if _LOG_OF_IMG2DATASET.fullmatch(name)]
    form = "img2dataset's files" if logs else "a text file beside each image"
    return Form(form, matched, read, tuple(name for name in texts if stem(name) not in images))


def _rows(files: FolderFiles, name: str, images: list[str], problems: Problems) -> Iterator[Row]:
    """Read a text file next to an image: every line that is not blank is a caption."""
    if len(images) > 1:
        problems.add(Location(name), f"is next to more than one image: {', '.join(images)}")
        return
    for number, line in enumerate((files.root / name).read_bytes().split(b"\n"), start=1):
        location = Location(name, number)
        try:
            caption = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            problems.add(location, NOT_UTF8)
            continue
        if caption:
            yield Row(location, posixpath.basename(images[0]), (caption,), None)
