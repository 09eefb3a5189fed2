"""Flickr8k as Kaggle has it: `captions.txt` and the images, with the release's splits.

`flickr8k_splits.txt` has three lines, for the train, validation and test split. A number stands for
an image: its position among all names in alphabetical order. The order is that of the release.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path

from captioning.core.errors import InputError
from captioning.download.datasets.base import SPLITS
from captioning.download.datasets.folder.forms.kaggle_flickr8k import NAME, is_header, split_line
from captioning.download.datasets.folder.rows import RowError
from captioning.download.datasets.listed_images import ListedImage
from captioning.download.sources.image_files import ImageFile, ImageFiles

CAPTIONS_FILE = "captions.txt"
#: SHA-256 of the names of the 8,091 images, sorted and joined by line ends.
NAMES_SHA256 = "b09825c3cad8e975cf0683d7e462acdc880e5548203201a7d40f9dcfce962319"
#: Positions of the images of each split.
POSITIONS_FILE = Path(__file__).with_name("flickr8k_splits.txt")


def find_captions(files: ImageFiles) -> ImageFile | None:
    """Kaggle's file of captions, if it is among some files.

    Raises:
        InputError: there are several.
    """
    file = files.find(CAPTIONS_FILE)
    if file is None:
        return None
    header = file.read().partition(b"\n")[0].decode("utf-8-sig", "replace")
    return file if is_header(header) else None


def kaggle_images(file: ImageFile, md5: str | None) -> list[ListedImage]:
    """The images that Kaggle's file of captions lists, with the splits of the release.

    Args:
        file: the file of captions.
        md5: its MD5 sum, in hexadecimal; None skips the check.

    Raises:
        InputError: the file has another sum, is not valid, or does not list the 8,091 images.
    """
    data = file.read()
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if md5 not in (None, found):
        raise InputError(
            f"{file} is Kaggle's Flickr8k, and its MD5 sum is {found}, not that of the release: "
            "set datasets.flickr8k.captions_md5 to this sum, or to null"
        )
    captions = _captions(data, file)
    names = sorted(captions)
    if hashlib.sha256("\n".join(names).encode()).hexdigest() != NAMES_SHA256:
        raise InputError(
            f"{file} lists {len(names):,} images that are not the 8,091 of Flickr8k, so their "
            "splits are not known: use dataset: folder, which chooses splits"
        )
    print(f"read as: {NAME}, {len(names):,} pictures")
    lines = POSITIONS_FILE.read_text(encoding="ascii").splitlines()
    return [
        ListedImage(name.removesuffix(".jpg"), split, name, tuple(captions[name]))
        for split, line in zip(SPLITS, lines, strict=True)
        for name in (names[int(position)] for position in line.split())
    ]


def _captions(data: bytes, file: ImageFile) -> dict[str, list[str]]:
    """The captions by image.

    Raises:
        InputError: the file is not UTF-8, or a line is not an image and a caption.
    """
    captions = defaultdict(list)
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 ({error}): save it in that encoding") from None
    for number, line in enumerate(lines[1:], start=2):
        if line.strip():
            try:
                image, caption = split_line(line)
            except RowError as error:
                raise InputError(f"{file}:{number}: {error}") from None
            captions[image].append(caption)
    return dict(captions)
