"""Collect the captions of each image, and read the images, with few of them in memory at a time."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from captioning.data.local_file import FileError
from captioning.download.datasets.base import Rejections, caption_rejection_reason
from captioning.download.datasets.folder.files import FolderFiles
from captioning.download.datasets.folder.parquet import embedded_images
from captioning.download.datasets.folder.problems import Location, Problems
from captioning.download.datasets.folder.rows import Member, Row, RowError, shortened
from captioning.download.datasets.folder.split_names import (
    MORE_SPLIT_NAMES,
    SPLIT_NAMES,
    split_of_path,
)


@dataclass
class FolderImage:
    """One image and its captions, without the image's bytes.

    Attributes:
        file: name of the image file, or of the Parquet file or tar archive that contains the image.
        row: row of the Parquet file, from 1; 0 if `file` is another file.
        location: location of its first caption.
        captions: captions with at least one letter or digit, without surrounding white space.
        split: one of `SPLITS`; None if it has not been chosen yet.
        contents: SHA-256 of the image file's bytes, and of the copies that were merged into it.
        member: place of the image in the tar archive; None if `file` is another file.
    """

    file: str
    row: int
    location: Location
    captions: list[str] = field(default_factory=list)
    split: str | None = None
    contents: list[bytes] = field(default_factory=list)
    member: Member | None = None

    @property
    def name(self) -> str:
        """The `image_id`: the image file's path, or the Parquet file's path and the row.

        In an archive, it is the archive's path, followed by that in the archive.
        """
        if self.member is not None:
            return f"{self.file.partition('://')[2] or self.file}/{self.member.name}"
        return f"{self.file}#{self.row}" if self.row else self.file


def group_by_image(
    rows: Iterable[Row], files: FolderFiles, problems: Problems, rejections: Rejections
) -> list[FolderImage]:
    """Collect the captions of each image, in the order of the images' first rows.

    Rows with embedded images belong together if both the image's bytes and the split are the same.

    Args:
        rows: rows of the caption files.
        files: the folder's files.
        problems: collects what is wrong with rows.
        rejections: collects captions without a word.
    """
    images: dict[Hashable, FolderImage] = {}
    for row in rows:
        try:
            key, image = _image_of(row, files)
            split = _split_of(row)
        except RowError as error:
            problems.add(row.location, str(error))
            continue
        known = images.get(key)
        if known is None:
            images[key] = known = image
            known.split = split
            if not files.is_readable(known.file):
                problems.add(row.location, f"{known.file} cannot be read: check its permissions")
        elif known.member != image.member:
            problems.add(row.location, f"{image.name} occurs twice: remove one of them")
        elif split != known.split:
            problems.add(
                row.location,
                f"{known.name} is in {split or 'no split'} here, "
                f"but in {known.split or 'no split'} in {known.location}",
            )
        for caption in map(str.strip, row.captions):
            if (reason := caption_rejection_reason(caption)) is None:
                known.captions.append(caption)
            else:
                rejections.add(reason, str(row.location))
    return list(images.values())


def _image_of(row: Row, files: FolderFiles) -> tuple[Hashable, FolderImage]:
    """The image of a row, and a key that is the same for all rows of this image."""
    if isinstance(row.image, bytes):
        digest = hashlib.sha256(row.image).digest()
        image = FolderImage(row.location.file, row.location.line, row.location)
        return (digest, _split_of(row)), image
    if isinstance(row.image, Member):
        image = FolderImage(row.location.file, 0, row.location, member=row.image)
        return (image.file, row.image.name), image
    find = files.find_anywhere if row.anywhere else files.find
    name = find(row.image, posixpath.dirname(row.location.file))
    return name, FolderImage(name, 0, row.location)


def _split_of(row: Row) -> str | None:
    """The split in the row, or else the one in the caption file's path; None if there is none."""
    if row.split is None:
        return split_of_path(row.location.file)
    split = {**SPLIT_NAMES, **MORE_SPLIT_NAMES}.get(row.split.lower())
    if split is None:
        raise RowError(
            f"unknown split {shortened(row.split)}: expected one of {', '.join(SPLIT_NAMES)}"
        )
    return split


def read_images(
    files: FolderFiles, images: Sequence[FolderImage], problems: Problems
) -> Iterator[tuple[FolderImage, bytes]]:
    """Yield each image with the bytes of its file.

    Args:
        files: the folder's files.
        images: the images to read.
        problems: collects the files that cannot be read.
    """
    for file, group in groupby(images, key=lambda image: image.file):
        of_file = list(group)
        try:
            if of_file[0].member is not None:
                yield from _from_archive(files, file, of_file)
            elif of_file[0].row:
                data = embedded_images(files.root, file, [image.row for image in of_file])
                yield from zip(of_file, data, strict=True)
            else:
                yield of_file[0], files.read(file)
        except FileError as error:
            problems.add(of_file[0].location, str(error))
        except OSError as error:
            reason = error.strerror or error
            problems.add(of_file[0].location, f"{file} cannot be read ({reason})")


def _from_archive(
    files: FolderFiles, file: str, images: Sequence[FolderImage]
) -> Iterator[tuple[FolderImage, bytes]]:
    """Yield images with their bytes in a tar archive."""
    with files.open(file) as archive:
        for image in images:
            if image.member is not None:
                archive.seek(image.member.offset)
                yield image, archive.read(image.member.size)
