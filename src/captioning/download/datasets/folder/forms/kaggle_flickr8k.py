"""Kaggle's Flickr8k: `captions.txt` with the header `image,caption`, and the folder `Images`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from captioning.download.datasets.folder.files import FolderFiles, suffix
from captioning.download.datasets.folder.forms.base import Form
from captioning.download.datasets.folder.problems import Problems
from captioning.download.datasets.folder.rows import Row, RowError, shortened
from captioning.download.datasets.folder.text_lines import first_line, text_lines

NAME = "Kaggle's Flickr8k"
_IMAGES = 8_091
_HEADER = re.compile(r"image\s*,\s*caption", re.IGNORECASE)
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


def find_kaggle_flickr8k(files: FolderFiles) -> Form | None:
    """The text files with this header, at most one folder deep."""
    found = [
        name
        for name in files.visible()
        if suffix(name) == ".txt" and name.count("/") < 2 and is_header(first_line(files, name))
    ]
    if not found:
        return None
    # Kaggle has Flickr30k and others in this form, too.
    name = NAME if len(files.images()) <= _IMAGES else f"a file like that of {NAME}"
    return Form(name, tuple(found), read)


def is_header(line: str) -> bool:
    """Whether a line is the header of such a file."""
    return _HEADER.fullmatch(line.strip()) is not None


def read(files: FolderFiles, name: str, problems: Problems) -> Iterator[Row]:
    """Yield the rows of one file; the images are found by their names, in any folder."""
    for location, line in text_lines(files.root, name, problems):
        if location.line > 1 and line.strip():
            try:
                image, caption = split_line(line)
            except RowError as error:
                problems.add(location, str(error))
                continue
            yield Row(location, image, (caption,), None, anywhere=True)


def split_line(line: str) -> tuple[str, str]:
    """The image and the caption of a line; the caption may be quoted, and contain commas.

    >>> split_line('1_a.jpg,"A dog , running ."')
    ('1_a.jpg', 'A dog , running .')

    Raises:
        RowError: the line has no comma, or no name before it.
    """
    image, comma, caption = line.partition(",")
    if not comma or not image.strip():
        raise RowError(f"is not an image and a caption, separated by a comma: {shortened(line)}")
    return image.strip(), unquoted(caption)


def unquoted(text: str) -> str:
    """A caption without the quotes around it, if it is quoted as a whole."""
    match = _QUOTED.fullmatch(text.strip())
    return match[1].replace('""', '"') if match else text.strip()
