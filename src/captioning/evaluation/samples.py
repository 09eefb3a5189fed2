"""Draws sample captions with their attention maps."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from captioning.data.images.decode import decode_image
from captioning.data.raw_table import read_raw
from captioning.evaluation.caption_split import CaptionedImage
from captioning.evaluation.plots import plot_attention

_HASH_DIGITS = 8


def plot_samples(
    folder: Path, images: Sequence[CaptionedImage], raw: Path | str, split: str
) -> dict[str, dict[str, str]]:
    """Draw each captioned image as a PNG in `folder`; `picture_name` names the files.

    Args:
        folder: existing, empty folder for the PNG files.
        images: captioned images of one split.
        raw: folder of the raw table, which contains the images.
        split: `train`, `validation` or `test`.

    Returns:
        For each file by its name: `image_id`, and `caption` as the model wrote it.
    """
    names = {
        image.prediction.image_id: picture_name(number, image.prediction.image_id)
        for number, image in enumerate(images)
    }
    wanted = {image.prediction.image_id: image for image in images}
    for row in read_raw(raw, split, columns=["image_id", "image"]):
        if not wanted:
            break
        if (image := wanted.pop(row["image_id"], None)) is not None:
            plot_attention(
                folder / names[row["image_id"]],
                decode_image(row["image"], row["image_id"]),
                image.prediction.caption,
                image.attention,
                image.prediction.references,
                image.pieces,
                name=row["image_id"],
            )
    return {
        names[image.prediction.image_id]: {
            "image_id": image.prediction.image_id,
            "caption": image.prediction.caption,
        }
        for image in images
    }


def picture_name(number: int, image_id: str) -> str:
    """A file name for an image's picture: a number, and a hash of the id.

    An id itself can be too long for a file name, or contain characters that mean something in paths
    or in URLs: DVC's page of plots refers to the pictures by URLs.

    >>> picture_name(3, "train/what is 100%?.jpg")
    '003-89b134b0.png'
    """
    digest = hashlib.sha256(image_id.encode()).hexdigest()[:_HASH_DIGITS]
    return f"{number:03d}-{digest}.png"
