"""Running a backbone over images, in batches of a fixed size.

Legend: `B` images, `C` feature channels.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from captioning.extractors.base import Extractor

# On a CPU, a batch has few enough pixels that activations stay in a core's cache.
_BATCH, _CPU_PIXELS = 32, 4 * 224 * 224


def batch_images(image_size: int) -> int:
    """Number of images of `image_size` pixels that go through a backbone at once.

    It is constant: for another number, kernels may sum in another order and change the last bits.
    """
    if tf.config.list_physical_devices("GPU"):
        return _BATCH
    return min(max(_CPU_PIXELS // image_size**2, 1), _BATCH)


def extract(extractor: Extractor, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Feature maps float32 `[B, height, width, C]` of RGB images uint8 `[B, size, size, 3]`."""
    maps, number = [], batch_images(extractor.image_size)
    for start in range(0, len(images), number):
        batch = images[start : start + number]
        padded = np.pad(batch, ((0, number - len(batch)), (0, 0), (0, 0), (0, 0)))
        maps.append(extractor(padded)[: len(batch)])
    return np.concatenate(maps)
