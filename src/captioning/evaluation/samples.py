"""Draws sample captions with their attention maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from captioning.data.images import decode_image
from captioning.data.raw_table import read_raw
from captioning.evaluation.caption_split import CaptionedImage
from captioning.evaluation.plots import plot_attention


def plot_samples(
    folder: Path, images: Sequence[CaptionedImage], raw: Path | str, split: str
) -> None:
    """Draw each captioned image as a PNG in `folder`, named after its image id.

    Args:
        folder: existing, empty folder for the PNG files.
        images: captioned images of one split.
        raw: folder of the raw table, which contains the images.
        split: `train`, `validation` or `test`.
    """
    wanted = {image.prediction.image_id: image for image in images}
    for row in read_raw(raw, split, columns=["image_id", "image"]):
        if not wanted:
            return
        if (image := wanted.pop(row["image_id"], None)) is not None:
            plot_attention(
                folder / f"{row['image_id'].removesuffix('.jpg')}.png",
                decode_image(row["image"], row["image_id"]),
                image.prediction.caption,
                image.attention,
                image.prediction.references,
                image.pieces,
            )
