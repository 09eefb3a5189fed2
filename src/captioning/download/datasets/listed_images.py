"""Read images that a dataset lists by file name, with their splits and captions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from captioning.core.errors import InputError
from captioning.download.datasets.base import SPLITS, Example, Rejections
from captioning.download.sources.image_files import ImageFile, ImageFiles


@dataclass(frozen=True)
class ListedImage:
    """One image of a dataset's list.

    Attributes:
        image_id: identifier of the image, unique in the dataset across all splits.
        split: one of `SPLITS`.
        path: path of the file as listed: its name, possibly with folders.
        captions: captions as the dataset has them.
    """

    image_id: str
    split: str
    path: str
    captions: tuple[str, ...]


def listed_examples(
    listed: Sequence[ListedImage], images: ImageFiles, rejections: Rejections
) -> Iterator[Example]:
    """Yield the listed images, one split after the other, with one image in memory at a time.

    Args:
        listed: the images to read.
        images: the files to read them from.
        rejections: collects the images that are listed but missing.

    Raises:
        InputError: a split has no image, or an image is in two places (both are noticed before the
            first image is read), or an image cannot be read.
    """
    found = {image.path: images.find(image.path) for image in listed}
    for split in SPLITS:
        _check_not_all_missing(split, [image for image in listed if image.split == split], found)
    for split in SPLITS:
        for image in listed:
            if image.split != split:
                continue
            file = found[image.path]
            if file is None:
                rejections.add("image listed but missing", image.path)
            else:
                extras = {"file": image.path}
                yield Example(image.image_id, split, file.read(), image.captions, extras)


def reject_unlisted(paths: Iterable[str], images: ImageFiles, rejections: Rejections) -> None:
    """Add to `rejections` the images in the folders of the listed ones that are not listed.

    Args:
        paths: paths of all listed images.
        images: the files to search.
        rejections: collects the images that are not listed.
    """
    found = [file for path in paths if (file := images.find(path))]
    for name in images.other_images(found):
        rejections.add("image in no split", name)


def _check_not_all_missing(
    split: str, listed: Sequence[ListedImage], found: dict[str, ImageFile | None]
) -> None:
    """Raise `InputError` if no image of a split can be read, before hours go into the others."""
    if not listed:
        raise InputError(
            f"no image is listed for the {split} split, but every split needs at least one"
        )
    if all(found[image.path] is None for image in listed):
        raise InputError(
            f"none of the {len(listed):,} images of the {split} split was found, the first one is "
            f"{listed[0].path}: name the folders or archives that contain them"
        )
