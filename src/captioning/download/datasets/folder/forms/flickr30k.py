"""Kaggle's Flickr30k: `results.csv`, whose columns are separated by `|`, beside its images."""

from __future__ import annotations

import re
from collections.abc import Iterator

from captioning.download.datasets.folder.files import FolderFiles, suffix
from captioning.download.datasets.folder.forms.base import Form
from captioning.download.datasets.folder.forms.kaggle_flickr8k import unquoted
from captioning.download.datasets.folder.problems import Problems
from captioning.download.datasets.folder.rows import Row, RowError, shortened
from captioning.download.datasets.folder.text_lines import first_line, text_lines

_HEADER = re.compile(
    r"image_name\s*(?P<sign>[|,])\s*comment_number\s*(?P=sign)\s*comment", re.IGNORECASE
)
# One line of the published file lacks the second sign: `2199200615.jpg| 4   A dog runs …`.
_NUMBER_AND_CAPTION = re.compile(r"\s*\d+\s+(.*\w.*)")


def find_flickr30k(files: FolderFiles) -> Form | None:
    """The files with this header, at most two folders deep."""
    found = [
        name
        for name in files.visible()
        if suffix(name) in (".csv", ".txt")
        and name.count("/") < 3
        and _HEADER.fullmatch(first_line(files, name))
    ]
    return Form("Kaggle's Flickr30k", tuple(found), _read) if found else None


def _read(files: FolderFiles, name: str, problems: Problems) -> Iterator[Row]:
    """Yield the rows of one file; the images are found by their names, in any folder."""
    header = _HEADER.fullmatch(first_line(files, name))
    sign = header["sign"] if header else "|"
    for location, line in text_lines(files.root, name, problems):
        if location.line > 1 and line.strip():
            try:
                image, caption = _split_line(line, sign)
            except RowError as error:
                problems.add(location, str(error))
                continue
            yield Row(location, image, (caption,), None, anywhere=True)


def _split_line(line: str, sign: str) -> tuple[str, str]:
    """The image and the caption of a line.

    Raises:
        RowError: the line has other fields.
    """
    image, *rest = line.split(sign, 2)
    if image.strip() and len(rest) == 2 and rest[0].strip().isdecimal():
        return image.strip(), unquoted(rest[1])
    if image.strip() and len(rest) == 1 and (match := _NUMBER_AND_CAPTION.fullmatch(rest[0])):
        return image.strip(), unquoted(match[1])
    raise RowError(
        f"is not an image, a number and a caption, separated by {sign!r}: {shortened(line)}"
    )
