"""Captioning more images than one batch holds, on any Keras backend.

Legend: `B` images, `T` tokens.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from captioning.decoding import BeamSearch, Sampler

#: Batches decoded side by side: many of one's operations are too small for all cores.
AT_ONCE = 2


def decode_all(
    decoder: Sampler | BeamSearch, features: NDArray[Any], batch_images: int
) -> dict[str, NDArray[Any]]:
    """Caption images batch by batch; what a batch gives doesn't depend on those beside it.

    Args:
        decoder: see `decoding.make_decoder`.
        features: `[B, height, width, C]`.
        batch_images: images of one batch. Batches of one size are compiled once.

    Returns:
        As the decoder's `call`, of all images: `tokens` int32 `[B, T]` and `log_probability`
        float32 `[B]`.
    """
    starts = range(0, len(features), batch_images)
    batches = [features[start : start + batch_images] for start in starts]
    decoder.make_predict_function()
    with ThreadPoolExecutor(_workers(decoder)) as pool:
        found = list(pool.map(decoder.predict_on_batch, batches))
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def _workers(decoder: Sampler | BeamSearch) -> int:
    """How many batches go side by side.

    Random draws follow one another; and Keras keeps a model's state outside of it under JAX, where
    two calls would write it at once.
    """
    draws = isinstance(decoder, Sampler) and decoder.temperature > 0
    return 1 if draws or keras.backend.backend() != "tensorflow" else AT_ONCE
