"""Run a backbone on any number of images, in batches of a constant size.

Legend: `B` images, `S` side of an image in pixels, `C` feature channels.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from captioning.extractors.base import Extractor

_MAX_BATCH_IMAGES = 32
# On a CPU, batches have so few pixels that the activations fit into the cache of one core.
_MAX_BATCH_PIXELS_CPU = 4 * 224 * 224


def batch_images(image_size: int) -> int:
    """Batch size for square images with a side of `image_size` pixels.

    All batches of a run have this size, because kernels may add in another order for another
    batch size, which changes the last bits of the features.
    """
    if tf.config.list_physical_devices("GPU"):
        return _MAX_BATCH_IMAGES
    return min(max(_MAX_BATCH_PIXELS_CPU // image_size**2, 1), _MAX_BATCH_IMAGES)


def extract(extractor: Extractor, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Feature maps float32 `[B, height, width, C]` of RGB images uint8 `[B, S, S, 3]`.

    The last batch is padded with black images.
    """
    maps, number = [], batch_images(extractor.image_size)
    for start in range(0, len(images), number):
        batch = images[start : start + number]
        padded = np.pad(batch, ((0, number - len(batch)), (0, 0), (0, 0), (0, 0)))
        maps.append(extractor(padded)[: len(batch)])
    return np.concatenate(maps)
