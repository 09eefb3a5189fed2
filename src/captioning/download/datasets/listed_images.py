"""Images that a dataset's own files list by name, with split and captions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from captioning.core.errors import InputError
from captioning.download.datasets.base import SPLITS, Example, Rejections
from captioning.download.sources.image_files import ImageFile, ImageFiles


@dataclass(frozen=True)
class ListedImage:
    """One image of a list.

    Attributes:
        image_id: unique in the dataset, over all splits.
        split: one of `SPLITS`.
        path: how the list names the file: its name, perhaps with folders.
        captions: as people wrote them.
    """

    image_id: str
    split: str
    path: str
    captions: tuple[str, ...]


def listed_examples(
    listed: Sequence[ListedImage], images: ImageFiles, rejections: Rejections
) -> Iterator[Example]:
    """Read what is listed, split after split, one image in memory at a time.

    An image that is listed but not there is added to `rejections`.

    Raises:
        InputError: of the images of a split none is there, found before the first is read; or one
            can't be read, or is there twice.
    """
    found = {image.path: images.find(image.path) for image in listed}
    for split in SPLITS:
        _check(split, [image for image in listed if image.split == split], found)
    for split in SPLITS:
        for image in listed:
            if image.split != split:
                continue
            file = found[image.path]
            if file is None:
                rejections.add("image listed but missing", image.path)
            else:
                yield Example(image.image_id, split, file.read(), image.captions)


def reject_unlisted(paths: Iterable[str], images: ImageFiles, rejections: Rejections) -> None:
    """Add images to `rejections` that lie beside those of `paths`, but are not among them."""
    found = [file for path in paths if (file := images.find(path))]
    for name in images.others(found):
        rejections.add("image in no split", name)


def _check(split: str, listed: Sequence[ListedImage], found: dict[str, ImageFile | None]) -> None:
    """A split of which nothing can be read is told before hours of reading the others."""
    if not listed:
        raise InputError(f"no image is listed for the {split} split: every split needs one")
    if all(found[image.path] is None for image in listed):
        raise InputError(
            f"none of the {len(listed):,} images of the {split} split is there, the first is "
            f"{listed[0].path}: name the folders or archives that hold them"
        )
