"""Which split a picture is in: as given, or by a seeded hash of its contents."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from captioning.core.errors import InputError
from captioning.download.datasets.base import Rejections
from captioning.download.datasets.folder.pictures import Picture
from captioning.download.datasets.folder.problems import Problems
from captioning.download.datasets.folder.split_names import split_of_path
from captioning.params.datasets import FolderParams


def give_splits(pictures: Iterable[Picture], problems: Problems) -> None:
    """Where no caption file gives a split, take those that the pictures' folders name.

    Given is given to all: a picture without a split beside others with one is a problem.
    """
    pictures = list(pictures)
    if all(picture.split is None for picture in pictures):
        for picture in pictures:
            picture.split = split_of_path(picture.name)
    some = next((picture for picture in pictures if picture.split), None)
    for picture in pictures:
        if some and picture.split is None:
            problems.add(
                picture.place,
                f"{picture.name} is given no split, while others are "
                f"({some.name} in {some.split}, {some.place})",
            )


def cut_splits(pictures: Sequence[Picture], params: FolderParams, rejections: Rejections) -> None:
    """Give every picture a split; those that are given stay.

    What is given neither for validation nor for test is cut from train, or from all pictures where
    nothing is given. A hash of seed and contents puts each picture at a place of its own between 0
    and 1: below `test_share` it is in test, from 1 - `validation_share` on in validation. So
    pictures that come later move none of the others, a share that changes moves no more than it
    must, and the shares hold on average, not exactly. Only where a split would stay empty, the
    picture next to its border goes there.

    The hash is of the encoded bytes, not of the pixels, which may change with the decoder's
    version. Of a picture's copies the lowest place counts.

    Raises:
        InputError: there are too few pictures, or all are given to other splits than train.
    """
    given = {picture.split for picture in pictures}
    pool = [picture for picture in pictures if picture.split in (None, "train")]
    missing = [split for split in ("test", "validation") if split not in given]
    if len(pool) <= len(missing):
        splits = " and ".join(["train", *missing])
        raise InputError(
            f"{params.path} has {len(pool)} different usable pictures for {splits}: "
            f"every split needs one (rejected: {rejections.counts() or 'none'})"
        )
    pool.sort(key=lambda picture: (position(picture, params.seed), picture.name))
    places = [position(picture, params.seed) for picture in pool]
    spare = len(pool) - len(missing) - 1
    tests = validations = 0
    if "test" in missing:
        tests = min(max(bisect_left(places, params.test_share), 1), 1 + spare)
        spare -= tests - 1
    if "validation" in missing:
        wanted = len(pool) - bisect_left(places, 1 - params.validation_share)
        validations = min(max(wanted, 1), 1 + spare)
    for number, picture in enumerate(pool):
        picture.split = "train"
        if number < tests:
            picture.split = "test"
        elif number >= len(pool) - validations:
            picture.split = "validation"


def position(picture: Picture, seed: int) -> float:
    """Where in [0, 1) the seed puts a picture: the lowest of its copies' places."""
    return min(
        int.from_bytes(hashlib.sha256(b"%d:%s" % (seed, digest)).digest()[:6], "big") / 2**48
        for digest in picture.contents
    )
