"""Choose the split of each image: as given, or by a seeded hash of the image's contents."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from captioning.core.errors import InputError
from captioning.download.datasets.base import Rejections
from captioning.download.datasets.folder.images import FolderImage
from captioning.download.datasets.folder.problems import Problems
from captioning.download.datasets.folder.split_names import split_of_path
from captioning.params.datasets import FolderParams


def assign_given_splits(images: Iterable[FolderImage], problems: Problems) -> None:
    """If no caption file gives splits, use those that the images' folders name.

    If any image has a split, all of them must have one.

    Args:
        images: images whose `split` is changed.
        problems: collects the images without a split, if other images have one.
    """
    images = list(images)
    if all(image.split is None for image in images):
        for image in images:
            image.split = split_of_path(image.name)
    with_split = next((image for image in images if image.split), None)
    for image in images:
        if with_split and image.split is None:
            problems.add(
                image.location,
                f"{image.name} has no split, but other images have one "
                f"({with_split.name} is in {with_split.split}, see {with_split.location})",
            )


def assign_missing_splits(
    images: Sequence[FolderImage], params: FolderParams, rejections: Rejections
) -> None:
    """Take the validation and test images from the train images, if they are not given.

    If no splits are given, all images count as train images. A hash of the seed and the image's
    contents gives every image a position between 0 and 1. Images whose position is below
    `test_share` go to test; those at 1 - `validation_share` or above go to validation. So images
    that are added later do not move any other image, and a changed share moves as few images as
    possible. The shares hold on average, not exactly. If a split would be empty, the image whose
    position is nearest goes there.

    The hash is taken of the encoded bytes, not of the pixels, because these may change with the
    decoder's version. An image with copies has the lowest position of all copies.

    Args:
        images: images whose `split` is changed.
        params: settings of the dataset.
        rejections: what was left out, for the error message.

    Raises:
        InputError: there are too few images, or all are given to other splits than train.
    """
    given = {image.split for image in images}
    pool = [image for image in images if image.split in (None, "train")]
    missing = [split for split in ("test", "validation") if split not in given]
    if len(pool) <= len(missing):
        splits = " and ".join(["train", *missing])
        raise InputError(
            f"{params.path} has {len(pool)} different usable images for {splits}, but every split "
            f"needs at least one (rejected: {rejections.counts() or 'none'})"
        )
    pool.sort(key=lambda image: (hash_position(image, params.seed), image.name))
    positions = [hash_position(image, params.seed) for image in pool]
    spare = len(pool) - len(missing) - 1
    tests = validations = 0
    if "test" in missing:
        tests = min(max(bisect_left(positions, params.test_share), 1), 1 + spare)
        spare -= tests - 1
    if "validation" in missing:
        wanted = len(pool) - bisect_left(positions, 1 - params.validation_share)
        validations = min(max(wanted, 1), 1 + spare)
    for number, image in enumerate(pool):
        image.split = "train"
        if number < tests:
            image.split = "test"
        elif number >= len(pool) - validations:
            image.split = "validation"


def hash_position(image: FolderImage, seed: int) -> float:
    """The position in [0, 1) that a hash of the seed and the contents gives an image."""
    return min(
        int.from_bytes(hashlib.sha256(b"%d:%s" % (seed, digest)).digest()[:6], "big") / 2**48
        for digest in image.contents
    )
