"""Random numbers of each image for sampling, the same on every backend and in every batch.

Legend: `B` images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_BITS = 24  # All that float32 has between 0.5 and 1.


def uniform_numbers(
    seeds: Iterable[int], streams: Iterable[int], number: int
) -> NDArray[np.float32]:
    """Uniform random numbers in [0, 1) for each image, which depend on nothing else.

    They come from the counter-based generator Philox (Salmon et al. 2011, "Parallel random numbers:
    as easy as 1, 2, 3"), of which seed and stream together are the key.

    Args:
        seeds: seed of each image, 0 to 2^64 - 1.
        streams: stream of each image, 0 to 2^64 - 1. Images with the same seed and different
            streams get independent numbers.
        number: how many numbers each image gets.

    Returns:
        float32 `[B, number]`.
    """
    rows = [
        np.random.Philox(key=np.array([seed, stream], np.uint64)).random_raw(number)
        for seed, stream in zip(seeds, streams, strict=True)
    ]
    bits = np.array(rows, np.uint64).reshape(-1, number) >> np.uint64(64 - _BITS)
    return bits.astype(np.float32) / np.float32(2**_BITS)


def stream_of(name: str) -> int:
    """The stream of a named image: the first 8 bytes of the SHA-256 checksum of its name.

    So an image is sampled with the same random numbers whichever other images there are.
    """
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
