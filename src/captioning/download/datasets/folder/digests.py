"""Compute digests of images, by which copies are found, on all cores of this machine."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from captioning.data.images.decode import ImageError, decode_image

#: The two digests of an image (see `digests`), or why it cannot be decoded.
Outcome = tuple[bytes, bytes] | ImageError
ImageT = TypeVar("ImageT")


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


def digests_of_all(
    images: Iterable[tuple[ImageT, bytes]],
) -> Iterator[tuple[ImageT, Outcome]]:
    """Yield each image with its digests, in order, with two images per core in memory.

    Args:
        images: images with the bytes of their files.
    """
    workers = os.cpu_count() or 1
    waiting: deque[tuple[ImageT, Future[Outcome]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for image, data in images:
            waiting.append((image, pool.submit(_outcome, data)))
            if len(waiting) > 2 * workers:
                done, result = waiting.popleft()
                yield done, result.result()
        for done, result in waiting:
            yield done, result.result()


def _outcome(data: bytes) -> Outcome:
    try:
        return digests(data, "image")
    except ImageError as error:
        return error
