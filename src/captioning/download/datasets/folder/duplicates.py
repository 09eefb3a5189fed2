"""Find images that occur under several names, also in different encodings, and keep one of them."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from captioning.data.images import ImageError, decode_image
from captioning.download.datasets.base import Rejections
from captioning.download.datasets.folder.images import FolderImage

# Which copy is kept if the copies are in different splits: the test split must not change.
_PRECEDENCE = ("test", "validation", "train", None)


def digests(data: bytes, name: str) -> tuple[bytes, bytes]:
    """SHA-256 of an image file's bytes, and SHA-256 of its size and decoded pixels.

    Args:
        data: bytes of the image file.
        name: name of the image in error messages.

    Raises:
        ImageError: see `decode_image`.
    """
    image = decode_image(data, name)
    pixels = hashlib.sha256(b"%dx%d:" % image.size)
    pixels.update(image.tobytes())
    return hashlib.sha256(data).digest(), pixels.digest()


def without_duplicates(
    images: Iterable[tuple[FolderImage, bytes]], rejections: Rejections
) -> list[FolderImage]:
    """Keep one of the images that have the same pixels, and fill in `contents` of all images.

    Of copies in the same split, the first one is kept, and the others' captions are added to its
    captions. Of copies in different splits, the one in test is kept, else the one in validation.

    Args:
        images: images with the bytes of their files; only few are in memory at a time.
        rejections: collects the other copies, and the images that cannot be decoded.
    """
    by_pixels: dict[bytes, list[FolderImage]] = defaultdict(list)
    for image, result in _with_digests(images):
        try:
            contents, pixels = result.result()
        except ImageError as error:
            rejections.add(error.reason, f"{image.name} ({error.detail})")
            continue
        image.contents.append(contents)
        by_pixels[pixels].append(image)
    return [_keep_one(copies, rejections) for copies in by_pixels.values()]


def _with_digests(
    images: Iterable[tuple[FolderImage, bytes]],
) -> Iterator[tuple[FolderImage, Future[tuple[bytes, bytes]]]]:
    """Compute the digests in order, on all CPU cores, with two images per core in memory."""
    workers = os.cpu_count() or 1
    waiting: deque[tuple[FolderImage, Future[tuple[bytes, bytes]]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for image, data in images:
            waiting.append((image, pool.submit(digests, data, image.name)))
            if len(waiting) > 2 * workers:
                yield waiting.popleft()
        yield from waiting


def _keep_one(copies: list[FolderImage], rejections: Rejections) -> FolderImage:
    """Return the copy that is kept; add the others to `rejections`."""
    kept = min(copies, key=lambda image: _PRECEDENCE.index(image.split))
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
