"""Pictures small enough to be stored in a report by the thousand."""

from __future__ import annotations

import base64
from collections.abc import Collection
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from captioning.core.errors import InputError
from captioning.data.images.decode import decode_image
from captioning.data.raw_table import read_raw

# Longest side in pixels, and WebP's quality from 0 to 100: 3 to 4 kB for a photograph.
_SIDE, _QUALITY = 192, 40
# The slowest of WebP's methods, which makes the smallest files.
_METHOD = 6


class Thumbnail(NamedTuple):
    """A small picture.

    Attributes:
        webp: content of a WebP file, in base64.
        width, height: size in pixels.
    """

    webp: str
    width: int
    height: int


def thumbnail(data: bytes, name: str) -> Thumbnail:
    """Scale an image down until no side is longer than a thumbnail's.

    Args:
        data: bytes of an image file.
        name: name of the image in error messages.

    Raises:
        InputError: the image can't be decoded.
    """
    image = decode_image(data, name)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    file = BytesIO()
    image.save(file, "WEBP", quality=_QUALITY, method=_METHOD)
    return Thumbnail(base64.b64encode(file.getvalue()).decode(), *image.size)


def thumbnails(raw: Path | str, split: str, wanted: Collection[str]) -> dict[str, Thumbnail]:
    """Make the thumbnails of some images of one split.

    Args:
        raw: folder of the raw table.
        split: `train`, `validation` or `test`.
        wanted: ids of the images.

    Raises:
        InputError: the raw table lacks an image or can't be read.
    """
    remaining = set(wanted)
    found: dict[str, Thumbnail] = {}
    for row in read_raw(raw, split, columns=["image_id", "image"]):
        if row["image_id"] in remaining:
            remaining.remove(row["image_id"])
            found[row["image_id"]] = thumbnail(row["image"], row["image_id"])
        if not remaining:
            return found
    raise InputError(
        f"the {split} split of the raw table lacks {len(remaining)} of the images, such as "
        f"{min(remaining)!r}: run `dvc repro` or `dvc checkout`"
    )
