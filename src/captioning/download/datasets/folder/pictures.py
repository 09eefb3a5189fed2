"""Gathering the captions of each picture, and reading the pictures, few at a time."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from captioning.download.datasets.base import Rejections, caption_fault
from captioning.download.datasets.folder.files import Files
from captioning.download.datasets.folder.parquet import embedded_images
from captioning.download.datasets.folder.problems import Place, Problems
from captioning.download.datasets.folder.rows import Row, RowError, short
from captioning.download.datasets.folder.split_names import SPLIT_NAMES, split_of_path


@dataclass
class Picture:
    """One picture, without its bytes.

    Attributes:
        file: that it is in, an image file or a Parquet file.
        row: of the Parquet file, from 1; 0 where `file` is the image.
        place: of its first caption.
        captions: trimmed; only those that have a word.
        split: None as long as it has none.
        contents: SHA-256 of the encoded bytes, of its copies too.
    """

    file: str
    row: int
    place: Place
    captions: list[str] = field(default_factory=list)
    split: str | None = None
    contents: list[bytes] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The `image_id`: the image file's path, or the Parquet file's path and the row."""
        return f"{self.file}#{self.row}" if self.row else self.file


def gather(
    rows: Iterable[Row], files: Files, problems: Problems, rejections: Rejections
) -> list[Picture]:
    """Gather the rows of each picture, in the order of their first rows.

    Rows of embedded images belong together where bytes and split agree. What is wrong with a row
    goes to `problems`, a caption without a word to `rejections`.
    """
    pictures: dict[Hashable, Picture] = {}
    for row in rows:
        try:
            key, picture = _picture(row, files)
            split = _split(row)
        except RowError as error:
            problems.add(row.place, str(error))
            continue
        known = pictures.get(key)
        if known is None:
            pictures[key] = known = picture
            known.split = split
            if not os.access(files.root / known.file, os.R_OK):
                problems.add(row.place, f"{known.file} can't be read: see to its permissions")
        elif split != known.split:
            problems.add(
                row.place,
                f"{known.name} is in {split or 'no split'} here, "
                f"in {known.split or 'no split'} in {known.place}",
            )
        for caption in map(str.strip, row.captions):
            if (fault := caption_fault(caption)) is None:
                known.captions.append(caption)
            else:
                rejections.add(fault, str(row.place))
    return list(pictures.values())


def _picture(row: Row, files: Files) -> tuple[Hashable, Picture]:
    """The picture that a row is about, and what tells it from others."""
    if isinstance(row.image, bytes):
        digest = hashlib.sha256(row.image).digest()
        picture = Picture(row.place.file, row.place.line, row.place)
        return (digest, _split(row)), picture
    name = files.find(row.image, posixpath.dirname(row.place.file))
    return name, Picture(name, 0, row.place)


def _split(row: Row) -> str | None:
    """The split that a row gives, or else the path of the file that it is in."""
    if row.split is None:
        return split_of_path(row.place.file)
    split = SPLIT_NAMES.get(row.split.lower())
    if split is None:
        raise RowError(
            f"unknown split {short(row.split)}: expected one of {', '.join(SPLIT_NAMES)}"
        )
    return split


def read_images(
    files: Files, pictures: Sequence[Picture], problems: Problems
) -> Iterator[tuple[Picture, bytes]]:
    """Read the encoded images one after the other; those that can't be read go to `problems`."""
    for file, group in groupby(pictures, key=lambda picture: picture.file):
        of_file = list(group)
        try:
            if of_file[0].row:
                images = embedded_images(files.root, file, [picture.row for picture in of_file])
                yield from zip(of_file, images, strict=True)
            else:
                yield of_file[0], (files.root / file).read_bytes()
        except OSError as error:
            problems.add(of_file[0].place, f"{file} can't be read ({error.strerror or error})")
