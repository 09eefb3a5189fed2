"""One picture under several names is one picture."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from captioning.data.images import ImageError, decode_image
from captioning.download.datasets.base import Rejections
from captioning.download.datasets.folder.pictures import Picture

# Which of a picture's copies stays where splits are given: what is tested on stays as it is.
_PRECEDENCE = ("test", "validation", "train", None)


def digests(data: bytes, name: str) -> tuple[bytes, bytes]:
    """SHA-256 of an encoded image's bytes, and of its size and pixels (upright 8-bit RGB).

    Raises:
        ImageError: as `decode_image`.
    """
    image = decode_image(data, name)
    pixels = hashlib.sha256(b"%dx%d:" % image.size)
    pixels.update(image.tobytes())
    return hashlib.sha256(data).digest(), pixels.digest()


def without_duplicates(
    images: Iterable[tuple[Picture, bytes]], rejections: Rejections
) -> list[Picture]:
    """Leave one of the pictures that have the same pixels; note the contents of all.

    Within one split the first stays and takes the captions of the others that it hasn't got; of
    copies in several splits those in test go before validation, validation before train. The
    others, and images that can't be decoded, are added to `rejections`.

    Args:
        images: pictures with their encoded bytes; few are in memory at a time.
        rejections: see above.
    """
    same: dict[bytes, list[Picture]] = defaultdict(list)
    for picture, outcome in _digested(images):
        try:
            contents, pixels = outcome.result()
        except ImageError as error:
            rejections.add(error.reason, picture.name)
            continue
        picture.contents.append(contents)
        same[pixels].append(picture)
    return [_merged(copies, rejections) for copies in same.values()]


def _digested(
    images: Iterable[tuple[Picture, bytes]],
) -> Iterator[tuple[Picture, Future[tuple[bytes, bytes]]]]:
    """Decode on all cores, in order, two images a core at a time."""
    workers = os.cpu_count() or 1
    waiting: deque[tuple[Picture, Future[tuple[bytes, bytes]]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for picture, data in images:
            waiting.append((picture, pool.submit(digests, data, picture.name)))
            if len(waiting) > 2 * workers:
                yield waiting.popleft()
        yield from waiting


def _merged(copies: list[Picture], rejections: Rejections) -> Picture:
    """The one that stays."""
    kept = min(copies, key=lambda picture: _PRECEDENCE.index(picture.split))
    for other in copies:
        if other is kept:
            continue
        if other.split == kept.split:
            rejections.add("same picture as another", f"{other.name} (as {kept.name})")
            kept.captions += [text for text in other.captions if text not in kept.captions]
            kept.contents += other.contents
        else:
            rejections.add(
                "same picture in another split",
                f"{other.name} in {other.split} (as {kept.name} in {kept.split})",
            )
    return kept
